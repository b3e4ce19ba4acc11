//! Who orders, and how: the whole of what the generated data assume.
//!
//! Made up, and meant to be plausible: no figure here was measured. Each kind of customer is one row of numbers, which
//! `REPORT.md` prints. Honest kinds share every single sign with fraud (night, no device, many orders, another country):
//! only signs that come together tell.

/// A kind of customer. What has no unit is a probability.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// What the report calls it.
    pub name: &'static str,
    /// Whether their orders are fraud.
    pub is_fraud: bool,
    /// Their share of all orders.
    pub share: f64,
    /// Different titles, from and to; few are more frequent than many.
    pub titles: (u64, u64),
    /// Copies of each title, likewise.
    pub copies: (u64, u64),
    /// The average price of a copy in cents, likewise.
    pub price_cents: (u64, u64),
    /// Orders of the same contact in the hour before, from and to, likewise; if any.
    pub recent: (u64, u64),
    /// There are such orders.
    pub repeats: f64,
    /// It is night where they are.
    pub night: f64,
    /// The address is at a provider of throw-away ones.
    pub disposable: f64,
    /// It is in a top-level domain that costs next to nothing.
    pub cheap: f64,
    /// It has digits.
    pub digits: f64,
    /// It has a part of their name.
    pub named: f64,
    /// The card says where it was issued, and that is another country than it is billed in.
    pub abroad: f64,
    /// The device speaks the language of another country.
    pub foreign: f64,
    /// The order has a billing address.
    pub address: f64,
    /// It tells about its device.
    pub device: f64,
    /// The books are a gift.
    pub gift: f64,
    /// They travel by express.
    pub express: f64,
    /// They travel by the next day.
    pub next_day: f64,
    /// The order has a discount code.
    pub discount: f64,
}

/// An honest customer of whom nothing special is known; the other kinds differ from this one.
const READER: Profile = Profile {
    name: "reader",
    is_fraud: false,
    share: 0.46,
    titles: (1, 5),
    copies: (1, 2),
    price_cents: (500, 5000),
    recent: (1, 2),
    repeats: 0.04,
    night: 0.06,
    disposable: 0.004,
    cheap: 0.01,
    digits: 0.25,
    named: 0.80,
    abroad: 0.015,
    foreign: 0.15,
    address: 0.75,
    device: 0.90,
    gift: 0.08,
    express: 0.18,
    next_day: 0.06,
    discount: 0.25,
};

/// Every kind of customer.
pub const PROFILES: [Profile; 13] = [
    READER,
    Profile {
        name: "giver of gifts",
        share: 0.08,
        titles: (1, 3),
        price_cents: (1500, 8000),
        gift: 0.90,
        express: 0.40,
        next_day: 0.35,
        ..READER
    },
    Profile {
        name: "traveller",
        share: 0.06,
        night: 0.25,
        abroad: 0.70,
        foreign: 0.65,
        address: 0.85,
        named: 0.85,
        ..READER
    },
    Profile {
        name: "night owl",
        share: 0.06,
        night: 0.85,
        express: 0.25,
        next_day: 0.15,
        ..READER
    },
    Profile {
        name: "private person",
        share: 0.03,
        titles: (1, 3),
        copies: (1, 1),
        disposable: 0.35,
        cheap: 0.25,
        digits: 0.55,
        named: 0.15,
        address: 0.25,
        device: 0.20,
        discount: 0.10,
        ..READER
    },
    Profile {
        name: "institution",
        share: 0.08,
        titles: (1, 20),
        copies: (3, 1000),
        recent: (1, 30),
        repeats: 0.40,
        digits: 0.30,
        named: 0.25,
        foreign: 0.30,
        address: 0.85,
        device: 0.50,
        gift: 0.02,
        express: 0.35,
        next_day: 0.20,
        ..READER
    },
    Profile {
        name: "partner's program",
        share: 0.09,
        titles: (1, 4),
        copies: (1, 3),
        price_cents: (500, 6000),
        recent: (1, 10_000),
        repeats: 0.70,
        night: 0.25,
        digits: 0.50,
        named: 0.30,
        address: 0.30,
        device: 0.05,
        gift: 0.15,
        express: 0.30,
        next_day: 0.25,
        discount: 0.10,
        ..READER
    },
    Profile {
        name: "wholesaler's program",
        share: 0.04,
        titles: (1, 20),
        copies: (1, 1000),
        recent: (1, 1000),
        repeats: 0.50,
        night: 0.25,
        digits: 0.40,
        named: 0.30,
        address: 0.50,
        device: 0.05,
        gift: 0.05,
        express: 0.30,
        next_day: 0.25,
        discount: 0.10,
        ..READER
    },
    Profile {
        name: "tester of stolen cards",
        is_fraud: true,
        share: 0.028,
        titles: (1, 1),
        copies: (1, 1),
        price_cents: (500, 1500),
        recent: (2, 40),
        repeats: 0.85,
        night: 0.45,
        disposable: 0.55,
        cheap: 0.38,
        digits: 0.80,
        named: 0.08,
        abroad: 0.35,
        foreign: 0.30,
        address: 0.25,
        device: 0.05,
        gift: 0.02,
        discount: 0.02,
        ..READER
    },
    Profile {
        name: "reseller with stolen cards",
        is_fraud: true,
        share: 0.030,
        titles: (3, 12),
        copies: (2, 20),
        price_cents: (3000, 12_000),
        recent: (1, 6),
        repeats: 0.45,
        night: 0.35,
        disposable: 0.12,
        cheap: 0.28,
        digits: 0.70,
        named: 0.15,
        abroad: 0.75,
        foreign: 0.50,
        address: 0.90,
        device: 0.35,
        gift: 0.03,
        express: 0.25,
        next_day: 0.65,
        discount: 0.03,
    },
    Profile {
        name: "thrown-away identity",
        is_fraud: true,
        share: 0.022,
        titles: (1, 6),
        copies: (1, 4),
        price_cents: (2500, 10_000),
        repeats: 0.20,
        night: 0.30,
        disposable: 0.60,
        cheap: 0.30,
        digits: 0.75,
        named: 0.10,
        abroad: 0.50,
        foreign: 0.35,
        address: 0.70,
        device: 0.25,
        gift: 0.40,
        express: 0.40,
        next_day: 0.35,
        discount: 0.15,
        ..READER
    },
    Profile {
        name: "crew from abroad",
        is_fraud: true,
        share: 0.014,
        titles: (1, 8),
        copies: (1, 6),
        price_cents: (2000, 9000),
        repeats: 0.30,
        night: 0.65,
        disposable: 0.05,
        cheap: 0.30,
        digits: 0.55,
        named: 0.30,
        abroad: 0.85,
        foreign: 0.85,
        address: 0.95,
        device: 0.80,
        express: 0.40,
        next_day: 0.45,
        discount: 0.05,
        ..READER
    },
    Profile {
        name: "careful thief",
        is_fraud: true,
        share: 0.006,
        price_cents: (1500, 8000),
        named: 0.60,
        abroad: 0.20,
        express: 0.35,
        next_day: 0.25,
        discount: 0.10,
        ..READER
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_a_whole() {
        let sum: f64 = PROFILES.iter().map(|profile| profile.share).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
}
