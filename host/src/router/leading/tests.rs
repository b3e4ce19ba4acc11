//! Where commands go, and a router on a host whose replica does what the test says; the other hosts cannot be reached.

use super::*;
use crate::certificates::{Credentials, DAYS_DEFAULT, Registrar};
use crate::chaos::Chaos;
use crate::component::Loaded;
use crate::config::{Config, HostName};
use crate::dispatch::{Dispatch, FunctionName, ServiceId};
use crate::engine::{self, Room};
use crate::groups::handle::{Command, Ends, Request};
use crate::groups::journal::Fatal;
use crate::linker::{Exporters, ServiceLinker};
use crate::os::{Os, task};
use crate::scratch::Scratch;
use crate::service::Service;
use crate::services::{ServiceTypes, Services, State};
use crate::telemetry::{Figures, Log, ServiceLog};
use crate::transport::outgoing::Outgoing;
use crate::transport::peers::Peers;
use crate::transport::wire::Wire;
use crate::version::Version;
use std::path::Path;
use tokio::sync::watch;
use wasmtime::component::Component;

const OWN: usize = 0;
const BETA: usize = 1;
const GAMMA: usize = 2;

#[track_caller]
fn check(serves_here: bool, leader: Option<usize>, asked: &[usize], expected: Target) {
    let chosen = choose(OWN, serves_here, || leader, Vec::new, asked);
    assert_eq!(chosen, expected);
}

#[test]
fn a_command_goes_to_the_leader_and_waits_where_there_is_none() {
    check(true, Some(OWN), &[], Target::Here);
    check(true, None, &[], Target::Here);
    check(false, Some(GAMMA), &[], Target::Peer(GAMMA));
    check(false, None, &[], Target::Nobody);
}

#[test]
fn nobody_is_asked_twice_without_a_pause() {
    check(true, None, &[OWN], Target::Nobody);
    check(true, Some(BETA), &[OWN], Target::Peer(BETA));
    check(false, Some(BETA), &[BETA], Target::Nobody);
    check(false, Some(GAMMA), &[BETA], Target::Peer(GAMMA));
    check(false, Some(BETA), &[BETA, GAMMA], Target::Nobody);
}

#[test]
fn where_there_is_no_replica_any_host_that_has_one_may_know() {
    let choose =
        |leader, asked: &[usize]| choose(OWN, false, || leader, || vec![GAMMA, BETA], asked);
    assert_eq!(choose(Some(BETA), &[]), Target::Peer(BETA));
    assert_eq!(choose(None, &[]), Target::Peer(GAMMA));
    assert_eq!(choose(None, &[GAMMA]), Target::Peer(BETA));
    assert_eq!(choose(None, &[GAMMA, BETA]), Target::Nobody);
}

/// A service whose function takes a number; the group of its replica here is the test's.
struct Scene {
    router: Arc<Router>,
    standing: watch::Sender<Standing>,
    requests: tokio::sync::mpsc::Receiver<Request>,
    readers: crate::groups::readers::Readers,
    os: Os,
}

const FILE: &str = r#"
[cluster]
name = "shop"
[[host]]
name = "alpha"
http = "127.0.0.1:0"
peer = "127.0.0.1:0"
api = "127.0.0.1:0"
admin = "127.0.0.1:0"
[[host]]
name = "beta"
http = "127.0.0.1:0"
peer = "127.0.0.1:1"
api = "127.0.0.1:0"
admin = "127.0.0.1:0"
[[host]]
name = "gamma"
http = "127.0.0.1:0"
peer = "127.0.0.1:2"
api = "127.0.0.1:0"
admin = "127.0.0.1:0"
[service.keeper]
wasm = "keeper.wasm"
replicated = { replicas = 3 }
"#;
const COMPONENT: &str = r#"(component
    (core module $module (func (export "keep") (param i32)))
    (core instance $instance (instantiate $module))
    (func $keep (param "number" u32) (canon lift (core func $instance "keep")))
    (instance $keeper (export "keep" (func $keep)))
    (export "test:keeper/keeper" (instance $keeper)))"#;

fn host(name: &str) -> HostName {
    name.parse().expect("a name")
}

fn standing(term: u64, role: Role, leader: Option<&str>) -> Standing {
    Standing {
        role,
        serves: role == Role::Leader,
        term,
        leader: leader.map(host),
        has_others: true,
    }
}

