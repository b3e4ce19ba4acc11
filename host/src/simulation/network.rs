//! The network between simulated hosts: each direction of each pair is a link that delays, and may lose, repeat, overtake, or be cut.

use super::random::Random;
use std::time::Duration;

/// How often each fault happens, in cases out of a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkFaults {
    /// A message is lost.
    pub lost: u32,
    /// A message arrives twice.
    pub repeated: u32,
    /// A message does not wait for those before it.
    pub overtaking: u32,
    /// A message takes much longer.
    pub slow: u32,
}

/// How long a message is under way: at least, and up to so much more.
const TRAVEL_MIN_US: u64 = 40;
const TRAVEL_MORE_US: u64 = 260;
const SLOW_US: u64 = 400_000;
/// How long a flapping link is up, and then down.
const FLAP_MIN_US: u64 = 20_000;
const FLAP_MORE_US: u64 = 400_000;

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    is_cut: bool,
    /// It is up and down in turns of so long.
    flaps: Option<Duration>,
    /// When the last message arrives.
    busy_until: Duration,
}

/// Links between so many hosts.
pub struct Network {
    hosts: usize,
    links: Vec<Link>,
    faults: LinkFaults,
    random: Random,
}

impl Network {
    /// All links are up.
    #[must_use]
    pub fn new(hosts: usize, faults: LinkFaults, seed: u64) -> Self {
        Self {
            hosts,
            links: vec![Link::default(); hosts * hosts],
            faults,
            random: Random::new(seed),
        }
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.hosts + to]
    }

    /// Whether messages get through now.
    pub fn is_up(&mut self, from: usize, to: usize, now: Duration) -> bool {
        let link = *self.link(from, to);
        let is_down = link
            .flaps
            .is_some_and(|turn| now.as_nanos() / turn.as_nanos().max(1) % 2 == 1);
        !link.is_cut && !is_down
    }

    /// When a message that is sent now arrives: never, once or twice.
    pub fn send(&mut self, from: usize, to: usize, now: Duration) -> Vec<Duration> {
        if from != to && !self.is_up(from, to, now) || self.random.chance(self.faults.lost) {
            return Vec::new();
        }
        let mut arrivals = vec![self.arrival(from, to, now)];
        if self.random.chance(self.faults.repeated) {
            arrivals.push(self.arrival(from, to, now));
        }
        arrivals
    }

    fn arrival(&mut self, from: usize, to: usize, now: Duration) -> Duration {
        let mut travel_us = TRAVEL_MIN_US + self.random.below(TRAVEL_MORE_US);
        if self.random.chance(self.faults.slow) {
            travel_us += self.random.below(SLOW_US);
        }
        let overtakes = self.random.chance(self.faults.overtaking);
        let at = now + Duration::from_micros(travel_us);
        let link = self.link(from, to);
        if overtakes {
            return at;
        }
        link.busy_until = link.busy_until.max(at);
        link.busy_until
    }

    /// Everything is up and good again.
    pub fn heal(&mut self) {
        self.faults = LinkFaults::default();
        self.mend();
    }

    /// All links are up.
    pub fn mend(&mut self) {
        for link in &mut self.links {
            (link.is_cut, link.flaps) = (false, None);
        }
    }

    /// Cuts some links in one of the ways that are known to be hard. Says which.
    pub fn cut(&mut self) -> String {
        self.mend();
        let one = self.any();
        match self.random.below(6) {
            0 => {
                self.part(|from, to| (from == one) != (to == one));
                format!("host {one} is cut off")
            }
            1 => {
                self.part(|from, to| to == one && from != one);
                format!("host {one} hears nothing")
            }
            2 => {
                self.part(|from, to| from == one && to != one);
                format!("host {one} is not heard")
            }
            3 => {
                let other = (one + 1) % self.hosts;
                self.part(|from, to| (from, to) == (one, other) || (from, to) == (other, one));
                format!("hosts {one} and {other} do not reach each other")
            }
            4 => {
                // Both halves see the one between them, and not each other.
                let side = |host: usize| host == one || host.is_multiple_of(2);
                self.part(|from, to| from != one && to != one && side(from) != side(to));
                format!("only host {one} reaches all others")
            }
            _ => {
                let many = self.random.next();
                let side = |host: usize| many >> host & 1;
                self.part(|from, to| side(from) != side(to));
                format!(
                    "the hosts are parted by {:b}",
                    many & ((1 << self.hosts) - 1)
                )
            }
        }
    }

    /// Makes the links of one host go up and down. Says which.
    pub fn flap(&mut self) -> String {
        let one = self.any();
        let turn = Duration::from_micros(FLAP_MIN_US + self.random.below(FLAP_MORE_US));
        for from in 0..self.hosts {
            for to in 0..self.hosts {
                if (from == one) != (to == one) {
                    self.link(from, to).flaps = Some(turn);
                }
            }
        }
        format!(
            "the links of host {one} go up and down every {} ms",
            turn.as_millis()
        )
    }

    fn any(&mut self) -> usize {
        usize::try_from(self.random.below(self.hosts as u64)).unwrap_or(0)
    }

    fn part(&mut self, is_cut: impl Fn(usize, usize) -> bool) {
        for from in 0..self.hosts {
            for to in 0..self.hosts {
                self.link(from, to).is_cut = from != to && is_cut(from, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn without_faults_messages_arrive_once_and_in_their_order() {
        let mut network = Network::new(3, LinkFaults::default(), 1);
        let mut last = NOW;
        for _ in 0..1000 {
            let arrivals = network.send(0, 2, NOW);
            assert_eq!(arrivals.len(), 1);
            assert!(arrivals[0] >= last);
            last = arrivals[0];
        }
    }

    #[test]
    fn whatever_is_cut_gets_through_again_once_it_is_mended() {
        let mut network = Network::new(5, LinkFaults::default(), 7);
        for _ in 0..100 {
            network.cut();
            network.flap();
            network.mend();
            let up = |network: &mut Network, pair: usize| network.is_up(pair / 5, pair % 5, NOW);
            assert!((0..25).all(|pair| up(&mut network, pair)));
        }
    }
}
