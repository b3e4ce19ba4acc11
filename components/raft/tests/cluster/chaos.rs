//! Everything at once: hosts die and come back with what their disks have, the network loses, repeats, delays and is cut, leaders are challenged and
//! transferred, logs are compacted, members come and go. Afterwards everything heals, and all agree.

use super::super::engine::{ChangeKind, Event, MemberChange};
use super::Cluster;

/// Longest until all agree again.
const PATIENCE_MS: u64 = 8000;

/// What the seeds from 1 on do, as a number for each: natively, and as a component in the host's tests.
pub const TRACES: [u64; 8] = [
    17453900388617450502,
    258237987832903903,
    14799997429282456030,
    538936347372914219,
    16390209755576831951,
    7162207751649916544,
    17461902583659278686,
    16782692577776241689,
];

/// What a seed does, as a number.
pub fn trace(seed: u64) -> u64 {
    let mut cluster = Cluster::new(3, seed);
    cluster.trace = Some(vec![]);
    run(&mut cluster, 3);
    let trace = cluster.trace.take().unwrap_or_default();
    let digest = |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = trace.iter().flat_map(|line| line.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, digest)
}

/// Disturbs a cluster that began with `count` voters, then lets it heal.
pub fn run(cluster: &mut Cluster, count: u64) {
    cluster.reports_snapshots = cluster.random.chance(70);
    for host in cluster.hosts.values_mut() {
        host.sync_ms = cluster.random.below(8);
        host.lag_ms = cluster.random.below(8);
    }
    let mut newest = count;
    for _ in 0..60 {
        disturb(cluster, &mut newest);
        let ms = cluster.random.below(60);
        cluster.pass_ms(ms);
        work(cluster);
    }
    cluster.net.heal();
    let dead: Vec<u64> = cluster.hosts.keys().copied().collect();
    for id in dead {
        cluster.host(id).is_stuck = false;
        if !cluster.hosts[&id].runs() {
            cluster.start(id);
        }
    }
    let agree = cluster.until(PATIENCE_MS, Cluster::agrees);
    assert!(agree, "they do not agree: {}", cluster.describe());
    let before = cluster.last_committed();
    let is_new = (0..10).any(|_| commits(cluster, before));
    assert!(is_new, "nothing new is committed: {}", cluster.describe());
    assert!(
        cluster.until(500, |cluster| cluster
            .hosts
            .values()
            .all(|host| host.reads.is_empty())),
        "a read was never answered"
    );
}

/// Whether something new is committed. Whoever leads may be about to hand over, and refuse.
fn commits(cluster: &mut Cluster, before: u64) -> bool {
    if let Some(leader) = cluster.leader() {
        cluster.propose(leader, 3);
    }
    cluster.until(200, |cluster| {
        cluster.agrees() && cluster.last_committed() > before
    })
}

/// Calls come in, wherever there is somebody who takes them.
fn work(cluster: &mut Cluster) {
    for id in cluster.living() {
        if cluster.random.chance(30) {
            cluster.read(id);
        }
        let count = 1 + cluster.random.below(5);
        cluster.propose(id, count);
        if cluster.random.chance(20) {
            let keep = cluster.random.below(20);
            let compacted = cluster.host(id).checkpoint(keep);
            cluster.tell(id, compacted.into_iter().collect());
        }
    }
}

fn disturb(cluster: &mut Cluster, newest: &mut u64) {
    let hosts: Vec<u64> = cluster.hosts.keys().copied().collect();
    let Some(id) = cluster.random.pick(&hosts) else {
        return;
    };
    let runs = cluster.hosts[&id].runs();
    match cluster.random.below(16) {
        0 | 1 if runs => {
            cluster.kill(id);
            if cluster.random.chance(50) {
                cluster.lose(id);
            }
        }
        0..=3 if !runs => cluster.start(id),
        4 => cluster.net.isolate(id, hosts),
        5 => {
            if let Some(other) = cluster.random.pick(&hosts) {
                cluster.net.cut(id, other);
            }
        }
        6 | 7 => cluster.net.heal(),
        8 => {
            cluster.net.loss_percent = cluster.random.below(30);
            cluster.net.repeat_percent = cluster.random.below(30);
            cluster.net.delay_ms = cluster.random.below(60);
        }
        9 if runs => cluster.tell(id, vec![Event::Campaign]),
        10 if runs => {
            if let Some(other) = cluster.random.pick(&hosts) {
                cluster.tell(other, vec![Event::Transfer(id)]);
            }
        }
        // A false alarm.
        11 => cluster.lose(id),
        12 => cluster.host(id).is_stuck ^= true,
        13 | 14 => change(cluster, newest),
        _ => {}
    }
}

/// Changes the members, by one or by several at once.
fn change(cluster: &mut Cluster, newest: &mut u64) {
    let Some(leader) = cluster.leader() else {
        return;
    };
    let members = cluster.hosts[&leader].members().clone();
    let mut changes = vec![];
    let one = |kind, id| MemberChange { kind, id };
    let grows = members.voters.len() < 3 || cluster.random.chance(50);
    if grows && *newest < 9 {
        *newest += 1;
        cluster.join(*newest);
        let kind = if cluster.random.chance(50) {
            ChangeKind::AddLearner
        } else {
            ChangeKind::AddVoter
        };
        changes.push(one(kind, *newest));
    }
    if let Some(learner) = members.learners.first() {
        changes.push(one(ChangeKind::AddVoter, *learner));
    }
    if members.voters.len() > 2 && cluster.random.chance(50) {
        let voter = cluster.random.pick(&members.voters).expect("there are");
        changes.push(one(ChangeKind::Remove, voter));
    }
    if cluster.random.chance(30) {
        changes.truncate(1);
    }
    if !changes.is_empty() {
        let event = cluster.hosts[&leader].change(changes);
        cluster.tell(leader, vec![event]);
    }
}
