//! Hosts of one cluster file, as far as replicas need them, each with a socket of its own.

use super::*;
use crate::certificates::{Identity, Registrar, prepare};
use crate::dispatch::{Answer, Dispatch, FunctionName, Invocation};
use crate::services::Services;
use crate::transport::incoming;
use crate::transport::probe::Introducer;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Nothing here takes longer, even on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(20);
/// For what may come or not.
const SOON: Duration = Duration::from_millis(20);

/// A name.
pub fn host(name: &str) -> HostName {
    name.parse().expect("a name")
}

/// A file with three hosts and a service whose state lasts.
pub fn config(name: &str) -> Config {
    let hosts: String = ["alpha", "beta", "gamma"]
        .iter()
        .enumerate()
        .map(|(index, name)| {
            format!(
                "[[host]]\nname = \"{name}\"\nhttp = \"127.0.0.1:801{index}\"\npeer = \"127.0.0.1:711{index}\"\napi = \"127.0.0.1:721{index}\"\nadmin = \"127.0.0.1:911{index}\"\n"
            )
        })
        .collect();
    let text = format!(
        "[cluster]\nname = \"test\"\ndata = \"{}\"\n{hosts}[chaos]\nenabled = true\n[service.orders]\nwasm = \"orders.wasm\"\nhosts = [\"alpha\"]\nreplicated = {{ replicas = 1 }}\n",
        folder(name).display()
    );
    Config::parse(Path::new("config/cluster.toml"), &text).expect("a good file")
}

fn folder(name: &str) -> PathBuf {
    #[allow(
        clippy::disallowed_methods,
        reason = "a test has no data folder to put this into"
    )]
    let folder = std::env::temp_dir();
    folder.join(format!(
        "bookshop-replicas-{name}-{}",
        crate::os::process::id()
    ))
}

/// A cluster with certificates.
pub struct Scene {
    pub config: Arc<Config>,
    pub os: Os,
}

impl Scene {
    /// `name` is that of the test.
    pub fn new(name: &str) -> Self {
        let (config, os) = (config(name), Os::real());
        prepare(&config, &os).expect("the folder can be written");
        Self {
            config: Arc::new(config),
            os,
        }
    }

    /// A host that listens.
    pub async fn node(&self, name: &str) -> Node {
        self.node_at(name, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
    }

    /// A host that listens there.
    pub async fn node_at(&self, name: &str, address: SocketAddr) -> Node {
        let os = &self.os;
        let log = Log::new(name, Arc::clone(&os.clock));
        let name = host(name);
        let peers = Arc::new(Peers::new(&self.config, &name, log.clone(), os.clone()));
        let credentials = self.credentials(&name);
        let chaos = Chaos::new(&self.config, &name, log.clone(), os.clone());
        let wire = Arc::new(Wire::new(
            Arc::clone(&peers),
            credentials.clone(),
            chaos.clone(),
            os.clone(),
        ));
        let listener = os.network.listen(address).expect("the address is free");
        let address = listener.local_addr().expect("it listens");
        let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let accepting = task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let stream = stream.into_std().expect("it is not used yet");
                sender.send(stream).await.expect("somebody takes it");
            }
        });
        let (incoming, arrived) = mpsc::unbounded_channel();
        let parts = Parts {
            partners: peers
                .indexes()
                .map(|index| peers.get(index).name.clone())
                .collect(),
            peers: Arc::clone(&peers),
            wire,
            accepted,
            cluster: self.config.cluster.name.clone(),
            credentials: credentials.clone(),
            chaos: chaos.clone(),
            refusals: Arc::new(Refusals::new(log.clone())),
            log: log.clone(),
            os: os.clone(),
        };
        let receive = move |came| {
            // The test is at its end otherwise.
            let _ = incoming.send(came);
        };
        Node {
            replicas: Replicas::start(parts, Box::new(receive)),
            address,
            peers,
            chaos,
            credentials,
            log,
            arrived,
            connections,
            clock: Arc::clone(&os.clock),
            _accepting: accepting,
        }
    }

    /// Alpha and beta, connected.
    pub async fn pair(&self) -> (Node, Node) {
        let (mut alpha, mut beta) = (self.node("alpha").await, self.node("beta").await);
        alpha.knows("beta", beta.address);
        beta.knows("alpha", alpha.address);
        for (node, other) in [(&mut alpha, "beta"), (&mut beta, "alpha")] {
            assert_eq!(node.next().await, Incoming::Connected(host(other)));
            assert!(node.is_connected(other));
        }
        alpha.warm(&mut beta, "beta").await;
        beta.warm(&mut alpha, "alpha").await;
        (alpha, beta)
    }

    /// A host's connections for calls, and nothing else.
    pub async fn serve(&self, name: &str, replicas: Option<Sources>) -> (SocketAddr, Task<()>) {
        let os = self.os.clone();
        let log = Log::new(name, Arc::clone(&os.clock));
        let name = host(name);
        let listener = os.network.listen(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = listener.expect("some port is free");
        let address = listener.local_addr().expect("it listens");
        let services = Arc::new(Services::new(Vec::new()));
        let (stop, stopped) = watch::channel(false);
        let incoming = Arc::new(incoming::Incoming {
            services: Arc::clone(&services),
            dispatch: Arc::new(Nowhere),
            handle: Arc::new(FunctionName {
                interface: String::new(),
                function: String::new(),
            }),
            peers: Arc::new(Peers::new(&self.config, &name, log.clone(), os.clone())),
            credentials: self.credentials(&name),
            chaos: Chaos::new(&self.config, &name, log.clone(), os.clone()),
            introducer: Arc::new(Introducer {
                host: name.to_string(),
                peer: address,
                services,
                stopped: stopped.clone(),
                os: os.clone(),
            }),
            replicas,
            components: None,
            refusals: Arc::new(Refusals::new(log)),
            os,
        });
        let serving = task::spawn(async move {
            let _stop = stop;
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Arc::clone(&incoming).connection(stream, stopped.clone());
                open.push(task::spawn(connection));
            }
        });
        (address, serving)
    }

    pub fn credentials(&self, name: &HostName) -> Credentials {
        let cluster = &self.config.cluster;
        Credentials::load(
            &cluster.certificates_folder(),
            &cluster.name,
            name,
            &self.os,
        )
        .expect("its certificate was made")
    }

    /// Gives a host another certificate.
    pub fn renew(&self, name: &str) {
        let renewed = self.registrar().renew(&self.identity(name), 1);
        renewed.expect("the authority is here");
    }

    /// Takes the certificate of a host back.
    pub fn revoke(&self, name: &str) {
        let revoked = self.registrar().revoke(&self.identity(name));
        assert!(revoked.expect("the authority is here"));
    }

    fn identity(&self, name: &str) -> Identity {
        Identity::host(&self.config.cluster.name, &host(name))
    }

    fn registrar(&self) -> Registrar {
        let cluster = &self.config.cluster;
        Registrar::open(&cluster.certificates_folder(), &cluster.name, &self.os)
            .expect("the folder is there")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        #[allow(clippy::disallowed_methods, reason = "only this test made it")]
        let _ = std::fs::remove_dir_all(&self.config.cluster.data);
    }
}

