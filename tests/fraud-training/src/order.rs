//! Makes one order of one kind of customer.

use crate::profile::Profile;
use crate::random::Random;
use fraud_detection::model::{Shipping, Signals};

/// An order that was made up. Its texts go through the same extraction as those of a checkout.
#[derive(Debug, Clone)]
pub struct Order {
    name: String,
    contact: String,
    card_number: String,
    country: Option<&'static str>,
    amount_cents: u64,
    copies: u64,
    titles: u32,
    shipping: Shipping,
    gift_wrapping: bool,
    has_discount: bool,
    has_device: bool,
    language: Option<&'static str>,
    hour_utc: u8,
    recent_orders: u32,
}

/// Where customers live: what they call it, its number in ISO 3166, a language, and its hours from UTC.
struct Place(&'static str, u16, &'static str, i16);

const PLACES: [Place; 12] = [
    Place("USA", 840, "en-US", -6),
    Place("United States", 840, "es-US", -6),
    Place("Estonia", 233, "et-EE", 2),
    Place("Eesti", 233, "ru-EE", 2),
    Place("United Kingdom", 826, "en-GB", 0),
    Place("DE", 276, "de-DE", 1),
    Place("Finland", 246, "fi-FI", 2),
    Place("France", 250, "fr-FR", 1),
    Place("India", 356, "en-IN", 5),
    Place("Japan", 392, "ja-JP", 9),
    Place("Brasil", 76, "pt-BR", -3),
    Place("Nigeria", 566, "en-NG", 1),
];

const GIVEN: [&str; 12] = [
    "John", "Mari", "Anna", "Liis", "Peter", "Juan", "Wei", "Amina", "Olga", "Tiina", "Emma", "Raj",
];
const FAMILY: [&str; 12] = [
    "Doe", "Tamm", "Smith", "Kask", "Garcia", "Chen", "Okafor", "Ivanova", "Virtanen", "Dubois",
    "Patel", "Weber",
];
const ROLES: [&str; 6] = ["orders", "customer", "library", "info", "buyer", "books"];
const DOMAINS: [&str; 6] = [
    "example.com",
    "gmail.com",
    "outlook.com",
    "mail.ee",
    "school.example",
    "proton.me",
];
const CHEAP: [&str; 4] = ["xyz", "top", "icu", "click"];
const DISPOSABLE: [&str; 4] = [
    "mailinator.com",
    "yopmail.com",
    "sharklasers.com",
    "tempmail.com",
];

/// First digits of cards that do not say where they were issued.
const SILENT_ISSUERS: [u64; 4] = [453_914, 471_660, 520_082, 541_333];

/// How often a card that is not from abroad says so.
const CARD_TELLS: f64 = 0.5;

/// How often a device that is described says its language.
const LANGUAGE_TELLS: f64 = 0.8;

impl Order {
    /// An order of this kind of customer.
    pub fn of(profile: &Profile, random: &mut Random) -> Self {
        let place = random.pick(&PLACES);
        let elsewhere = loop {
            let other = random.pick(&PLACES);
            if other.1 != place.1 {
                break other;
            }
        };
        let (given, family) = (*random.pick(&GIVEN), *random.pick(&FAMILY));
        let titles = random.magnitude(profile.titles.0, profile.titles.1);
        let copies = titles * random.magnitude(profile.copies.0, profile.copies.1);
        let price = random.magnitude(profile.price_cents.0, profile.price_cents.1);
        let has_address = random.chance(profile.address);
        let has_device = random.chance(profile.device);
        let speaks = if random.chance(profile.foreign) {
            elsewhere
        } else {
            place
        };
        Self {
            name: format!("{given} {family}"),
            contact: contact(profile, given, family, random),
            card_number: card_number(profile, place, elsewhere, random),
            country: has_address.then_some(place.0),
            amount_cents: copies * price,
            copies,
            titles: titles as u32,
            shipping: shipping(profile, random),
            gift_wrapping: random.chance(profile.gift),
            has_discount: random.chance(profile.discount),
            has_device,
            language: (has_device && random.chance(LANGUAGE_TELLS)).then_some(speaks.2),
            hour_utc: hour_utc(profile, place, random),
            recent_orders: recent_orders(profile, random),
        }
    }

    /// What the models see.
    pub fn signals(&self) -> Signals<'_> {
        Signals {
            name: &self.name,
            contact: &self.contact,
            card_number: &self.card_number,
            country: self.country,
            amount_cents: self.amount_cents,
            copies: self.copies,
            titles: self.titles,
            shipping: self.shipping,
            gift_wrapping: self.gift_wrapping,
            has_discount: self.has_discount,
            has_device: self.has_device,
            language: self.language,
            hour_utc: self.hour_utc,
            recent_orders: self.recent_orders,
        }
    }
}

fn contact(profile: &Profile, given: &str, family: &str, random: &mut Random) -> String {
    let mut local = if random.chance(profile.named) {
        match random.between(0, 2) {
            0 => format!("{given}.{family}"),
            1 => format!("{}{family}", &given[..1]),
            _ => given.to_owned(),
        }
    } else if random.chance(0.5) {
        (*random.pick(&ROLES)).to_owned()
    } else {
        let letters = random.between(4, 9);
        (0..letters)
            .map(|_| *random.pick(b"abcdefghiklmnopqrstuvxz") as char)
            .collect()
    }
    .to_ascii_lowercase();
    if random.chance(profile.digits) {
        let digits = random.magnitude(1, 6);
        local.extend((0..digits).map(|_| *random.pick(b"0123456789") as char));
    }
    let domain = random.unit();
    if domain < profile.disposable {
        format!("{local}@{}", random.pick(&DISPOSABLE))
    } else if domain < profile.disposable + profile.cheap {
        format!(
            "{local}@mail{}.{}",
            random.between(1, 99),
            random.pick(&CHEAP)
        )
    } else {
        format!("{local}@{}", random.pick(&DOMAINS))
    }
}

/// Sixteen digits; whether the last one is right is checked before anyone asks for fraud.
fn card_number(profile: &Profile, place: &Place, elsewhere: &Place, random: &mut Random) -> String {
    let country = if random.chance(profile.abroad) {
        Some(elsewhere.1)
    } else {
        random.chance(CARD_TELLS).then_some(place.1)
    };
    let account = random.between(1_000_000, 9_999_999);
    match country {
        Some(country) => format!("400000{country:03}{account}"),
        None => format!(
            "{}{}{account}",
            random.pick(&SILENT_ISSUERS),
            random.between(100, 999)
        ),
    }
}

fn shipping(profile: &Profile, random: &mut Random) -> Shipping {
    let drawn = random.unit();
    if drawn < profile.next_day {
        Shipping::NextDay
    } else if drawn < profile.next_day + profile.express {
        Shipping::Express
    } else {
        Shipping::Standard
    }
}

/// Night is from midnight to five, day the rest; both where the customer is.
fn hour_utc(profile: &Profile, place: &Place, random: &mut Random) -> u8 {
    let local = if random.chance(profile.night) {
        random.between(0, 4)
    } else {
        random.between(5, 23)
    };
    (local as i16 - place.3).rem_euclid(24) as u8
}

fn recent_orders(profile: &Profile, random: &mut Random) -> u32 {
    if random.chance(profile.repeats) {
        random.magnitude(profile.recent.0, profile.recent.1) as u32
    } else {
        0
    }
}