impl Scene {
    /// `name` is that of the test.
    fn new(name: &str) -> Self {
        let os = Os::real();
        let config = Config::parse(Path::new("test.toml"), FILE).expect("a good file");
        let log = Log::silent("alpha", Arc::clone(&os.clock));
        let peers = Arc::new(Peers::new(&config, &host("alpha"), log.clone(), os.clone()));
        #[allow(
            clippy::disallowed_methods,
            reason = "a test has no data folder to put this into"
        )]
        let folder = std::env::temp_dir().join(format!(
            "bookshop-leading-{name}-{}",
            crate::os::process::id()
        ));
        Registrar::create(&folder, &config.cluster.name, &os)
            .and_then(|registrar| registrar.init(&[host("alpha")], DAYS_DEFAULT))
            .expect("certificates");
        let credentials = Credentials::load(&folder, &config.cluster.name, &host("alpha"), &os);
        let credentials = credentials.expect("just made");
        #[allow(
            clippy::disallowed_methods,
            reason = "what was made above is of no more use"
        )]
        std::fs::remove_dir_all(&folder).expect("it is there");
        let chaos = Chaos::new(&config, &host("alpha"), log.clone(), os.clone());
        let wire = Wire::new(Arc::clone(&peers), credentials, chaos, os.clone());
        let outgoing = Outgoing::new(peers, Arc::new(wire), os.clone());
        let (checkpoints, _) = tokio::sync::mpsc::channel(1);
        let (group, ends) = GroupHandle::new("keeper", 3, checkpoints, Fatal::default());
        let Ends {
            requests,
            readers,
            standing,
            ..
        } = ends;
        let slot = slot(&config, group, &log, &os);
        let services = Arc::new(Services::new(vec![slot]));
        Self {
            router: Arc::new(Router::new(services, outgoing, os.clone())),
            standing,
            requests,
            readers,
            os,
        }
    }

    fn run(name: &str, test: impl AsyncFnOnce(&mut Self)) {
        let runtime = task::runtime().expect("a runtime");
        runtime.block_on(async { test(&mut Self::new(name)).await });
    }

    /// Calls `keep` with 7.
    fn call(&self, within: Duration, reach: Reach, key: Option<&str>) -> crate::dispatch::Answer {
        let deadline = self.os.clock.monotonic() + within;
        let mut envelope = Envelope::enter(self.os.entropy.as_ref(), &"test".into(), deadline, 4);
        envelope.idempotency_key = key.map(Into::into);
        Arc::clone(&self.router).dispatch(Invocation {
            service: ServiceId(0),
            function: Arc::new(FunctionName {
                interface: "test:keeper/keeper".into(),
                function: "keep".into(),
            }),
            types: None,
            arguments: Payload::Values(vec![Val::U32(7)]),
            envelope,
            reach,
        })
    }

    /// The next command that reaches the replica here.
    async fn command(&mut self) -> Command {
        match self.requests.recv().await {
            Some(Request::Command(command)) => command,
            Some(_) | None => panic!("it is a command"),
        }
    }
}

fn slot(config: &Config, group: GroupHandle, log: &Log, os: &Os) -> Slot {
    let service = config.service("keeper").expect("it is there").clone();
    let room = Room {
        calls: 1,
        memory_bytes: 1 << 20,
    };
    let (engine, _) = engine::runtime(room).expect("an engine");
    let bytes = wat::parse_str(COMPONENT).expect("a component's text");
    let loaded = Loaded {
        digest: String::new(),
        bytes: bytes.len(),
        component: Component::new(&engine, bytes).expect("a component"),
    };
    let functions = loaded.exports(&engine);
    let linker = ServiceLinker::new(&engine).expect("a linker");
    let pre = linker
        .link(&service, &loaded, &Exporters::new())
        .expect("it imports nothing");
    let name: Arc<str> = "keeper".into();
    let service = Arc::new(Service {
        id: ServiceId(0),
        log: ServiceLog::new(log.clone(), Arc::clone(&name), u32::MAX),
        name,
        scratch: Scratch::new(service.limits.scratch_bytes),
        config: service,
        figures: Figures::default(),
        storage: None,
        published: Some(group.published().clone()),
        os: os.clone(),
    });
    let slot = Slot::new(Arc::clone(&service), State::Starting, Some(group));
    slot.set_types(ServiceTypes::new("keeper", functions.clone()));
    let version = Version::new(service, String::new(), 1, pre, &functions);
    slot.set(State::Running(Arc::new(version)));
    slot
}

const SOON: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(60);

fn unavailable(maybe_executed: bool) -> CallError {
    CallError::Unavailable {
        service: "keeper".into(),
        message: "the lead was lost".into(),
        maybe_executed,
    }
}

#[track_caller]
fn was_maybe_executed(answer: Result<Payload, CallError>) -> bool {
    match answer {
        Err(CallError::Unavailable { maybe_executed, .. }) => maybe_executed,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was executed"),
    }
}

#[test]
fn without_a_leader_a_command_ends_at_its_deadline_and_was_not_executed() {
    Scene::run("leaderless", async |scene| {
        assert!(!was_maybe_executed(
            scene.call(SOON, Reach::Cluster, None).await
        ));
        // One that is known, and cannot be reached.
        scene
            .standing
            .send_replace(standing(4, Role::Follower, Some("beta")));
        assert!(!was_maybe_executed(
            scene.call(SOON, Reach::Cluster, None).await
        ));
    });
}

