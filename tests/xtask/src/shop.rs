//! The shop as a user starts it, for checks that talk to it from outside.
//!
//! It is the built program with the shop's own cluster file on ports of its own, so that it disturbs no shop that is already running.

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What to run: the shop of the README.
const CLUSTER: &str = "config/cluster.toml";

/// How every address of that file begins.
const ADDRESS: &str = "\"127.0.0.1:";

/// Longest time until it serves. The first start builds the components.
const START_MAX: Duration = Duration::from_secs(600);

/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A running shop. It ends when this is dropped.
pub struct Shop {
    process: Child,
    address: SocketAddr,
}

impl Shop {
    /// Starts it and waits until its first host serves. What it prints goes to the file `shop/log` of the target folder.
    ///
    /// # Errors
    /// The program is not built; it ended before it served, or did not serve within ten minutes.
    pub fn start(root: &Path) -> Result<Self> {
        let target = Workspace::read(root)?.target().to_owned();
        let program = target.join("release").join(crate::workspace::PROGRAM);
        if !program.is_file() {
            bail!("the program is not built; run `cargo build --release`");
        }
        let folder = target.join("shop");
        fs::create_dir_all(&folder).context("cannot make a folder for the shop")?;
        let (cluster, address) = on_free_ports(root)?;
        let log = folder.join("log");
        let output = File::create(&log).context("cannot write the log of the shop")?;
        let process = Command::new(&program)
            .arg("run")
            .arg(&cluster)
            .arg("--data")
            .arg(folder.join("data"))
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share the log")?)
            .stderr(output)
            .spawn();
        let mut shop = Self {
            process: process.with_context(|| format!("cannot run {}", program.display()))?,
            address,
        };
        shop.until_it_serves(&log)?;
        Ok(shop)
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn until_it_serves(&mut self, log: &Path) -> Result<()> {
        let begin = Instant::now();
        while !self.serves() {
            if let Some(status) = self.process.try_wait()? {
                bail!("the shop ended with {status}; {} says why", log.display());
            }
            if begin.elapsed() > START_MAX {
                bail!("the shop does not serve; {} may say why", log.display());
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    fn serves(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /books HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")?;
            let mut status = [0; 12];
            stream.read_exact(&mut status)?;
            Ok::<_, std::io::Error>(status == *b"HTTP/1.1 200")
        };
        ask().unwrap_or(false)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Its hosts end as soon as it is gone. If it has ended by itself, there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes the shop's cluster file with other ports, and returns its path and where its first host will serve.
///
/// It lies in a folder directly below the root, as the original does: that is how the program finds the workspace to build from.
fn on_free_ports(root: &Path) -> Result<(PathBuf, SocketAddr)> {
    let original = root.join(CLUSTER);
    fs::create_dir_all(root.join("target")).context("cannot make the folder target")?;
    let text = fs::read_to_string(&original)
        .with_context(|| format!("cannot read {}", original.display()))?;
    // With a state of its own the cluster would first come up on the ports of the last time.
    let text = text.replace("\ncontrol = true", "\ncontrol = false");
    // Held together, so that no two are the same.
    let held: Vec<TcpListener> = (0..text.matches(ADDRESS).count())
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()
        .context("there are no free ports")?;
    let addresses: Vec<SocketAddr> = held
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    let path = root.join("target/shop.toml");
    fs::write(&path, with_ports(&text, &ports))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let first = addresses.first().context("the shop has no address")?;
    Ok((path, *first))
}

/// Replaces the port of each address, in the order of the text.
fn with_ports(text: &str, ports: &[u16]) -> String {
    let mut parts = text.split(ADDRESS);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for (part, port) in parts.zip(ports) {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        replaced.push_str(&format!("{ADDRESS}{port}{rest}"));
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ports_are_replaced() {
        let text = "http = \"127.0.0.1:8080\" # the shop\npeer = \"127.0.0.1:7101\"\n";
        let expected = "http = \"127.0.0.1:1\" # the shop\npeer = \"127.0.0.1:22222\"\n";
        assert_eq!(with_ports(text, &[1, 22_222]), expected);
        assert_eq!(with_ports("no address", &[]), "no address");
    }
}
