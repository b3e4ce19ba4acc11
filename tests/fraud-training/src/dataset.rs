//! Generated orders with what they are: one set to learn from, one to choose by, and one that neither has seen.

use crate::order::Order;
use crate::profile::{PROFILES, Profile};
use crate::random::Random;
use fraud_detection::model::Features;

/// One order of which it is known what it is.
#[derive(Debug, Clone)]
pub struct Example {
    /// Who ordered.
    pub profile: &'static Profile,
    /// What they ordered.
    pub order: Order,
    /// What the models see of it.
    pub features: Features,
}

impl Example {
    /// 1 for fraud, 0 for an honest order.
    pub fn label(&self) -> f64 {
        if self.profile.is_fraud { 1.0 } else { 0.0 }
    }
}

/// What a set of examples is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The models learn from it.
    Training,
    /// What cannot be learnt (how much to learn) is chosen by it.
    Validation,
    /// Only measured on.
    HeldOut,
}

impl Split {
    /// What makes this set, and no other.
    pub fn seed(self) -> u64 {
        match self {
            Self::Training => 1,
            Self::Validation => 2,
            Self::HeldOut => 3,
        }
    }

    /// How many orders it has.
    pub fn size(self) -> usize {
        match self {
            Self::Training => 40_000,
            Self::Validation | Self::HeldOut => 20_000,
        }
    }

    /// The orders: the same ones each time.
    pub fn examples(self) -> Vec<Example> {
        // Sequences of neighbouring seeds overlap; spread out, those of these three are far apart.
        let mut random = Random::new(self.seed().wrapping_mul(0x632b_e59b_d9b4_e019));
        (0..self.size()).map(|_| example(&mut random)).collect()
    }
}

fn example(random: &mut Random) -> Example {
    let mut drawn = random.unit();
    let mut profile = &PROFILES[0];
    for candidate in &PROFILES {
        profile = candidate;
        drawn -= candidate.share;
        if drawn < 0.0 {
            break;
        }
    }
    let order = Order::of(profile, random);
    let features = Features::of(&order.signals());
    Example {
        profile,
        order,
        features,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_the_same_each_time_and_unlike_the_others() {
        let first = |split: Split| format!("{:?}", split.examples()[0].order);
        assert_eq!(first(Split::Training), first(Split::Training));
        assert_ne!(first(Split::Training), first(Split::Validation));
        assert_ne!(first(Split::Validation), first(Split::HeldOut));
    }

    #[test]
    fn a_tenth_of_the_orders_is_fraud() {
        let examples = Split::HeldOut.examples();
        let frauds = examples.iter().filter(|example| example.profile.is_fraud);
        let share = frauds.count() as f64 / examples.len() as f64;
        assert!((0.09..0.11).contains(&share), "{share}");
    }
}
