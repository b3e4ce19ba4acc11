//! What hosts with replicas of the same services tell one another before these replicas can talk: who exists already, and which number a new one gets.

use super::handle::Request;
use crate::config::HostName;
use crate::os::Os;
use crate::os::clock::sleep;
use crate::replica::identity::{Birth, Identity};
use crate::replica::network::{Answering, HelloSource, ReplicaRequests};
use crate::replica::roster::Roster;
use crate::replica::standing::Standing;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How often other hosts are asked what they know: one small question a host.
const ROUND: Duration = Duration::from_secs(1);
/// Hashes that a host tells: those of some seconds under load, in an answer of bounded length.
const HASHES_MAX: usize = 4;

/// What a host says of its replica of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How far it is with coming into being; none if it has nothing at all.
    pub birth: Option<Born>,
    /// The hosts that it means to begin the group with, or that are in it.
    pub hosts: Vec<String>,
    /// The host that leads, as far as it knows.
    pub leader: Option<String>,
    /// The number of its replica; 0 if it has none.
    #[serde(default)]
    pub id: u64,
    /// The numbers of the members that it knows, those that vote first, with their hosts; none if it takes no part.
    #[serde(default)]
    pub members: BTreeMap<u64, String>,
    /// The number of the next member.
    #[serde(default)]
    pub next_id: u64,
    /// Of some entries the hash of the state, the first half, in hexadecimal.
    #[serde(default)]
    pub hashes: BTreeMap<u64, String>,
}

impl Told {
    /// Whether what it says shows that `id` was a member, and is none any more: its word is of what is committed, and no number is used twice.
    #[must_use]
    pub fn has_lost(&self, id: u64) -> bool {
        self.birth == Some(Born::Started)
            && !self.members.is_empty()
            && id < self.next_id
            && !self.members.contains_key(&id)
    }
}

/// See [`Birth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Born {
    /// It exists, and waits for all others.
    Prepared,
    /// It takes part.
    Started,
    /// It took part and does no more.
    Removed,
}

impl From<Birth> for Born {
    fn from(birth: Birth) -> Self {
        match birth {
            Birth::Prepared => Self::Prepared,
            Birth::Started => Self::Started,
            Birth::Removed | Birth::Void => Self::Removed,
        }
    }
}

/// What one host asks another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// What it knows of its replicas.
    Hello,
    /// To be a member of a service's group: the host has no replica of it, or none any more.
    Join(String),
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Question::Hello`]: by service.
    Known(BTreeMap<String, Told>),
    /// To [`Question::Join`]: the number of the new replica, or why there is none.
    Joined(Result<u64, String>),
}

/// What this host tells others, and where their questions go. Clones share it.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Default)]
struct Entry {
    told: Told,
    requests: Option<mpsc::WeakSender<Request>>,
}

impl Registry {
    /// A service whose replica is asked by `requests`.
    pub fn add(&self, service: &str, requests: mpsc::WeakSender<Request>) {
        self.with(service, |entry| entry.requests = Some(requests));
    }

    /// How far a replica is.
    pub fn is_born(&self, service: &str, identity: &Identity) {
        self.with(service, |entry| {
            entry.told = Told {
                birth: Some(identity.birth.into()),
                hosts: names(&identity.first),
                id: identity.id,
                ..Told::default()
            };
        });
    }

    /// Who its members are.
    pub fn has_members(&self, service: &str, roster: &Roster) {
        self.with(service, |entry| {
            let members = roster.hosts.iter();
            entry.told.members = members.map(|(id, host)| (*id, host.to_string())).collect();
            entry.told.next_id = roster.next_id;
            entry.told.hosts = names(roster);
        });
    }

    /// What its state was as of an entry.
    pub fn has_hash(&self, service: &str, index: u64, hash: &str) {
        self.with(service, |entry| {
            entry.told.hashes.insert(index, hash.to_owned());
            while entry.told.hashes.len() > HASHES_MAX {
                entry.told.hashes.pop_first();
            }
        });
    }

    /// Whoever is interested in what other hosts say of a service.
    fn interested(&self, service: &str) -> Option<mpsc::Sender<Request>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(service)?.requests.as_ref()?.upgrade()
    }

    /// Its part in its group.
    pub fn stand(&self, service: &str, roster: &Roster, standing: &Standing) {
        self.with(service, |entry| {
            entry.told.hosts = names(roster);
            entry.told.leader = standing.leader.as_ref().map(ToString::to_string);
        });
    }

    fn with(&self, service: &str, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(entries.entry(service.to_owned()).or_default());
    }

    fn known(&self) -> BTreeMap<String, Told> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = entries.iter();
        told.map(|(service, entry)| (service.clone(), entry.told.clone()))
            .collect()
    }

    async fn join(&self, host: HostName, service: &str) -> Result<u64, String> {
        let nothing = || format!("there is no replica of {service} here");
        let requests = self.interested(service).ok_or_else(nothing)?;
        let (reply, joined) = oneshot::channel();
        let asked = requests.send(Request::Join(host, reply)).await;
        asked.map_err(|_| nothing())?;
        joined.await.unwrap_or_else(|_| Err(nothing()))
    }

    async fn answer(&self, from: HostName, question: Bytes) -> Bytes {
        let reply = match serde_json::from_slice(&question) {
            Ok(Question::Join(service)) => Reply::Joined(self.join(from, &service).await),
            // A question of a newer host is answered as well as this one can.
            Ok(Question::Hello) | Err(_) => Reply::Known(self.known()),
        };
        serde_json::to_vec(&reply).unwrap_or_default().into()
    }
}

impl HelloSource for Registry {
    fn hello(&self, from: HostName, question: Bytes) -> Answering<'_> {
        Box::pin(self.answer(from, question))
    }
}

/// Asks the other hosts from time to time what they know, and tells the replicas here. Ends when it is dropped.
pub async fn run(
    registry: Registry,
    others: Vec<HostName>,
    asking: Arc<dyn ReplicaRequests>,
    os: Os,
) {
    let Ok(question) = serde_json::to_vec(&Question::Hello) else {
        return;
    };
    let question = Bytes::from(question);
    loop {
        for other in &others {
            let Ok(answer) = asking.hello(other, question.clone()).await else {
                continue;
            };
            let Ok(Reply::Known(known)) = serde_json::from_slice(&answer) else {
                continue;
            };
            for (service, told) in known {
                if let Some(requests) = registry.interested(&service) {
                    // It may have ended.
                    let _ = requests.send(Request::Heard(other.clone(), told)).await;
                }
            }
        }
        sleep(os.clock.as_ref(), ROUND).await;
    }
}

fn names(roster: &Roster) -> Vec<String> {
    roster.hosts.values().map(ToString::to_string).collect()
}