#[test]
fn a_command_goes_on_as_soon_as_there_is_a_leader_again() {
    Scene::run("elected", async |scene| {
        let calling = task::spawn(scene.call(LONG, Reach::Cluster, None));
        scene
            .standing
            .send_replace(standing(1, Role::Leader, Some("alpha")));
        let command = scene.command().await;
        // Nothing was executed, and somebody else leads who is not there.
        scene
            .standing
            .send_replace(standing(2, Role::Follower, Some("beta")));
        let redirected = CallError::Redirected { to: "beta".into() };
        command.reply.send(Err(redirected)).expect("somebody waits");
        task::yield_now().await;
        scene
            .standing
            .send_replace(standing(3, Role::Leader, Some("alpha")));
        let command = scene.command().await;
        assert_eq!(command.arguments, [Val::U32(7)]);
        command.reply.send(Ok(Vec::new())).expect("somebody waits");
        let answer = calling.await.expect("no panic");
        assert!(matches!(answer, Ok(Payload::Values(values)) if values.is_empty()));
    });
}

#[test]
fn what_may_have_been_executed_is_made_again_only_with_a_key() {
    Scene::run("unsure", async |scene| {
        scene
            .standing
            .send_replace(standing(1, Role::Leader, Some("alpha")));
        let calling = task::spawn(scene.call(LONG, Reach::Cluster, None));
        let command = scene.command().await;
        command
            .reply
            .send(Err(unavailable(true)))
            .expect("somebody waits");
        assert!(was_maybe_executed(calling.await.expect("no panic")));

        let calling = task::spawn(scene.call(LONG, Reach::Cluster, Some("key")));
        let command = scene.command().await;
        command
            .reply
            .send(Err(unavailable(true)))
            .expect("somebody waits");
        let command = scene.command().await;
        assert_eq!(command.envelope.idempotency_key.as_deref(), Some("key"));
        command.reply.send(Ok(Vec::new())).expect("somebody waits");
        assert!(calling.await.expect("no panic").is_ok());

        // The last word is that it may have been, even if nobody was there afterwards.
        let calling = task::spawn(scene.call(SOON, Reach::Cluster, Some("key")));
        let command = scene.command().await;
        scene
            .standing
            .send_replace(standing(2, Role::Candidate, None));
        command
            .reply
            .send(Err(unavailable(true)))
            .expect("somebody waits");
        assert!(was_maybe_executed(calling.await.expect("no panic")));
    });
}

#[test]
fn what_a_leader_refuses_is_refused() {
    Scene::run("refused", async |scene| {
        scene
            .standing
            .send_replace(standing(1, Role::Leader, Some("alpha")));
        let calling = task::spawn(scene.call(LONG, Reach::Cluster, Some("key")));
        let command = scene.command().await;
        command
            .reply
            .send(Err(unavailable(false)))
            .expect("somebody waits");
        assert!(!was_maybe_executed(calling.await.expect("no panic")));
    });
}

#[test]
fn a_host_that_does_not_lead_says_who_does_and_one_that_will_soon_waits() {
    Scene::run("here", async |scene| {
        assert!(!was_maybe_executed(
            scene.call(LONG, Reach::Here, None).await
        ));
        scene
            .standing
            .send_replace(standing(4, Role::Follower, Some("beta")));
        let answer = scene.call(LONG, Reach::Here, None).await;
        let redirected = CallError::Redirected { to: "beta".into() };
        assert_eq!(answer.err(), Some(redirected));
        let elected = Standing {
            serves: false,
            ..standing(5, Role::Leader, Some("alpha"))
        };
        scene.standing.send_replace(elected);
        let calling = task::spawn(scene.call(LONG, Reach::Here, None));
        task::yield_now().await;
        scene
            .standing
            .send_replace(standing(5, Role::Leader, Some("alpha")));
        let command = scene.command().await;
        command.reply.send(Ok(Vec::new())).expect("somebody waits");
        assert!(calling.await.expect("no panic").is_ok());
    });
}

#[test]
fn a_query_waits_for_a_leaders_word_at_most_until_its_deadline() {
    Scene::run("read", async |scene| {
        let services = Arc::clone(&scene.router.services);
        let slot = services.get(ServiceId(0)).expect("it is there");
        let group = slot.group.as_ref().expect("it has one");
        let deadline = scene.os.clock.monotonic() + SOON;
        let envelope = Envelope::enter(scene.os.entropy.as_ref(), &"test".into(), deadline, 4);
        let read = scene.router.read(slot, group, &envelope).await;
        assert!(matches!(
            read,
            Err(CallError::Unavailable {
                maybe_executed: false,
                ..
            })
        ));
        assert_eq!(scene.readers.take().len(), 1);
    });
}
