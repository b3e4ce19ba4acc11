//! Hosts that send each other messages over real connections; below, the scene, and what strangers try.

use super::*;
use crate::chaos::{Delay, Fault, Percent};
use crate::replica::network::{
    Answering, Chunk, ChunkError, ChunkRequest, FetchError, HelloSource, ReplicaRequests,
    SnapshotSource,
};
use bytes::Bytes;
use scene::{Node, Scene};
use std::time::Duration;

mod scene;
mod strangers;

const LANES: [ReplicaLane; 2] = ReplicaLane::ALL;

#[tokio::test]
async fn messages_go_both_ways_on_both_lanes() {
    let scene = Scene::new("ways");
    let (mut alpha, mut beta) = scene.pair().await;
    for lane in LANES {
        for number in 0..100_u8 {
            alpha.send("beta", lane, &[number]);
            beta.send("alpha", lane, &[number, number]);
        }
        for number in 0..100_u8 {
            assert_eq!(beta.message().await, ("alpha".into(), vec![number]));
            assert_eq!(alpha.message().await, ("beta".into(), vec![number; 2]));
        }
    }
}

#[tokio::test]
async fn the_largest_message_holds_up_no_heartbeat() {
    let scene = Scene::new("large");
    let (alpha, mut beta) = scene.pair().await;
    let large = vec![7; crate::replica::message::MESSAGE_BYTES_MAX];
    alpha.send("beta", ReplicaLane::Append, &large);
    alpha.send("beta", ReplicaLane::Control, b"heartbeat");
    assert_eq!(beta.message().await.1, b"heartbeat");
    assert!(beta.message().await.1 == large);
    let too_large = vec![7; frame::BODY_BYTES_MAX[ReplicaLane::Control.index()]];
    alpha.send("beta", ReplicaLane::Control, &too_large);
    alpha.send("beta", ReplicaLane::Control, b"heartbeat");
    assert_eq!(beta.message().await.1, b"heartbeat");
}

#[tokio::test]
async fn a_peer_is_lost_once_and_found_again() {
    let scene = Scene::new("lost");
    let (mut alpha, beta) = scene.pair().await;
    let address = beta.address;
    drop(beta);
    assert_eq!(alpha.next().await, Incoming::Lost(scene::host("beta")));
    assert!(!alpha.is_connected("beta"));
    // Forgotten, not kept for later.
    alpha.send("beta", ReplicaLane::Control, b"too late");
    let mut beta = scene.node_at("beta", address).await;
    beta.knows("alpha", alpha.address);
    for node in [&mut alpha, &mut beta] {
        assert!(matches!(node.next().await, Incoming::Connected(_)));
    }
    alpha.send("beta", ReplicaLane::Control, b"in time");
    assert_eq!(beta.message().await.1, b"in time");
}

#[tokio::test]
async fn a_partition_swallows_messages_and_closes_nothing() {
    let scene = Scene::new("partition");
    let (mut alpha, mut beta) = scene.pair().await;
    let beta_index = alpha.peers.find("beta").expect("it is in the file");
    let cut = Fault::new(Some(Percent::ALL), None, None).expect("a fault");
    alpha.chaos.set(beta_index, cut).expect("enabled");
    for lane in LANES {
        alpha.send("beta", lane, b"swallowed");
    }
    // The other direction is another link.
    beta.send("alpha", ReplicaLane::Control, b"through");
    assert_eq!(alpha.message().await.1, b"through");
    assert!(alpha.is_connected("beta") && beta.is_connected("alpha"));
    alpha.chaos.heal(beta_index).expect("enabled");
    alpha.send("beta", ReplicaLane::Control, b"healed");
    assert_eq!(beta.message().await.1, b"healed");
}

#[tokio::test]
async fn a_delayed_message_holds_up_none_behind_it() {
    let scene = Scene::new("delay");
    let (alpha, mut beta) = scene.pair().await;
    let beta_index = alpha.peers.find("beta").expect("it is in the file");
    let delay = Delay::new(Duration::from_millis(30), Duration::ZERO).expect("a delay");
    let slow = Fault::new(None, Some(delay), None).expect("a fault");
    alpha.chaos.set(beta_index, slow).expect("enabled");
    alpha.send("beta", ReplicaLane::Control, b"slow");
    alpha.chaos.heal(beta_index).expect("enabled");
    alpha.send("beta", ReplicaLane::Control, b"fast");
    assert_eq!(beta.message().await.1, b"fast");
    assert_eq!(beta.message().await.1, b"slow");
}

