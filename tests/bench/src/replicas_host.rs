//! Three hosts with replicated services, which of them leads, and what breaks them.

use crate::cluster::Cluster;
use crate::cluster_file::{Addresses, ClusterFile, Draft};
use crate::shop_client::ShopClient;
use crate::{Outcome, paths};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The hosts. Their folders are emptied before each start, so they have names that no other measurement uses.
const HOSTS: [&str; 3] = ["first", "second", "third"];
/// Longest wait for a leader, or for a host that was killed.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(20);
/// The services, with the functions of each that only read.
const SERVICES: [(&str, &str); 2] = [
    ("database", "bookshop:shop/database.get"),
    ("order-queue", "bookshop:shop/order-queue.depth"),
];

/// The cluster file: database and order queue on all hosts, each with fresh and with pooled instances, as for one host.
///
/// # Errors
/// A component is not built.
pub fn file() -> Outcome<ClusterFile> {
    draft()?.write()
}

/// The same, where components can be swapped.
///
/// # Errors
/// A component is not built.
pub fn controlled_file(swapped: &str) -> Outcome<ClusterFile> {
    draft()?.controlled(swapped)?.write()
}

fn draft() -> Outcome<Draft> {
    let mut text = "[cluster]\nname = \"replicas\"\n\n[chaos]\nenabled = true\n".to_owned();
    for host in HOSTS {
        text += &format!("\n[[host]]\nname = {host:?}\n");
    }
    for (name, query) in SERVICES {
        let wasm = paths::guest(name)?;
        for (suffix, instance) in [("", "per-call"), ("-pooled", "pooled")] {
            text += &format!(
                "\n[service.{name}{suffix}]\nwasm = {wasm:?}\ninstance = {instance:?}\nreplicated = {{ replicas = {}, queries = [{query:?}] }}\nlimits = {{ memory = \"16MiB\", storage = \"1GiB\", arguments = \"64MiB\" }}\n",
                HOSTS.len()
            );
        }
    }
    Draft::of(&text)
}

/// Where one of the hosts keeps its log: the disk that floors are taken on.
///
/// # Errors
/// See [`paths::target`].
pub fn folder() -> Outcome<PathBuf> {
    Ok(paths::data()?.join(HOSTS[0]))
}

/// Forgets everything that the hosts keep. They must not run.
///
/// # Errors
/// Files cannot be removed.
pub fn forget() -> Outcome {
    for host in HOSTS {
        let folder = paths::data()?.join(host);
        for part in ["log", "state", "components"] {
            let part = folder.join(part);
            if part.exists() {
                std::fs::remove_dir_all(part)?;
            }
        }
        let taken = folder.join("taken.json");
        if taken.exists() {
            std::fs::remove_file(taken)?;
        }
    }
    Ok(())
}

/// Three running hosts.
pub struct Hosts {
    cluster: Cluster,
    client: ShopClient,
}

/// A group as its hosts see it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The place of the host that leads.
    pub leader: usize,
    /// The newest term: how many elections there were, at least.
    pub term: u64,
}

impl Hosts {
    /// Starts them with nothing in them, and waits until every group has a leader and all its replicas.
    ///
    /// # Errors
    /// They do not come up.
    pub fn start(program: &Path, file: &ClusterFile) -> Outcome<Self> {
        forget()?;
        let mut cluster = Cluster::start(program, file)?;
        cluster.until_running(PATIENCE)?;
        let client = ShopClient::new()?;
        let hosts = Self { cluster, client };
        for (name, _) in SERVICES {
            for suffix in ["", "-pooled"] {
                hosts.settled(&format!("{name}{suffix}"))?;
            }
        }
        Ok(hosts)
    }

    /// The hosts, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[Addresses] {
        &self.cluster.hosts
    }

    /// Their processes, in their order.
    ///
    /// # Errors
    /// One does not answer.
    pub fn pids(&self) -> Outcome<Vec<u32>> {
        self.cluster.host_pids()
    }

    /// Tries again and again until `attempt` succeeds.
    ///
    /// # Errors
    /// As of [`Cluster::until`], after [`PATIENCE`].
    pub fn until(&mut self, attempt: impl FnMut() -> Outcome) -> Outcome {
        self.cluster.until(PATIENCE, attempt)
    }

    /// Waits until all replicas of a service are there and agree who leads.
    ///
    /// # Errors
    /// They do not within [`PATIENCE`].
    pub fn settled(&self, service: &str) -> Outcome<Seen> {
        let end = Instant::now() + PATIENCE;
        loop {
            let error = match self.seen(service) {
                Ok(seen) => return Ok(seen),
                Err(error) => error,
            };
            if Instant::now() >= end {
                return Err(format!("{service} does not settle: {error}").into());
            }
            std::thread::sleep(POLL);
        }
    }

    /// How a service's group is now.
    ///
    /// # Errors
    /// A replica is missing, or nobody leads.
    pub fn seen(&self, service: &str) -> Outcome<Seen> {
        let mut seen = None;
        for host in self.addresses() {
            let status = self.client.status(host.admin)?;
            let groups = status["groups"].as_array().into_iter().flatten();
            let group = groups
                .filter(|group| group["service"] == service)
                .find_map(|group| self.group(group))
                .ok_or_else(|| {
                    format!("{service} as {} sees it: {}", host.name, status["groups"])
                })?;
            seen = Some(group);
        }
        seen.ok_or_else(|| "there are no hosts".into())
    }

    fn group(&self, group: &Value) -> Option<Seen> {
        let replicas = group["replicas"].as_array()?;
        let roles = || {
            replicas
                .iter()
                .filter_map(|replica| replica["role"].as_str())
        };
        let is_whole = roles().filter(|role| *role == "leader").count() == 1
            && roles().filter(|role| *role == "follower").count() == HOSTS.len() - 1;
        let leader = group["leader"].as_str().filter(|_| is_whole)?;
        Some(Seen {
            leader: HOSTS.iter().position(|host| *host == leader)?,
            term: group["term"].as_u64()?,
        })
    }

    /// Kills a host, as a failure would. It is started again by itself.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&self, place: usize) -> Outcome {
        let pid = *self.pids()?.get(place).ok_or("there is no such host")?;
        crate::child::kill(pid)
    }

    /// Lets everything vanish that these pairs of hosts say to each other, and sends no word of it.
    ///
    /// # Errors
    /// A host refuses.
    pub fn cut(&self, pairs: &[(usize, usize)]) -> Outcome {
        let links: Vec<Value> = pairs
            .iter()
            .flat_map(|(one, other)| [(one, other), (other, one)])
            .map(|(from, to)| json!({ "from": HOSTS[*from], "to": HOSTS[*to] }))
            .collect();
        let injection = json!({ "links": links, "drop_percent": 100.0 });
        self.client
            .admin(self.addresses()[0].admin, "/v1/chaos", &injection)
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// A host refuses.
    pub fn heal(&self) -> Outcome {
        self.client
            .admin(self.addresses()[0].admin, "/v1/chaos/heal", &json!({}))
    }

    /// Stops them, and forgets what they kept.
    ///
    /// # Errors
    /// They do not stop.
    pub fn stop(self) -> Outcome {
        self.cluster.stop()?;
        forget()
    }
}