/// Runs nothing.
struct Nowhere;

impl Dispatch for Nowhere {
    fn dispatch(self: Arc<Self>, _: Invocation) -> Answer {
        unreachable!("nobody calls in these tests")
    }
}

/// What a host has for its replicas, and what came.
pub struct Node {
    pub replicas: Arc<Replicas>,
    pub address: SocketAddr,
    pub peers: Arc<Peers>,
    pub chaos: Chaos,
    pub credentials: Credentials,
    pub log: Log,
    arrived: mpsc::UnboundedReceiver<Incoming>,
    connections: Arc<AtomicUsize>,
    clock: Arc<dyn crate::os::Clock>,
    _accepting: Task<()>,
}

impl Node {
    /// Where another host is.
    pub fn knows(&self, name: &str, address: SocketAddr) {
        let index = self.peers.find(name).expect("it is in the file");
        self.peers.moved(index, address);
    }

    /// Connections that were made to it so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub fn is_connected(&self, name: &str) -> bool {
        self.replicas.is_connected(&host(name))
    }

    pub fn send(&self, to: &str, lane: ReplicaLane, message: &[u8]) {
        let frame = Frame {
            service: "orders".into(),
            lane,
            body: Bytes::copy_from_slice(message),
        };
        self.replicas.send(&host(to), frame);
    }

    /// Waits until the lane of which nothing is told is there: a message comes through.
    async fn warm(&self, to: &mut Self, name: &str) {
        loop {
            self.send(name, ReplicaLane::Append, b"there");
            if to.soon().await.is_some() {
                break;
            }
        }
        while to.soon().await.is_some() {}
    }

    /// What comes next.
    pub async fn next(&mut self) -> Incoming {
        let next = crate::os::clock::timeout(self.clock.as_ref(), PATIENCE, self.arrived.recv());
        let next = next.await.expect("something comes in time");
        next.expect("the replicas are there")
    }

    /// What comes next, if it comes soon.
    pub async fn soon(&mut self) -> Option<Incoming> {
        let next = crate::os::clock::timeout(self.clock.as_ref(), SOON, self.arrived.recv());
        next.await.ok().flatten()
    }

    /// The next message's body.
    pub async fn body(&mut self) -> Bytes {
        match self.next().await {
            Incoming::Message { service, body, .. } => {
                assert_eq!(&*service, "orders");
                body
            }
            other @ (Incoming::Connected(_) | Incoming::Lost(_)) => panic!("{other:?}"),
        }
    }

    /// The next message: who sent it, and what it is.
    pub async fn message(&mut self) -> (String, Vec<u8>) {
        match self.next().await {
            Incoming::Message { from, body, .. } => (from.to_string(), body.to_vec()),
            other @ (Incoming::Connected(_) | Incoming::Lost(_)) => panic!("{other:?}"),
        }
    }
}
