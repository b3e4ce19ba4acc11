//! Who belongs to a group: as an operator changes it, and as the file does.

use crate::cluster::until;
use crate::durable_hosts::Hosts;
use crate::groups_scene::{
    HOSTS, QUEUE, depth, enqueue, leader, members, operate, place, queue, replica, run, three,
    until_equal, until_voters,
};
use serde_json::json;

#[tokio::test]
async fn a_host_is_removed_and_added_again_wherever_that_is_typed() {
    let mut hosts = three().await;
    enqueue(&hosts, "alpha", "one").await;
    let group = until_voters(&hosts, "beta", &HOSTS).await;
    assert_eq!(replica(&group, "gamma")["active"], true);
    assert!(
        replica(&group, "gamma")["matched"].as_u64() > Some(1),
        "{group}"
    );
    let leads = leader(&hosts, &HOSTS).await;
    let other = HOSTS
        .into_iter()
        .find(|host| *host != leads)
        .expect("there are three");
    // The one that leads, typed elsewhere.
    operate(&hosts, other, &["group", "remove", QUEUE, &leads]).await;
    let stay: Vec<&str> = HOSTS.into_iter().filter(|host| *host != leads).collect();
    let group = until_voters(&hosts, other, &stay).await;
    assert_eq!(group["kept_out"], json!([leads]));
    until("the host says that it was removed", async || {
        let group = members(&hosts, &leads).await?;
        (replica(&group, &leads)["role"] == "removed").then_some(())
    })
    .await;
    // It still serves calls, by way of the others.
    enqueue(&hosts, &leads, "two").await;
    assert_eq!(depth(&hosts, &leads).await, 2);
    // It stays away also after a start.
    let name = HOSTS
        .into_iter()
        .find(|host| *host == leads)
        .expect("it is one of them");
    hosts.restart(name).await;
    enqueue(&hosts, &leads, "three").await;
    until_voters(&hosts, &leads, &stay).await;
    let admin = hosts.address(other).admin.to_string();
    let (code, _, said) = run(&["group", "remove", QUEUE, "delta", "--admin", &admin]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no such replica"), "{said}");
    operate(&hosts, other, &["group", "add", QUEUE, &leads]).await;
    let group = until_voters(&hosts, other, &HOSTS).await;
    assert!(replica(&group, &leads)["id"].as_u64() > Some(3), "{group}");
    until_equal(&hosts, &HOSTS).await;
    assert_eq!(depth(&hosts, &leads).await, 3);
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_group_grows_and_shrinks_with_the_file_as_hosts_are_started_again() {
    let mut hosts = Hosts::start(&HOSTS, &queue(&["alpha"])).await;
    enqueue(&hosts, "gamma", "one").await;
    place(&hosts, &HOSTS);
    for host in HOSTS {
        hosts.stop(host).await;
        hosts.launch(host);
        hosts.serves(host).await;
    }
    until_voters(&hosts, "alpha", &HOSTS).await;
    until_equal(&hosts, &HOSTS).await;
    enqueue(&hosts, "beta", "two").await;
    assert_eq!(depth(&hosts, "gamma").await, 2);
    place(&hosts, &["alpha"]);
    for host in HOSTS {
        hosts.stop(host).await;
        hosts.launch(host);
        hosts.serves(host).await;
    }
    until_voters(&hosts, "beta", &["alpha"]).await;
    enqueue(&hosts, "beta", "three").await;
    assert_eq!(depth(&hosts, "gamma").await, 3);
    // What was taken away by the file comes back with it.
    place(&hosts, &HOSTS);
    for host in ["gamma", "beta", "alpha"] {
        hosts.stop(host).await;
        hosts.launch(host);
        hosts.serves(host).await;
    }
    until_voters(&hosts, "alpha", &HOSTS).await;
    until_equal(&hosts, &HOSTS).await;
    assert_eq!(depth(&hosts, "beta").await, 3);
    hosts.stop_all().await;
}
