//! Ticks from the host's time, and how long to wait for a leader.
//!
//! `raft` draws its timeout from the operating system's randomness at every change of state. That is replaced before each tick by a number that
//! depends on nothing but the seed, the term and how often this replica campaigned, so that equal runs are equal, natively as well.

use crate::failover::Failover;

/// The time of one replica.
pub struct Time {
    seed: u64,
    tick_ms: u64,
    election_ticks: u64,
    /// Up to when ticks were counted; none before the first step.
    counted_ms: Option<u64>,
    /// The time of this step.
    now_ms: u64,
    /// How often this replica campaigned because its patience ended.
    campaigns: u64,
}

/// What passed since the step before.
#[derive(Debug, PartialEq, Eq)]
pub enum Passed {
    /// So many ticks.
    Ticks(u64),
    /// So much that this process cannot have run all the while: what others said meanwhile may still be unread.
    ///
    /// It was so many ticks.
    Pause(u64),
}

impl Time {
    /// Of a replica with `seed`.
    pub fn new(seed: u64, tick_ms: u64, election_ticks: u64) -> Self {
        Self {
            seed,
            tick_ms: tick_ms.max(1),
            election_ticks: election_ticks.max(1),
            counted_ms: None,
            now_ms: 0,
            campaigns: 0,
        }
    }

    /// The time of this step.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The shortest time without a leader after which to campaign.
    pub fn election_ms(&self) -> u64 {
        self.election_ticks.saturating_mul(self.tick_ms)
    }

    /// Goes on to `now_ms`. A time before the last one counts as the last one.
    pub fn advance(&mut self, now_ms: u64) -> Passed {
        self.now_ms = self.now_ms.max(now_ms);
        let counted_ms = *self.counted_ms.get_or_insert(self.now_ms);
        let ticks = (self.now_ms - counted_ms) / self.tick_ms;
        self.counted_ms = Some(counted_ms + ticks * self.tick_ms);
        if ticks > self.election_ticks {
            Passed::Pause(ticks)
        } else {
            Passed::Ticks(ticks)
        }
    }

    /// How long it is to the tick that is `ticks` ahead.
    pub fn until_tick(&self, ticks: u64) -> u64 {
        let counted_ms = self.counted_ms.unwrap_or(self.now_ms);
        counted_ms
            .saturating_add(ticks.saturating_mul(self.tick_ms))
            .saturating_sub(self.now_ms)
    }

    /// The longest time between two steps of a replica that waits for a leader: a longer one shall be known for a pause.
    pub fn longest_wait_ticks(&self) -> u64 {
        (self.election_ticks / 2).max(1)
    }

    /// This replica campaigned because its patience had ended.
    pub fn campaigned(&mut self) {
        self.campaigns += 1;
    }

    /// How many ticks to wait for a leader that was there, if `rank` others are to campaign before.
    pub fn staggered_ticks(&self, rank: u64) -> u64 {
        let later = Failover::stagger_ticks(rank, self.tick_ms);
        // `raft` takes less than twice the timeout.
        self.election_ticks + later.min(self.election_ticks - 1)
    }

    /// How many ticks to wait for one in `term`, where there was none: from one election timeout up to, but not including, two.
    pub fn patience_ticks(&self, term: u64) -> u64 {
        let drawn = mix(self.seed ^ mix(term ^ mix(self.campaigns)));
        self.election_ticks + drawn % self.election_ticks
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014): every bit of the input counts.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_caught_up_and_no_part_of_one_is_lost() {
        let mut time = Time::new(1, 10, 10);
        let passed: Vec<Passed> = [5, 14, 15, 38, 38, 30, 65]
            .map(|now_ms| time.advance(now_ms))
            .into();
        let expected = [0, 0, 1, 2, 0, 0, 3].map(Passed::Ticks);
        assert_eq!(passed, expected);
        assert_eq!(time.until_tick(1), 10);
        assert_eq!(time.until_tick(0), 0);
    }

    #[test]
    fn a_long_gap_is_a_pause() {
        let mut time = Time::new(1, 10, 10);
        time.advance(0);
        assert_eq!(time.advance(100), Passed::Ticks(10));
        assert_eq!(time.advance(210), Passed::Pause(11));
        assert_eq!(time.advance(220), Passed::Ticks(1));
    }

    #[test]
    fn replicas_that_lose_a_leader_give_it_up_in_their_order_and_before_twice_the_timeout() {
        let staggered = |tick_ms| {
            let time = Time::new(1, tick_ms, 10);
            [0, 1, 2, 9].map(|rank| time.staggered_ticks(rank))
        };
        assert_eq!(staggered(10), [11, 14, 17, 19]);
        assert_eq!(staggered(100), [11, 12, 13, 19]);
    }

    #[test]
    fn patience_is_between_one_timeout_and_two_and_differs_between_replicas_and_terms() {
        let patience = |seed, term| Time::new(seed, 10, 10).patience_ticks(term);
        let all: Vec<u64> = (0..1000).map(|seed| patience(seed, seed / 10)).collect();
        assert!(all.iter().all(|ticks| (10..20).contains(ticks)));
        for ticks in 10..20 {
            assert!(all.contains(&ticks), "{ticks} never comes");
        }
        assert_eq!(patience(7, 3), patience(7, 3));
    }
}
