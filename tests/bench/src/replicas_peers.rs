//! etcd and NATS JetStream as three processes each, and the load clients that are theirs. All of it is optional.

use crate::child::Owned;
use crate::cluster_file::free_addresses;
use crate::replicas::peers_folder;
use crate::state_load::Load;
use crate::{Outcome, process};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names of the servers. The client of JetStream knows them.
const NAMES: [&str; 3] = ["n0", "n1", "n2"];
/// Longest until servers listen and have a leader.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until the servers of JetStream have elected the leader of their metadata, which they do not say.
const SETTLE: Duration = Duration::from_secs(5);
/// What a load client may take beyond its run.
const MARGIN: Duration = Duration::from_secs(60);
/// Names the folder with the load clients.
const CLIENTS: &str = "PEER_CLIENTS";

/// Running servers that a load client can be pointed at.
pub trait Peer {
    /// The load client.
    fn client(&self) -> &Path;
    /// What it is told about the servers: the leader first.
    ///
    /// # Errors
    /// There is no leader.
    fn target(&self) -> Outcome<String>;
    /// Their processes.
    fn pids(&self) -> Vec<u32>;
}

/// Runs a load client for `time`, after two seconds of its own.
///
/// # Errors
/// It fails.
pub fn load(peer: &dyn Peer, what: &str, clients: usize, time: Duration) -> Outcome<Load> {
    let cpu = || -> Outcome<Duration> { peer.pids().into_iter().map(process::cpu).sum() };
    let (before, flushes, own) = (cpu()?, process::flushes()?, process::children_cpu()?);
    let started = Instant::now();
    let printed = run(peer.client(), what, &peer.target()?, clients, time)?;
    let seconds = started.elapsed().as_secs_f64();
    let number = |key: &str| {
        printed[key]
            .as_f64()
            .ok_or_else(|| format!("the load client says nothing of {key}: {printed}"))
    };
    let done = number("done")?.max(1.0);
    Ok(Load::reported(
        number("rate")?,
        [number("p50_us")?, number("p99_us")?, number("max_us")?],
        (cpu()? - before).as_secs_f64() * 1e3 / done,
        (process::flushes()? - flushes) / done,
        (process::children_cpu()? - own).as_secs_f64() / seconds,
    ))
}

/// Runs a load client; what it printed.
///
/// # Errors
/// It fails.
pub fn run(
    client: &Path,
    what: &str,
    target: &str,
    clients: usize,
    time: Duration,
) -> Outcome<Value> {
    let mut command = Command::new(client);
    command
        .args([
            what,
            target,
            &clients.to_string(),
            &time.as_secs().to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let printed = Owned::spawn(&mut command)?.output(time + MARGIN)?;
    Ok(serde_json::from_str(&printed)?)
}

fn client(name: &str) -> Outcome<PathBuf> {
    let folder = std::env::var_os(CLIENTS).ok_or_else(|| format!("{CLIENTS} is not set"))?;
    let client = Path::new(&folder).join(name);
    if client.is_file() {
        Ok(client)
    } else {
        Err(format!("{} is missing", client.display()).into())
    }
}

/// A program that the environment names, or that is on the path, and the version that it says.
fn program(variable: &str, name: &str) -> Outcome<(PathBuf, String)> {
    let program = PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| name.into()));
    let output = Command::new(&program).arg("--version").output();
    let output = output.map_err(|error| format!("{} does not run: {error}", program.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = printed.lines().next().unwrap_or_default();
    let version = version.rsplit(' ').next().unwrap_or_default();
    Ok((program, version.trim_start_matches('v').to_owned()))
}

/// Processes that are killed, and whose data goes, when this is dropped.
struct Servers {
    folder: PathBuf,
    running: Vec<Option<Owned>>,
}

impl Servers {
    fn new() -> Outcome<Self> {
        let folder = peers_folder()?;
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            running: Vec::new(),
        })
    }

    fn spawn(command: &mut Command) -> Outcome<Owned> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Owned::spawn(command)
    }

    fn pids(&self) -> Vec<u32> {
        self.running.iter().flatten().map(Owned::pid).collect()
    }

    fn until_listening(&mut self, addresses: &[SocketAddr]) -> Outcome {
        for (server, address) in self.running.iter_mut().zip(addresses) {
            if let Some(server) = server {
                server.until_listening(*address, PATIENCE)?;
            }
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.running.clear();
        // What is left is removed at the next start.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// etcd, which is installed.
pub struct Etcd {
    /// With its version.
    pub name: String,
    program: PathBuf,
    client: PathBuf,
}

/// Three members of etcd.
pub struct Members {
    servers: Servers,
    etcd: Etcd,
    clients: Vec<SocketAddr>,
    peers: Vec<SocketAddr>,
}

impl Etcd {
    /// The one that `ETCD` names, or that is on the path.
    ///
    /// # Errors
    /// It is not installed, or its load client is not built.
    pub fn find() -> Outcome<Self> {
        let client = client("etcd-load")?;
        let (program, version) = program("ETCD", "etcd")?;
        Ok(Self {
            name: format!("etcd {version}"),
            program,
            client,
        })
    }

    /// Starts three members, with the settings that etcd has by default.
    ///
    /// # Errors
    /// They do not start.
    pub fn start(&self) -> Outcome<Members> {
        let addresses = free_addresses(NAMES.len() * 2)?;
        let (clients, peers) = addresses.split_at(NAMES.len());
        let mut members = Members {
            servers: Servers::new()?,
            etcd: Self {
                name: self.name.clone(),
                program: self.program.clone(),
                client: self.client.clone(),
            },
            clients: clients.to_vec(),
            peers: peers.to_vec(),
        };
        for place in 0..NAMES.len() {
            let member = members.member(place, "new")?;
            members.servers.running.push(Some(member));
        }
        members.servers.until_listening(clients)?;
        members.leader()?;
        Ok(members)
    }
}

impl Members {
    fn member(&self, place: usize, state: &str) -> Outcome<Owned> {
        let all: Vec<String> = NAMES
            .iter()
            .zip(&self.peers)
            .map(|(name, peer)| format!("{name}=http://{peer}"))
            .collect();
        let (client, peer) = (url(self.clients[place]), url(self.peers[place]));
        let mut command = Command::new(&self.etcd.program);
        command
            .args(["--name", NAMES[place], "--data-dir"])
            .arg(self.servers.folder.join(NAMES[place]))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &all.join(",")])
            .args(["--initial-cluster-state", state])
            .args(["--logger", "zap", "--log-level", "error"]);
        Servers::spawn(&mut command)
    }

    /// The place of the member that leads.
    ///
    /// # Errors
    /// None does.
    pub fn leader(&self) -> Outcome<usize> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            for (place, address) in self.clients.iter().enumerate() {
                if self.servers.running[place].is_some() && leads(*address) {
                    return Ok(place);
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("etcd has no leader".into())
    }

    /// Kills the member that leads; which it was.
    ///
    /// # Errors
    /// There is none.
    pub fn kill_leader(&mut self) -> Outcome<usize> {
        let leader = self.leader()?;
        self.servers.running[leader] = None;
        Ok(leader)
    }

    /// Starts a member again that was killed.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self, place: usize) -> Outcome {
        self.servers.running[place] = Some(self.member(place, "existing")?);
        let addresses = self.clients.clone();
        self.servers.until_listening(&addresses)
    }

    /// All members, the leader first, as the load client wants them.
    ///
    /// # Errors
    /// There is no leader.
    pub fn all(&self) -> Outcome<String> {
        let leader = self.leader()?;
        let others = (0..NAMES.len()).filter(|place| *place != leader);
        let urls: Vec<String> = std::iter::once(leader)
            .chain(others)
            .map(|place| url(self.clients[place]))
            .collect();
        Ok(urls.join(","))
    }
}

