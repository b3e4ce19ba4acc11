//! How fast the component is: `cargo test --release -p bookshop-host -- --ignored --nocapture consensus::tests::bench`.

use super::{Engines, Instance, boot};
use crate::replica::consensus::Consensus;
use crate::replica::wit::{Action, Event, Message, Proposal, Role};
use std::collections::VecDeque;
use std::time::Instant;

const SECONDS: f64 = 1.0;
const BYTES: usize = 256;

/// Three replicas with disks and a network that take no time.
struct Cluster {
    instances: Vec<Instance>,
    inputs: VecDeque<(usize, Vec<Event>)>,
    committed: u64,
    steps: u64,
}

impl Cluster {
    fn new(count: u64) -> Self {
        let ids: Vec<u64> = (1..=count).collect();
        let mut cluster = Self {
            instances: Vec::new(),
            inputs: VecDeque::new(),
            committed: 0,
            steps: 0,
        };
        for id in &ids {
            let (window, boot) = boot(*id, &ids);
            let (instance, output) = Engines::new().unwrap().start(window, &boot).unwrap();
            cluster.instances.push(instance);
            cluster.carry_out(cluster.instances.len() - 1, output.actions);
        }
        cluster.inputs.push_back((0, vec![Event::Campaign]));
        cluster.settle();
        let status = cluster.instances[0].status().unwrap();
        assert_eq!(status.standing.role, Role::Leader);
        cluster
    }

    fn settle(&mut self) {
        while let Some((at, events)) = self.inputs.pop_front() {
            self.steps += 1;
            let output = self.instances[at].step(1000, &events).unwrap();
            self.carry_out(at, output.actions);
        }
    }

    fn carry_out(&mut self, at: usize, actions: Vec<Action>) {
        let mut own = Vec::new();
        let mut messages: Vec<Vec<Message>> = vec![Vec::new(); 3];
        for action in actions {
            match action {
                Action::Save(save) => {
                    self.instances[at].window_mut().append(save.entries);
                    own.push(Event::Persisted(save.token));
                }
                Action::Send(message) => {
                    messages[usize::try_from(message.to - 1).unwrap()].push(message);
                }
                Action::Commit((first, last)) => {
                    if at == 0 {
                        self.committed += last - first + 1;
                    }
                    own.push(Event::Applied(last));
                }
                _ => {}
            }
        }
        if !own.is_empty() {
            self.inputs.push_back((at, own));
        }
        for (to, messages) in messages.into_iter().enumerate() {
            if !messages.is_empty() {
                let events = messages.into_iter().map(Event::Message).collect();
                self.inputs.push_back((to, events));
            }
        }
    }

    fn propose(&mut self, count: u64) {
        let next = self.instances[0].window().last() + 1;
        let term = self.instances[0].status().unwrap().standing.term;
        let proposal = |index| {
            let data = vec![7; BYTES];
            Event::Propose(Proposal { term, index, data })
        };
        let events = (next..next + count).map(proposal).collect();
        self.inputs.push_back((0, events));
    }

    /// Lets all logs go.
    fn compact(&mut self) {
        for (at, instance) in self.instances.iter_mut().enumerate() {
            let through = instance
                .status()
                .unwrap()
                .applied
                .min(instance.window().last());
            if through >= instance.window().first() {
                instance.window_mut().compact(through);
                self.inputs.push_back((at, vec![Event::Compacted(through)]));
            }
        }
        self.settle();
    }
}

#[test]
#[ignore = "prints figures"]
#[allow(clippy::disallowed_methods, reason = "it measures real time")]
fn bench() {
    for count in [1, 3] {
        for batch in [1, 16, 64, 256] {
            let mut cluster = Cluster::new(count);
            (cluster.committed, cluster.steps) = (0, 0);
            let start = Instant::now();
            let mut compacted = 0;
            while start.elapsed().as_secs_f64() < SECONDS {
                cluster.propose(batch);
                cluster.settle();
                if cluster.committed - compacted > 10_000 {
                    compacted = cluster.committed;
                    cluster.compact();
                }
            }
            let seconds = start.elapsed().as_secs_f64();
            let commits = cluster.committed as f64 / seconds;
            let steps = cluster.steps as f64 / seconds;
            println!(
                "{count} replicas, batches of {batch}: {commits:.0} commits/s, {steps:.0} steps/s"
            );
        }
    }
    let mut cluster = Cluster::new(3);
    let start = Instant::now();
    for _ in 0..100_000 {
        cluster.instances[1].step(1000, &[]).unwrap();
    }
    let micros = start.elapsed().as_secs_f64() * 10.0;
    println!("an empty step: {micros:.2} µs");
    let (window, boot) = boot(1, &[1, 2, 3]);
    let engines = Engines::new().unwrap();
    let start = Instant::now();
    let (mut instance, _) = engines.start(window, &boot).unwrap();
    println!("a start: {:.0} µs", start.elapsed().as_secs_f64() * 1e6);
    instance.restart(&boot).unwrap();
}
