//! All hosts of the file as child processes of this one.

use crate::cli::apply::edited;
use crate::config::{self, Config};
use crate::control::taken::{TakenFile, effective};
use crate::launcher::keeper::{Keeping, Order, Report, keep};
use crate::launcher::{Options, RunError};
use crate::os::process::{self, Program};
use crate::os::signal::StopSignals;
use crate::os::task::{self, Task};
use crate::os::{Os, console};
use crate::parent::{FromParent, HostRequest, HostStatus};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Reports waiting to be read; keepers wait for room.
const REPORTS_MAX: usize = 64;

struct Cluster {
    config: Arc<Config>,
    /// The hosts as they run, which the cluster's state may have changed since the file was written.
    running: Vec<config::Host>,
    /// Compares the file with what is in force, once all hosts run.
    comparing: Option<Task<()>>,
    os: Os,
    hosts: BTreeMap<String, Kept>,
    started: Duration,
    is_announced: bool,
}

struct Kept {
    orders: mpsc::Sender<Order>,
    task: Task<()>,
    status: HostStatus,
    since: Duration,
}

/// Runs all hosts until Ctrl-C or SIGTERM, then drains them all.
///
/// # Errors
/// [`RunError::System`].
pub async fn run(options: &Options, config: Arc<Config>) -> Result<(), RunError> {
    let mut signals = StopSignals::install()?;
    let path = process::current_program()?;
    let (sender, mut reports) = mpsc::channel(REPORTS_MAX);
    let started = options.os.clock.monotonic();
    let mut cluster = Cluster {
        config: Arc::clone(&config),
        running: running(&config, &options.os),
        comparing: None,
        os: options.os.clone(),
        hosts: BTreeMap::new(),
        started,
        is_announced: false,
    };
    for host in &config.hosts {
        let name = host.name.to_string();
        let mut arguments: Vec<OsString> = vec![
            "run".into(),
            options.config.clone().into(),
            "--host".into(),
            name.clone().into(),
            "--supervised".into(),
        ];
        if let Some(data) = &options.data {
            arguments.extend(["--data".into(), data.clone().into()]);
        }
        let (orders, task) = keep(Keeping {
            name: name.clone(),
            program: Program::new(path.clone(), arguments),
            restart: options.restart,
            drain_timeout: config.cluster.drain_timeout,
            reports: sender.clone(),
            os: options.os.clone(),
        });
        let status = HostStatus {
            name: name.clone(),
            state: "starting".into(),
            pid: None,
            uptime_s: None,
        };
        cluster.hosts.insert(
            name,
            Kept {
                orders,
                task,
                status,
                since: started,
            },
        );
    }
    drop(sender);
    loop {
        tokio::select! {
            biased;
            () = signals.next() => break,
            report = reports.recv() => match report {
                Some((name, Report::State { state, pid })) => cluster.changed(&name, state, pid).await,
                Some((name, Report::Request(number, request))) => cluster.request(&name, number, request).await,
                None => break,
            },
        }
    }
    console::line("stopping all hosts; a second Ctrl-C ends them at once");
    tokio::select! {
        biased;
        () = cluster.quit(&mut reports) => {}
        () = signals.next() => {}
    }
    Ok(())
}

impl Cluster {
    async fn changed(&mut self, name: &str, state: &'static str, pid: Option<u32>) {
        let now = self.os.clock.monotonic();
        if let Some(kept) = self.hosts.get_mut(name) {
            // A host that restarts in place keeps its number and begins anew.
            if kept.status.pid != pid || kept.status.state == "restarting" {
                kept.since = now;
            }
            kept.status = HostStatus {
                name: name.to_owned(),
                state: state.to_owned(),
                pid,
                uptime_s: None,
            };
        }
        let statuses: Vec<HostStatus> = self
            .config
            .hosts
            .iter()
            .filter_map(|host| self.hosts.get(host.name.as_str()))
            .map(|kept| kept.status_at(now))
            .collect();
        for kept in self.hosts.values() {
            // A full queue belongs to a host that does not read; it will hear of the next change.
            let _ = kept
                .orders
                .try_send(Order::Tell(FromParent::Hosts(statuses.clone())));
        }
        if !self.is_announced && statuses.iter().all(|status| status.state == "running") {
            self.is_announced = true;
            self.announce(now);
            self.compare();
        }
    }