#[tokio::test]
async fn new_certificates_take_effect_without_a_loss() {
    let scene = Scene::new("renewed");
    let (mut alpha, mut beta) = scene.pair().await;
    let before = alpha.connections();
    scene.renew("alpha");
    for node in [&alpha, &beta] {
        let _ = node.credentials.reload().expect("usable");
    }
    // Alpha comes again with both of its lanes.
    while alpha.connections() + beta.connections() < before + 2 + 2 {
        tokio::task::yield_now().await;
    }
    for lane in LANES {
        loop {
            alpha.send("beta", lane, b"renewed");
            beta.send("alpha", lane, b"same");
            if let (Some(one), Some(other)) = (beta.soon().await, alpha.soon().await) {
                assert!(matches!(one, Incoming::Message { .. }), "{one:?}");
                assert!(matches!(other, Incoming::Message { .. }), "{other:?}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_revoked_host_is_cut_off_at_once() {
    let scene = Scene::new("revoked");
    let (mut alpha, beta) = scene.pair().await;
    scene.revoke("beta");
    assert!(alpha.credentials.reload().expect("usable"));
    assert_eq!(alpha.next().await, Incoming::Lost(scene::host("beta")));
    drop(beta);
}

#[tokio::test]
async fn whoever_takes_nothing_in_is_sent_no_more() {
    let scene = Scene::new("flood");
    let (alpha, mut beta) = scene.pair().await;
    let (lane, message) = (ReplicaLane::Append, vec![7; 1 << 20]);
    let room = ROOM_BYTES[lane.index()];
    // More than fits into everything on the way. Nobody drops what arrives.
    let mut held = Vec::new();
    let mut held_bytes = 0;
    for _ in 0..3 * (room >> 20) {
        alpha.send("beta", lane, &message);
        if let Some(Incoming::Message { body, .. }) = beta.soon().await {
            held_bytes += body.len();
            held.push(body);
        }
        assert!(held_bytes <= room, "{held_bytes}");
    }
    // What is small and must not wait does not.
    alpha.send("beta", ReplicaLane::Control, b"heartbeat");
    loop {
        let body = beta.body().await;
        if &body[..] == b"heartbeat" {
            break;
        }
        held.push(body);
    }
    assert!(held.iter().map(Bytes::len).sum::<usize>() <= room);
    held.clear();
    assert_eq!(beta.message().await.1, message);
}

/// Has one part of one snapshot, for one service.
struct Source;

impl SnapshotSource for Source {
    fn chunk<'a>(&'a self, service: &'a str, request: ChunkRequest) -> Chunk<'a> {
        Box::pin(async move {
            match (service, request.index) {
                ("orders", 7) => {
                    let after = request.after.unwrap_or_default();
                    Ok([&after[..], &vec![7; request.bytes_max - after.len()]]
                        .concat()
                        .into())
                }
                ("orders", _) => Err(ChunkError::Gone),
                _ => Err(ChunkError::NotServing),
            }
        })
    }
}

impl HelloSource for Source {
    fn hello(&self, from: HostName, question: Bytes) -> Answering<'_> {
        Box::pin(async move {
            [from.as_str().as_bytes(), b" asks: ", &question]
                .concat()
                .into()
        })
    }
}

#[tokio::test]
async fn parts_of_snapshots_and_introductions_are_asked_for() {
    let scene = Scene::new("requests");
    let alpha = scene.node("alpha").await;
    let beta = scene::host("beta");
    let serving = scene.serve(
        "beta",
        Some(Sources {
            snapshots: Arc::new(Source),
            hello: Arc::new(Source),
        }),
    );
    let (address, _serving) = serving.await;
    alpha.knows("beta", address);
    let request = |index, bytes_max| ChunkRequest {
        index,
        after: Some(Bytes::from_static(b"key")),
        bytes_max,
    };
    let replicas = &alpha.replicas;
    let part = replicas.fetch_chunk(&beta, "orders", request(7, 10)).await;
    assert_eq!(
        part,
        Ok(Bytes::from_static(b"key\x07\x07\x07\x07\x07\x07\x07"))
    );
    let large = replicas
        .fetch_chunk(&beta, "orders", request(7, usize::MAX))
        .await
        .expect("as much as anybody gets");
    assert_eq!(large.len(), crate::replica::network::CHUNK_BYTES_MAX);
    let gone = replicas.fetch_chunk(&beta, "orders", request(8, 10)).await;
    assert_eq!(gone, Err(FetchError::Gone));
    let other = replicas.fetch_chunk(&beta, "queue", request(7, 10)).await;
    assert_eq!(other, Err(FetchError::NotServing));
    assert_eq!(
        replicas.hello(&beta, "who?".into()).await,
        Ok(Bytes::from_static(b"alpha asks: who?"))
    );
    let nobody = replicas.hello(&scene::host("delta"), Bytes::new()).await;
    assert!(
        matches!(nobody, Err(FetchError::Unreachable(_))),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn a_host_without_replicas_says_so() {
    let scene = Scene::new("without");
    let alpha = scene.node("alpha").await;
    let (address, _serving) = scene.serve("beta", None).await;
    alpha.knows("beta", address);
    let hello = alpha
        .replicas
        .hello(&scene::host("beta"), Bytes::new())
        .await;
    assert_eq!(hello, Err(FetchError::NotServing));
}

#[test]
fn partners_are_those_with_replicas_of_the_same_services() {
    let mut config = scene::config("partners");
    let partners = |config: &Config, name| {
        let partners = super::partners(config, &scene::host(name));
        partners.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(partners(&config, "alpha"), Vec::<String>::new());
    config.services[0].hosts = ["alpha", "beta"].map(scene::host).to_vec();
    assert_eq!(partners(&config, "alpha"), ["beta"]);
    assert_eq!(partners(&config, "beta"), ["alpha"]);
    assert_eq!(partners(&config, "gamma"), Vec::<String>::new());
    config.services[0].replicated = None;
    assert_eq!(partners(&config, "alpha"), Vec::<String>::new());
}
