//! The shipped program running a cluster of child processes on free ports, as a user starts it.

use crate::paths;
use bookshop_host::admin::client;
use bookshop_host::client::Client;
use bookshop_host::host::COMPILED_FOLDER;
use bookshop_host::os::Os;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Longest that anything a test waits for may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Where ports are taken from: below those that systems give to connections, of which one might get a port between its choice and its use.
const PORTS: Range<u16> = 10_000..30_000;
/// Lines of each host that a test which fails shows.
pub const LINES_SHOWN: usize = 40;

/// How the hosts of most tests are set up.
pub const KEYS: &str = "workers = 1\ndrain-timeout = \"5s\"\n";

/// Addresses of one host.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub name: &'static str,
    pub http: SocketAddr,
    pub api: SocketAddr,
    pub peer: SocketAddr,
    pub admin: SocketAddr,
}

/// A running `bookshop-host run`.
pub struct Cluster {
    pub file: PathBuf,
    pub hosts: Vec<Addresses>,
    pub process: Child,
    pub os: Os,
    lines: Arc<Mutex<Vec<String>>>,
    reading: tokio::task::JoinHandle<()>,
}

/// How a cluster ended.
pub struct Ended {
    pub status: std::process::ExitStatus,
    pub lines: Vec<String>,
}

/// Free ports of loopback, given to one test after the other: what one has chosen and not yet taken no other one gets, though it be another process.
pub fn free_ports(count: usize) -> Vec<u16> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(paths::data().join("next-port"));
    let mut file = file.expect("the folder is there");
    file.lock().expect("files can be locked");
    let mut next = String::new();
    file.read_to_string(&mut next).expect("it can be read");
    let next = next.parse().ok().filter(|port| PORTS.contains(port));
    let next = next.unwrap_or(PORTS.start);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let free = (next..PORTS.end).chain(PORTS.start..next).filter(is_free);
    let ports: Vec<u16> = free.take(count).collect();
    assert_eq!(ports.len(), count, "free ports");
    file.set_len(0).expect("it can be written");
    file.rewind().expect("it is a file");
    write!(file, "{}", ports[count - 1] + 1).expect("it can be written");
    ports
}