impl Peer for Members {
    fn client(&self) -> &Path {
        &self.etcd.client
    }

    fn target(&self) -> Outcome<String> {
        Ok(url(self.clients[self.leader()?]))
    }

    fn pids(&self) -> Vec<u32> {
        self.servers.pids()
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Whether a member of etcd says that it leads.
fn leads(client: SocketAddr) -> bool {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").args([
        "--endpoints",
        &url(client),
        "endpoint",
        "status",
        "-w",
        "json",
    ]);
    let Ok(output) = command.output() else {
        return false;
    };
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let status = &said[0]["Status"];
    status["leader"].is_u64() && status["leader"] == status["header"]["member_id"]
}

/// NATS JetStream, which is installed.
pub struct JetStream {
    /// With its version and how it syncs.
    pub name: String,
    program: PathBuf,
    client: PathBuf,
    is_synced: bool,
}

/// Three servers of NATS.
pub struct StreamServers {
    servers: Servers,
    client: PathBuf,
    clients: Vec<SocketAddr>,
}

impl JetStream {
    /// The one that `NATS_SERVER` names, or that is on the path.
    ///
    /// # Errors
    /// It is not installed, its load client is not built, or it cannot sync.
    pub fn find(is_synced: bool) -> Outcome<Self> {
        let client = client("nats-load")?;
        let (program, version) = program("NATS_SERVER", "nats-server")?;
        if is_synced && version.starts_with("2.9") {
            return Err(format!("nats-server {version} does not know sync_interval").into());
        }
        let how = if is_synced { "synced" } else { "not synced" };
        Ok(Self {
            name: format!("JetStream {version}, {how}"),
            program,
            client,
            is_synced,
        })
    }

    /// Starts three servers.
    ///
    /// # Errors
    /// They do not start.
    pub fn start(&self) -> Outcome<StreamServers> {
        let addresses = free_addresses(NAMES.len() * 2)?;
        let (clients, routes) = addresses.split_at(NAMES.len());
        let all: Vec<String> = routes
            .iter()
            .map(|route| format!("\"nats://{route}\""))
            .collect();
        let mut servers = Servers::new()?;
        for (place, name) in NAMES.iter().enumerate() {
            let sync = if self.is_synced {
                "sync_interval: always"
            } else {
                ""
            };
            let text = format!(
                "server_name: {name}\nlisten: \"{}\"\njetstream {{\nstore_dir: {:?}\n{sync}\n}}\ncluster {{ name: peers, listen: \"{}\", routes: [{}] }}\n",
                clients[place],
                servers.folder.join(name),
                routes[place],
                all.join(", ")
            );
            let file = servers.folder.join(format!("{name}.conf"));
            std::fs::write(&file, text)?;
            let mut command = Command::new(&self.program);
            let server = Servers::spawn(command.arg("-c").arg(&file))?;
            servers.running.push(Some(server));
        }
        servers.until_listening(clients)?;
        std::thread::sleep(SETTLE);
        Ok(StreamServers {
            servers,
            client: self.client.clone(),
            clients: clients.to_vec(),
        })
    }
}

impl Peer for StreamServers {
    fn client(&self) -> &Path {
        &self.client
    }

    fn target(&self) -> Outcome<String> {
        let urls: Vec<String> = self
            .clients
            .iter()
            .map(|client| format!("nats://{client}"))
            .collect();
        Ok(urls.join(","))
    }

    fn pids(&self) -> Vec<u32> {
        self.servers.pids()
    }
}
