//! Faults begin, come again and again, and end.

use super::events::{Happening, Local};
use super::world::{Step, Stop, World};
use crate::replica::member::Input;
use crate::state::GroupId;
use std::time::Duration;

/// Room that a full disk leaves, in bytes.
const FULL_BYTES: u64 = 2 << 10;
/// How long a disk is full.
const FULL_US: u64 = 1_500_000;
/// How far a wall clock is wrong, either way.
const SKEW_MS: u64 = 10_000;
/// How long a host does nothing: mostly less than a leader is missed, sometimes much more.
const PAUSE_US: u64 = 400_000;
const PAUSE_LONG_US: u64 = 3_000_000;

impl World<'_> {
    pub(super) fn begin_faults(&mut self) {
        let swarm = self.swarm;
        if self.plan.crash_at.is_none() {
            self.again_after(swarm.end_us.map(|us| us / 3), Happening::End);
        }
        self.again_after(swarm.pause_us, Happening::Pause);
        self.again_after(swarm.skew_us, Happening::Skew);
        self.again_after(swarm.fill_us, Happening::Fill);
        self.again_after(swarm.cut_us, Happening::Cut);
        self.again_after(swarm.alarm_us, Happening::Alarm);
        self.again_after(swarm.forgery_us, Happening::Forge);
        self.again_after(swarm.handover_us, Happening::Handover);
        self.again_after(swarm.wipe_us, Happening::Wipe);
        self.again_after(swarm.removal_us, Happening::Removal);
        self.begin_upgrades();
        if swarm.wipe_us.or(swarm.removal_us).is_some() {
            self.soon(100_000, Happening::Promote);
        }
        if swarm.flaps {
            let what = self.network.flap();
            self.tell(|| what);
        }
    }

    /// Something happens again after this time on average, if at all.
    pub(super) fn again_after(&mut self, mean_us: Option<u64>, happening: Happening) {
        if let Some(mean_us) = mean_us {
            self.soon(2 * mean_us, happening);
        }
    }

    pub(super) fn set_disk_faults(&self, is_on: bool) {
        let mut disk = super::disk::Faults::default();
        if is_on {
            disk.failed_sync = self.swarm.failed_syncs;
        }
        if is_on && self.plan.faults.damage {
            disk.bit_flip = 1;
            disk.lost_write = 1;
            disk.misdirected_write = 1;
        }
        for host in &self.hosts {
            host.disk.set_faults(disk);
        }
    }

    pub(super) fn end_faults(&mut self) {
        self.set_disk_faults(false);
        self.network.heal();
        for host in 0..self.hosts.len() {
            let state = &mut self.hosts[host];
            state.disk.set_capacity(u64::MAX);
            state
                .is_calm
                .store(true, std::sync::atomic::Ordering::Relaxed);
            state.clock.skew(0);
            state.paused_until = state.paused_until.min(self.now);
            if state.disk.is_down() && state.node.is_some() {
                self.ended(host);
            } else {
                // No further end is to come.
                state.disk.crash_after(u64::MAX);
            }
            if self.hosts[host].node.is_none() {
                self.on(host, self.now, Local::Start);
            }
        }
    }

    pub(super) fn end_some(&mut self) -> Step {
        self.again_after(self.swarm.end_us, Happening::End);
        let host = self.any_host();
        if self.hosts[host].node.is_none() {
            return Ok(());
        }
        if self.random.chance(500) {
            // In the middle of whatever the disk is asked for next.
            let operations = self.random.below(12);
            self.hosts[host].disk.crash_after(operations);
        } else {
            self.ended(host);
        }
        Ok(())
    }

    pub(super) fn pause_some(&mut self) -> Step {
        self.again_after(self.swarm.pause_us, Happening::Pause);
        let host = self.any_host();
        let most_us = if self.random.chance(200) {
            PAUSE_LONG_US
        } else {
            PAUSE_US
        };
        let pause = Duration::from_micros(self.random.below(most_us));
        self.hosts[host].paused_until = self.now + pause;
        self.tell_of(host, || {
            format!("does nothing for {} ms", pause.as_millis())
        });
        Ok(())
    }

    pub(super) fn skew_some(&mut self) -> Step {
        self.again_after(self.swarm.skew_us, Happening::Skew);
        let host = self.any_host();
        let skew = i64::try_from(self.random.below(2 * SKEW_MS)).unwrap_or(0);
        let skew = skew - i64::try_from(SKEW_MS).unwrap_or(0);
        self.hosts[host].clock.skew(skew);
        self.tell_of(host, || format!("the wall clock is {skew} ms ahead"));
        Ok(())
    }

    pub(super) fn fill_some(&mut self) -> Step {
        self.again_after(self.swarm.fill_us, Happening::Fill);
        let host = self.any_host();
        let room = self.random.below(FULL_BYTES);
        let disk = &self.hosts[host].disk;
        disk.set_capacity(disk.used_bytes() + room);
        self.tell_of(host, || "the disk is full".into());
        self.soon(FULL_US, Happening::Empty(host));
        Ok(())
    }

    pub(super) fn empty(&mut self, host: usize) -> Step {
        self.hosts[host].disk.set_capacity(u64::MAX);
        self.tell_of(host, || "the disk has room".into());
        Ok(())
    }

    pub(super) fn cut_some(&mut self) -> Step {
        self.again_after(self.swarm.cut_us, Happening::Cut);
        let what = if self.random.chance(350) {
            self.network.mend();
            "all links are up".into()
        } else {
            self.network.cut()
        };
        if self.swarm.flaps && self.random.chance(300) {
            let flaps = self.network.flap();
            self.tell(|| flaps);
        }
        self.tell(|| what);
        Ok(())
    }

    /// The connection between two hosts breaks, and is there again at once.
    pub(super) fn alarm_some(&mut self) -> Step {
        self.again_after(self.swarm.alarm_us, Happening::Alarm);
        let (one, other) = (self.any_host(), self.any_host());
        if one != other {
            for (host, peer) in [(one, other), (other, one)] {
                self.soon_on(host, 1_000, Local::Lost(peer));
                self.soon_on(host, 3_000, Local::Found(peer));
            }
        }
        Ok(())
    }

    /// Somebody orders that another host is to lead a group.
    pub(super) fn hand_over_some(&mut self) -> Step {
        self.again_after(self.swarm.handover_us, Happening::Handover);
        let (host, to) = (self.any_host(), self.any_host());
        let groups: Vec<GroupId> = self.histories.keys().copied().collect();
        for group in groups {
            let leads = self.hosts[host].replica(group);
            if self.hosts[host].paused_until <= self.now
                && leads.is_some_and(|replica| replica.member.standing().serves)
            {
                let to = self.names[to].clone();
                self.tell_of(host, || format!("{to} is to lead group {}", group.0));
                match self.step(host, group, Input::Transfer(to)) {
                    Err(Stop::Ended) => {
                        self.ended(host);
                        return Ok(());
                    }
                    other => other?,
                }
            }
        }
        Ok(())
    }
}