    fn announce(&self, now: Duration) {
        let cluster = &self.config.cluster.name;
        console::line(&format!(
            "{cluster} is up: {} hosts in {:.2} s",
            self.config.hosts.len(),
            now.saturating_sub(self.started).as_secs_f64()
        ));
        for host in &self.running {
            console::line(&format!(
                "  {:<12} http://{}   admin http://{}",
                host.name.as_str(),
                host.http,
                host.admin
            ));
        }
    }

    fn compare(&mut self) {
        let Some(first) = self.running.first() else {
            return;
        };
        if self.config.cluster.control {
            let (path, admin, os) = (self.config.path.clone(), first.admin, self.os.clone());
            let compare = async move { edited::put_in_force(&path, admin, &os).await };
            self.comparing = Some(task::spawn(compare));
        }
    }

    async fn request(&mut self, from: &str, number: u64, request: HostRequest) {
        let (target, is_stop) = match &request {
            HostRequest::Stop(target) => (target, true),
            HostRequest::Start(target) => (target, false),
        };
        let Some(kept) = self.hosts.get(target) else {
            let known = self.hosts.keys().cloned().collect::<Vec<_>>().join(", ");
            return self.answer(
                from,
                number,
                Err(format!("no host {target}; there are {known}")),
            );
        };
        let (reply, done) = oneshot::channel();
        let order = if is_stop {
            Order::Stop(reply)
        } else {
            Order::Start(reply)
        };
        if target == from && is_stop {
            // Answered first: a host that is stopped cannot hear that it was.
            let others = self
                .config
                .hosts
                .iter()
                .filter(|host| host.name.as_str() != target)
                .map(|host| host.admin.to_string())
                .collect::<Vec<_>>();
            let how = if others.is_empty() {
                String::new()
            } else {
                format!(
                    "; to start it again: --admin {} start-host {target}",
                    others.join(" or ")
                )
            };
            self.answer(from, number, Ok(format!("host {target} is draining{how}")));
        }
        let orders = kept.orders.clone();
        let back = self.hosts.get(from).map(|kept| kept.orders.clone());
        let is_own = target == from;
        // Waiting for a drain must not keep the other hosts waiting.
        task::spawn(async move {
            if orders.send(order).await.is_err() {
                return;
            }
            if let (Ok(answer), Some(back), false) = (done.await, back, is_own && is_stop) {
                let _ = back
                    .send(Order::Tell(FromParent::Answer(number, answer)))
                    .await;
            }
        })
        .release();
    }

    fn answer(&self, to: &str, number: u64, answer: Result<String, String>) {
        if let Some(kept) = self.hosts.get(to) {
            // The queue of a host that has just asked something has room, unless the host does not read its answers anyway.
            let _ = kept
                .orders
                .try_send(Order::Tell(FromParent::Answer(number, answer)));
        }
    }

    /// Drains all hosts at the same time and waits for the last.
    async fn quit(&mut self, reports: &mut mpsc::Receiver<(String, Report)>) {
        for kept in self.hosts.values() {
            let _ = kept.orders.send(Order::Quit).await;
        }
        // Keepers end once their host has; until then they may have reports that nobody acts on any more.
        while reports.recv().await.is_some() {}
        for kept in std::mem::take(&mut self.hosts).into_values() {
            let _ = kept.task.await;
        }
    }
}

/// The hosts of the file, each as it says itself that it runs.
fn running(file: &Config, os: &Os) -> Vec<config::Host> {
    let running = |host: &config::Host| {
        let folder = file.cluster.data.join(host.name.as_str());
        // Whatever is wrong with it, the host itself says so.
        let taken = TakenFile::read(&folder, os).ok()?.taken;
        let config = effective(file, host.name.as_str(), &taken).ok()?;
        config.host(host.name.as_str()).cloned()
    };
    let hosts = file.hosts.iter();
    match file.cluster.control {
        true => hosts
            .map(|host| running(host).unwrap_or_else(|| host.clone()))
            .collect(),
        false => hosts.cloned().collect(),
    }
}

impl Kept {
    fn status_at(&self, now: Duration) -> HostStatus {
        let uptime = self
            .status
            .pid
            .map(|_| now.saturating_sub(self.since).as_secs());
        HostStatus {
            uptime_s: uptime,
            ..self.status.clone()
        }
    }
}
