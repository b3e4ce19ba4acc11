//! A `bookshop-host run` that a measurement starts, watches and surely stops.

use crate::child::Owned;
use crate::cluster_file::{Addresses, ClusterFile};
use crate::shop_client::ShopClient;
use crate::{Outcome, paths, process};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The first start may build and compile components.
const FIRST_START_TIMEOUT: Duration = Duration::from_secs(300);
/// Longer than the drain timeout of the shop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a wait looks again.
pub const POLL: Duration = Duration::from_millis(1);

/// A running cluster, or one host of it.
pub struct Cluster {
    child: Owned,
    log: PathBuf,
    /// Its hosts.
    pub hosts: Vec<Addresses>,
    places: BTreeMap<String, usize>,
    /// When its process was started.
    pub started: Instant,
}

/// Runs a command of the program at a host.
///
/// # Errors
/// What the program says when it fails.
pub fn operate(program: &Path, admin: SocketAddr, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(program);
    let admin = admin.to_string();
    let output = command.args(arguments).args(["--admin", &admin]).output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{arguments:?}: {said}").into())
        }
    }
}

impl Cluster {
    /// Starts all hosts of the file.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(program: &Path, file: &ClusterFile) -> Outcome<Self> {
        Self::spawn(program, file, &[])
    }

    /// Starts the first host of the file alone: its process is the host.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start_one(program: &Path, file: &ClusterFile) -> Outcome<Self> {
        let host = file.hosts.first().ok_or("the file has no hosts")?;
        Self::spawn(program, file, &["--host", &host.name])
    }

    /// Starts and stops it once, so that everything is built and its compiled code is kept.
    ///
    /// # Errors
    /// It does not come up.
    pub fn prepare(program: &Path, file: &ClusterFile) -> Outcome {
        let mut cluster = Self::start(program, file)?;
        cluster.until_running(FIRST_START_TIMEOUT)?;
        cluster.stop()
    }

    fn spawn(program: &Path, file: &ClusterFile, more: &[&str]) -> Outcome<Self> {
        let log = paths::data()?.join("cluster.log");
        std::fs::create_dir_all(paths::data()?)?;
        let output = File::create(&log)?;
        let mut command = Command::new(program);
        command.arg("run").arg(&file.path).args(more);
        // A backtrace for every error of a guest would be measured, too.
        command
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let started = Instant::now();
        let child = Owned::spawn(&mut command)?;
        Ok(Self {
            child,
            log,
            hosts: file.hosts.clone(),
            places: file.places.clone(),
            started,
        })
    }

    /// What it has said so far.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn said(&self) -> Outcome<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// The process that was started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The processes of the hosts, in their order.
    ///
    /// # Errors
    /// A host does not answer.
    pub fn host_pids(&self) -> Outcome<Vec<u32>> {
        let client = ShopClient::new()?;
        let pid = |host: &Addresses| {
            let status = client.status(host.admin)?;
            let hosts = status["hosts"].as_array().into_iter().flatten();
            let own = hosts
                .filter(|status| status["name"] == host.name.as_str())
                .find_map(|status| status["pid"].as_u64());
            own.and_then(|pid| u32::try_from(pid).ok())
                .ok_or_else(|| format!("{} does not say its process", host.name).into())
        };
        self.hosts.iter().map(pid).collect()
    }

    /// Waits until every service runs on every host that it should run on.
    ///
    /// # Errors
    /// They do not within `patience`, or the program ended.
    pub fn until_running(&mut self, patience: Duration) -> Outcome {
        let client = ShopClient::new()?;
        let (hosts, places) = (self.hosts.clone(), self.places.clone());
        self.until(patience, || {
            for host in &hosts {
                let status = client.status(host.admin)?;
                for service in status["services"].as_array().into_iter().flatten() {
                    let wanted = service["name"].as_str().and_then(|name| places.get(name));
                    // What is part of the host stands in no file.
                    if wanted.is_some()
                        && service["hosts"].as_array().map(Vec::len) != wanted.copied()
                    {
                        return Err(format!(
                            "{} is {}: {}",
                            service["name"], service["state"], service["reason"]
                        )
                        .into());
                    }
                }
            }
            Ok(())
        })
    }

    /// Tries again and again until `attempt` succeeds.
    ///
    /// # Errors
    /// The last error of `attempt` after `patience`; or the program ended.
    pub fn until<T>(
        &mut self,
        patience: Duration,
        mut attempt: impl FnMut() -> Outcome<T>,
    ) -> Outcome<T> {
        let end = Instant::now() + patience;
        loop {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if let Some(status) = self.child.ended() {
                return Err(format!("the host ended with {status}:\n{}", self.log_end()).into());
            }
            if Instant::now() >= end {
                return Err(format!(
                    "not ready within {} s: {error}\n{}",
                    patience.as_secs(),
                    self.log_end()
                )
                .into());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Kills it, as a failure would. Only for a host that runs alone: hosts of its own would be left.
    pub fn kill(mut self) {
        self.child.kill();
    }

    /// Asks it to drain and stop, and makes sure that nothing of it is left.
    ///
    /// # Errors
    /// It had to be killed, or left a host behind.
    pub fn stop(mut self) -> Outcome {
        let hosts = self.host_pids().unwrap_or_default();
        if !self.end(STOP_TIMEOUT) {
            return Err(format!(
                "the host did not stop within {} s:\n{}",
                STOP_TIMEOUT.as_secs(),
                self.log_end()
            )
            .into());
        }
        match hosts.into_iter().find(|pid| process::is_alive(*pid)) {
            Some(pid) => Err(format!("process {pid} outlived the program that started it").into()),
            None => Ok(()),
        }
    }

    /// Whether it ended by itself after having been asked to.
    fn end(&mut self, patience: Duration) -> bool {
        if self.child.ended().is_some() {
            return true;
        }
        self.child.terminate();
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if self.child.ended().is_some() {
                return true;
            }
            std::thread::sleep(POLL);
        }
        // It is killed with its handle. Its hosts then see the end of the pipe from it, and end too.
        false
    }

    fn log_end(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let start = text.len().saturating_sub(2_000);
        String::from_utf8_lossy(&text[start..]).into_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(STOP_TIMEOUT);
    }
}
