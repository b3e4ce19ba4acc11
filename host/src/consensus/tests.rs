//! The component, as the host runs it.

mod bench;
#[path = "../../../components/raft/tests/cluster/mod.rs"]
mod cluster;
mod engine;

use super::*;
use crate::replica::consensus::Consensus;
use wit::{Action, Boot, Event, HardState, Members, Proposal, Role, Snapshot};

fn members(voters: &[u64]) -> Members {
    Members {
        voters: voters.to_vec(),
        learners: Vec::new(),
        outgoing: Vec::new(),
        learners_next: Vec::new(),
        auto_leave: false,
    }
}

fn boot(id: u64, voters: &[u64]) -> (Window, Boot) {
    let mut window = Window::new(1, 1);
    window.offer(Snapshot {
        index: 1,
        term: 1,
        members: members(voters),
    });
    let boot = Boot {
        id,
        seed: id,
        tick_ms: 10,
        election_ticks: 10,
        heartbeat_ticks: 2,
        hard: HardState {
            term: 1,
            vote: 0,
            commit: 1,
        },
        members: members(voters),
        applied: 1,
        first: 2,
        last: 1,
        terms: window.runs(),
    };
    (window, boot)
}

/// Does what the engine says, on a disk that is done at once; the entries that are committed.
fn carry_out(instance: &mut Instance, output: wit::Output, now_ms: u64) -> Vec<(u64, u64)> {
    let mut committed = Vec::new();
    let mut actions = output.actions;
    while !actions.is_empty() {
        let mut events = Vec::new();
        for action in actions {
            match action {
                Action::Save(save) => {
                    instance.window_mut().append(save.entries);
                    events.push(Event::Persisted(save.token));
                }
                Action::Commit(range) => {
                    committed.push(range);
                    events.push(Event::Applied(range.1));
                }
                _ => {}
            }
        }
        actions = instance.step(now_ms, &events).unwrap().actions;
    }
    committed
}

#[test]
fn the_only_replica_leads_at_once_and_commits() {
    let (window, boot) = boot(1, &[1]);
    let (mut instance, output) = Engines::new().unwrap().start(window, &boot).unwrap();
    assert_eq!(carry_out(&mut instance, output, 0), [(2, 2)]);
    let status = instance.status().unwrap();
    assert_eq!(status.standing.role, Role::Leader);
    let proposal = Proposal {
        term: status.standing.term,
        index: 3,
        data: b"data".to_vec(),
    };
    let output = instance.step(1, &[Event::Propose(proposal)]).unwrap();
    assert_eq!(carry_out(&mut instance, output, 1), [(3, 3)]);
    assert_eq!(instance.window().get(3).unwrap().data, "data");
}

#[test]
fn an_engine_that_trapped_is_started_again_from_the_log() {
    let (window, mut boot) = boot(1, &[1]);
    let (mut instance, output) = Engines::new().unwrap().start(window, &boot).unwrap();
    carry_out(&mut instance, output, 0);
    let impossible = Boot {
        last: 0,
        ..boot.clone()
    };
    assert!(instance.restart(&impossible).is_err());
    assert!(instance.step(0, &[]).is_err(), "it cannot be entered");
    boot.hard = HardState {
        term: 2,
        vote: 1,
        commit: 2,
    };
    boot.last = instance.window().last();
    boot.terms = instance.window().runs();
    let output = instance.restart(&boot).unwrap();
    assert_eq!(carry_out(&mut instance, output, 0), [(2, 2), (3, 3)]);
    assert_eq!(instance.status().unwrap().standing.term, 3);
}

#[test]
fn the_component_imports_nothing_but_the_log() {
    let bytes = component_bytes().unwrap();
    let engine = Engine::new(&settings()).unwrap();
    let component = Component::new(&engine, bytes).unwrap();
    let imports = component.component_type();
    let names: Vec<&str> = imports.imports(&engine).map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["bookshop:replica/types@0.1.0", "bookshop:replica/log@0.1.0"]
    );
}

#[test]
fn the_component_does_what_the_engine_does_natively() {
    let seeds = [1, 2, 3];
    let expected = &cluster::chaos::TRACES[..seeds.len()];
    assert_eq!(seeds.map(cluster::chaos::trace), expected);
}