/// Writes a cluster file with these hosts and sections; returns its path.
pub fn write_config(hosts: &[&'static str], sections: &str) -> (PathBuf, Vec<Addresses>) {
    write_config_with(hosts, KEYS, sections)
}

/// The same with other keys of the cluster than [`KEYS`].
pub fn write_config_with(
    hosts: &[&'static str],
    keys: &str,
    sections: &str,
) -> (PathBuf, Vec<Addresses>) {
    let folder = paths::data()
        .join("clusters")
        .join(paths::unique("cluster"));
    std::fs::create_dir_all(folder.join("data")).expect("the folder can be made");
    share_compiled(&folder.join("data"));
    let mut text = format!(
        "[cluster]\nname = \"test\"\ndata = \"{}\"\n{keys}",
        folder.join("data").display()
    );
    let mut addresses = Vec::new();
    for (name, ports) in hosts.iter().zip(free_ports(hosts.len() * 4).chunks(4)) {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let (http, admin, peer, api) = (at(ports[0]), at(ports[1]), at(ports[2]), at(ports[3]));
        write!(
            text,
            "\n[[host]]\nname = \"{name}\"\nhttp = \"{http}\"\nadmin = \"{admin}\"\npeer = \"{peer}\"\napi = \"{api}\"\n",
        )
        .expect("a string takes any text");
        addresses.push(Addresses {
            name,
            http,
            api,
            peer,
            admin,
        });
    }
    let file = folder.join("cluster.toml");
    std::fs::write(&file, text + sections).expect("the file can be written");
    (file, addresses)
}

/// Has a data folder use the compiled code of all tests: the same components are not compiled once for each cluster.
fn share_compiled(data: &Path) {
    let shared = paths::data().join(COMPILED_FOLDER);
    std::fs::create_dir_all(&shared).expect("the folder can be made");
    let link = data.join(COMPILED_FOLDER);
    std::os::unix::fs::symlink(shared, link).expect("the folder is new");
}

/// The host that keeps what the shop's replicated services keep, in clusters of [`shop`].
pub const KEEPER: &str = "alpha";

/// The sections of the shop's services, from the components the build left: everything on every host, except what lasts, which is on [`KEEPER`].
pub fn shop() -> String {
    let mut sections = String::new();
    for name in [
        "frontend",
        "orchestrator",
        "transaction-verification",
        "fraud-detection",
        "suggestions",
    ] {
        let more = match name {
            "frontend" => "http = { path = \"/\" }\n",
            _ => "",
        };
        let wasm = paths::guest(name);
        write!(
            sections,
            "\n[service.{name}]\nwasm = \"{}\"\n{more}",
            wasm.display()
        )
        .expect("a string takes any text");
    }
    sections + &orders(KEEPER) + &order_queue(KEEPER, "")
}

/// The section of what keeps the shop's decisions, on one host.
pub fn orders(host: &str) -> String {
    let queries = ["bookshop:shop/orders.get", "bookshop:shop/orders.list"];
    replicated("orders", "orders", host, &queries, "")
}

/// The section of the shop's queue, on one host; `more` has further keys.
pub fn order_queue(host: &str, more: &str) -> String {
    let queries = ["depth", "oldest-age", "in-flight", "dead", "peek", "find"];
    let queries = queries.map(|name| format!("bookshop:shop/order-queue.{name}"));
    replicated("order-queue", "order-queue", host, &queries, more)
}

/// The section of a service whose state lasts, on one host; `more` has further keys.
pub fn replicated(
    name: &str,
    guest: &str,
    host: &str,
    queries: &[impl std::fmt::Debug],
    more: &str,
) -> String {
    let wasm = paths::guest(guest);
    let wasm = wasm.display();
    format!(
        "\n[service.{name}]\nwasm = \"{wasm}\"\nhosts = [\"{host}\"]\nreplicated = {{ replicas = 1, queries = {queries:?} }}\n{more}\n"
    )
}

impl Cluster {
    /// Starts a cluster of these hosts and waits until all of them serve.
    pub async fn start(hosts: &[&'static str], sections: &str, flags: &[&str]) -> Self {
        let (file, addresses) = write_config(hosts, sections);
        let cluster = Self::spawn(&file, addresses, flags);
        for host in &cluster.hosts {
            cluster.until_state(host.name, "running").await;
        }
        cluster
    }

    /// Starts a cluster and does not wait.
    pub fn spawn(file: &Path, hosts: Vec<Addresses>, flags: &[&str]) -> Self {
        Self::spawn_by("run", file, hosts, flags)
    }

    /// The same by another command than `run`.
    pub fn spawn_by(command: &str, file: &Path, hosts: Vec<Addresses>, flags: &[&str]) -> Self {
        let mut process = Command::new(paths::program())
            // `dev` builds what its test edits, and must not leave that where all tests look for components.
            .env_remove("CARGO_TARGET_DIR")
            .arg(command)
            .arg(file)
            .args(flags)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stderr = process.stderr.take().expect("standard error is a pipe");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&lines);
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().expect("nobody panicked").push(line);
            }
        });
        Self {
            file: file.to_owned(),
            hosts,
            process,
            os: Os::real(),
            lines,
            reading,
        }
    }

    /// Waits until it has said this.
    pub async fn until_said(&self, text: &str) {
        until(&format!("{text:?} is said"), async || {
            let lines = self.lines.lock().expect("nobody panicked");
            lines.iter().any(|line| line.contains(text)).then_some(())
        })
        .await;
    }

    /// The addresses of a host.
    pub fn host(&self, name: &str) -> &Addresses {
        self.hosts
            .iter()
            .find(|host| host.name == name)
            .expect("the host is in the file")
    }

    /// One request to a host's admin interface; `None` if it does not answer.
    pub async fn admin(&self, host: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        let address = self.host(host).admin;
        let answer = client::request(&self.os, address, path, body, PATIENCE).await;
        answer.ok().map(|(_, value)| value)
    }

    /// A connection to a host's api.
    pub async fn client(&self, host: &str) -> Client {
        let client = Client::connect(self.host(host).api, &self.os).await;
        client.expect("the host listens")
    }

    /// What the cluster says of a host, by whichever other host or itself answers.
    pub async fn status_of(&self, name: &str) -> Option<Value> {
        for asked in &self.hosts {
            if let Some(status) = self.admin(asked.name, "/v1/status", None).await {
                let hosts = status["hosts"].as_array().expect("hosts are a list");
                return hosts.iter().find(|host| host["name"] == name).cloned();
            }
        }
        None
    }

    /// Waits until a host is in a state; returns what `status` says of it.
    pub async fn until_state(&self, name: &str, state: &str) -> Value {
        let what = format!("host {name} is {state}");
        until(&what, async || {
            self.status_of(name)
                .await
                .filter(|host| host["state"] == state)
        })
        .await
    }

    /// Checks out the order in the shop's shape; returns the HTTP status and the answer.
    pub async fn checkout(&self, host: &str, order: &Value) -> Option<(u16, Value)> {
        let address = self.host(host).http;
        let answer = client::request(&self.os, address, "/checkout", Some(order), PATIENCE).await;
        answer.ok().map(|(status, value)| (status.as_u16(), value))
    }

    /// Sends SIGTERM and waits for the end. What the hosts kept is gone then.
    pub async fn terminate(self) -> Ended {
        let pid = self.process.id().expect("it runs");
        kill(pid, "TERM").await;
        let data = self.file.with_file_name("data");
        let folders: Vec<PathBuf> = self.hosts.iter().map(|host| data.join(host.name)).collect();
        let ended = self.ended().await;
        if ended.status.success() {
            folders.iter().for_each(|folder| paths::remove_kept(folder));
        }
        ended
    }

    /// Waits for the end.
    pub async fn ended(mut self) -> Ended {
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let status = ended
            .expect("it drains in time")
            .expect("it can be waited for");
        (&mut self.reading).await.expect("its output can be read");
        let lines = std::mem::take(&mut *self.lines.lock().expect("nobody panicked"));
        Ended { status, lines }
    }
}

/// What the hosts said belongs to a test that failed.
impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(lines) = self.lines.lock()
        {
            let first = lines.len().saturating_sub(LINES_SHOWN * self.hosts.len());
            eprintln!("the hosts said:\n{}", lines[first..].join("\n"));
        }
    }
}

/// Sends a signal to a process.
pub async fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(pid.to_string())
        .status()
        .await;
    assert!(
        status.expect("kill is a program").success(),
        "process {pid} is there"
    );
}

/// Whether a process is there (and not merely waiting to be reaped).
pub fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// Looks until there is an answer.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same for what may take longer than anything else.
pub async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            started.elapsed() < patience,
            "waited {} s until {what}",
            patience.as_secs()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
