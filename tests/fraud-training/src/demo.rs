//! Orders to send to a running shop, to see the two versions decide.

use fraud_detection::model::{Shipping, Signals};

/// One order, as a customer would place it.
pub struct Demo {
    /// What is to be seen.
    pub title: &'static str,
    /// Whether version 1 and version 2 reject it, at any hour and however often it is sent.
    pub rejected: [bool; 2],
    name: &'static str,
    contact: &'static str,
    card_number: &'static str,
    /// Where the bill goes and what language the device speaks, for an order that says so.
    home: Option<(&'static str, &'static str)>,
    copies_each: u32,
    /// What is in the basket: books of the catalogue.
    books: &'static [&'static str],
    shipping: Shipping,
}

/// A customer at home, who buys two books.
const ORDINARY: Demo = Demo {
    title: "Two books, billed at home: both versions approve it",
    rejected: [false, false],
    name: "John Doe",
    contact: "john.doe@example.com",
    card_number: "4111 1111 1111 1111",
    home: Some(("USA", "en-US")),
    copies_each: 1,
    books: &["Book A", "Book B"],
    shipping: Shipping::Standard,
};

/// Every demonstration.
pub const DEMOS: [Demo; 5] = [
    ORDINARY,
    Demo {
        title: "Ten copies each of dear books, by a card from abroad: only version 2 rejects it",
        rejected: [false, true],
        contact: "john.doe7@example.com",
        card_number: "6200 0000 0000 0005",
        copies_each: 10,
        books: &[
            "Learning Python",
            "JavaScript - The Good Parts",
            "Domain-Driven Design",
            "Design Patterns",
            "Book B",
        ],
        ..ORDINARY
    },
    Demo {
        title: "Class sets for a school with an odd address, in a hurry: only version 1 rejects it",
        rejected: [true, false],
        name: "Mari Tamm",
        contact: "tellimus77@kool.click",
        home: Some(("Estonia", "et-EE")),
        copies_each: 40,
        books: &[
            "Learning Python",
            "Emma",
            "Dracula",
            "Jane Eyre",
            "Frankenstein",
            "Middlemarch",
        ],
        shipping: Shipping::NextDay,
        ..ORDINARY
    },
    Demo {
        title: "A gift from somebody who lives abroad, in a hurry: only version 1 rejects it",
        rejected: [true, false],
        name: "Mari Tamm",
        contact: "mari@tamm.click",
        card_number: "6200 0000 0000 0005",
        home: Some(("Estonia", "et-EE")),
        books: &["Emma", "Middlemarch"],
        shipping: Shipping::NextDay,
        ..ORDINARY
    },
    Demo {
        title: "Everything at once: both versions reject it",
        rejected: [true, true],
        contact: "x8814920@cards.xyz",
        card_number: "6200 0000 0000 0005",
        copies_each: 5,
        books: &[
            "Learning Python",
            "Design Patterns",
            "Domain-Driven Design",
            "JavaScript - The Good Parts",
        ],
        shipping: Shipping::NextDay,
        ..ORDINARY
    },
];

impl Demo {
    /// What the models see at this hour, after so many orders.
    pub fn signals(&self, hour_utc: u8, recent_orders: u32) -> Signals<'_> {
        let prices = self.books.iter().map(|title| {
            let book = catalogue::find(title).expect("demonstrations name books of the catalogue");
            u64::from(book.price_cents)
        });
        let titles = self.books.len() as u32;
        Signals {
            name: self.name,
            contact: self.contact,
            card_number: self.card_number,
            country: self.home.map(|(country, _)| country),
            amount_cents: prices.sum::<u64>() * u64::from(self.copies_each),
            copies: u64::from(titles * self.copies_each),
            titles,
            shipping: self.shipping,
            gift_wrapping: false,
            has_discount: false,
            has_device: self.home.is_some(),
            language: self.home.map(|(_, language)| language),
            hour_utc,
            recent_orders,
        }
    }

    /// The body of the checkout. Every text in it is plain ASCII without quotes.
    pub fn json(&self) -> String {
        let items = self
            .books
            .iter()
            .map(|title| format!(r#"{{"name": "{title}", "quantity": {}}}"#, self.copies_each));
        let home = self.home.map_or_else(String::new, |(country, language)| {
            format!(
                r#"
  "billingAddress": {{"street": "1 Main Street", "city": "Town", "state": "State", "zip": "12345", "country": "{country}"}},
  "device": {{"type": "Computer"}}, "deviceLanguage": "{language}","#
            )
        });
        let shipping = match self.shipping {
            Shipping::Standard => "Standard",
            Shipping::Express => "Express",
            Shipping::NextDay => "Next-Day",
        };
        format!(
            r#"{{
  "user": {{"name": "{}", "contact": "{}"}},
  "creditCard": {{"number": "{}", "expirationDate": "12/2035", "cvv": "123"}},
  "items": [
    {}
  ],{home}
  "shippingMethod": "{shipping}",
  "termsAccepted": true
}}"#,
            self.name,
            self.contact,
            self.card_number,
            items.collect::<Vec<_>>().join(",\n    "),
        )
    }
}
