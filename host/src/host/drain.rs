//! The end of a host: what it leads goes to others, what is under way is finished, and the rest is ended.

use super::Host;
use crate::os::clock::{sleep, timeout};
use crate::os::task::{self, Task};
use crate::services::State;
use crate::transport::peers::Health;
use crate::transport::probe;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a drain looks whether the last call is done.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// How long a stopping host waits until others lead what it led.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stopping host waits for its peers to hear of it. One that does not finds out at its next call.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(100);
/// How much later than `cluster.drain-timeout` a daemon that does not finish may be ended: the turns that its thread takes.
const DAEMONS_MARGIN: Duration = Duration::from_secs(1);

impl Host {
    /// Lets all finish within `cluster.drain-timeout`, then ends the rest. Returns how many calls were cut off.
    pub(super) async fn drain(&mut self) -> u32 {
        let _ = self.stopping.send(true);
        for slot in self.services.iter() {
            slot.daemon.stop();
        }
        self.services.waits.close();
        probe::announce(&self.peers, &self.wire, &self.introducer, ANNOUNCE_TIMEOUT).await;
        self.hand_over().await;
        // The listening sockets close here, unless they are held; connections end with the request they are in.
        let _ = self.stop.send(true);
        let clock = self.os.clock.as_ref();
        let drained = async {
            while self.services.calls_under_way() > 0
                || self.services.daemons_at_work() > 0
                || self.threads.iter().any(|thread| !thread.is_finished())
                || !self.administration.is_finished()
            {
                sleep(clock, DRAIN_POLL).await;
            }
        };
        let cut_off = match timeout(clock, self.config.cluster.drain_timeout, drained).await {
            Ok(()) => 0,
            Err(_elapsed) => self.services.calls_under_way(),
        };
        // Keepers end what does not finish by the same time, and say so; this only lets them.
        let ended = async {
            for slot in self.services.iter() {
                slot.daemon.ended().await;
            }
        };
        let _ = timeout(clock, DAEMONS_MARGIN, ended).await;
        for slot in self.services.iter() {
            slot.set(State::Stopping);
        }
        // A thread that is not done has a client that does not let go; it ends with the process.
        for thread in self.threads.drain(..).filter(JoinHandle::is_finished) {
            // A thread that panicked has printed why.
            let _ = thread.join();
        }
        if cut_off > 0 {
            self.log.warn(
                None,
                &format!("{cut_off} calls outlived cluster.drain-timeout and were cut off"),
            );
        }
        self.tasks.clear();
        if let Some(daemons) = self.daemons.take() {
            daemons.end();
        }
        if let Some(groups) = self.groups.take() {
            groups.join();
        }
        self.log.info(None, "stopped");
        cut_off
    }

    /// Lets other hosts lead what this one leads, so that nobody has to wait for an election.
    async fn hand_over(&self) {
        let groups = self.services.iter().filter_map(|slot| slot.group.clone());
        let handing: Vec<Task<()>> = groups
            .filter(|group| group.has_others() && group.serves())
            .map(|group| {
                let log = self.log.clone();
                task::spawn(async move {
                    if let Err(reason) = group.hand_over().await {
                        log.warn(
                            None,
                            &format!("another replica has to be elected: {reason}"),
                        );
                    }
                })
            })
            .collect();
        let clock = self.os.clock.as_ref();
        let handed = async {
            for handing in handing {
                // A task that panicked has printed why; the election comes all the same.
                let _ = handing.await;
            }
        };
        // When all stop together there is nobody to take over.
        let alone = async {
            let is_there = |index| self.peers.get(index).view().health == Health::Up;
            while self.peers.indexes().any(is_there) {
                sleep(clock, DRAIN_POLL).await;
            }
        };
        tokio::select! {
            biased;
            () = handed => {}
            () = alone => {}
            // Who does not take over in that time is elected or not without us.
            () = sleep(clock, HAND_OVER_TIMEOUT) => {}
        }
    }
}
