//! Random numbers that are the same on every machine: SplitMix64, which is eight lines and passes the usual tests.

use fraud_detection::model::{exp, ln};

/// A sequence of random numbers, made by its seed.
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 (included) to 1 (not included).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number from `low` to `high`, both included, each as likely.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + (self.unit() * (high - low + 1) as f64) as u64
    }

    /// A whole number from `low`, at least 1, to `high`: each order of magnitude as likely, so small ones are frequent.
    pub fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let (from, to) = (ln(low as f64), ln((high + 1) as f64));
        (exp(from + self.unit() * (to - from)) as u64).clamp(low, high)
    }

    /// One of these, each as likely.
    pub fn pick<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[self.between(0, list.len() as u64 - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_makes_one_sequence() {
        // The first numbers that the algorithm's authors give for this seed.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_within_their_bounds_and_reach_them() {
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..1000).map(|_| random.between(3, 5)).collect();
        assert_eq!(drawn.iter().min(), Some(&3));
        assert_eq!(drawn.iter().max(), Some(&5));
        let drawn: Vec<u64> = (0..1000).map(|_| random.magnitude(1, 1000)).collect();
        assert!(drawn.iter().all(|number| (1..=1000).contains(number)));
        let small = drawn.iter().filter(|number| **number < 32).count();
        assert!((400..600).contains(&small), "{small}");
    }
}
