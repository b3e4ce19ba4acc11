//! What of an order is verified here, in the form in which it is kept between the events.

use checkout::bindings::bookshop::shop::types::Order;
use checkout::bytes::{Reader, Unreadable, Writer};

/// A line of the basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The book, by title or identity.
    pub name: &'a str,
    /// How many copies.
    pub quantity: i32,
}

/// A credit card. Secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Card<'a> {
    /// Digits, spaces and dashes.
    pub number: &'a str,
    /// `MM/YY` or `MM/YYYY`.
    pub expiration_date: &'a str,
    /// 3 or 4 digits.
    pub cvv: &'a str,
}

/// What a customer submitted. Nobody has checked it before.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission<'a> {
    /// The basket.
    pub lines: Vec<Line<'a>>,
    /// The user's name.
    pub name: &'a str,
    /// The user's e-mail address.
    pub contact: &'a str,
    /// Street, city, state, zip and country.
    pub address: Option<[&'a str; 5]>,
    /// Whether the customer accepted the terms.
    pub terms_accepted: bool,
    /// How the customer pays.
    pub card: Card<'a>,
}

impl<'a> Submission<'a> {
    /// The part of an order that is verified.
    pub fn of(order: &'a Order) -> Self {
        let lines = order.items.iter().map(|item| Line {
            name: &item.name,
            quantity: item.quantity,
        });
        let address = order.billing_address.as_ref().map(|address| {
            [
                address.street.as_str(),
                &address.city,
                &address.state,
                &address.zip,
                &address.country,
            ]
        });
        Self {
            lines: lines.collect(),
            name: &order.user.name,
            contact: &order.user.contact,
            address,
            terms_accepted: order.terms_accepted,
            card: Card {
                number: &order.credit_card.number,
                expiration_date: &order.credit_card.expiration_date,
                cvv: &order.credit_card.cvv,
            },
        }
    }

    /// The form in which it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(256);
        writer.list(&self.lines, |writer, line| {
            writer.text(line.name);
            writer.number(line.quantity.cast_unsigned().into());
        });
        writer.text(self.name);
        writer.text(self.contact);
        writer.option(self.address, |writer, fields| {
            fields.iter().for_each(|field| writer.text(field));
        });
        writer.flag(self.terms_accepted);
        writer.text(self.card.number);
        writer.text(self.card.expiration_date);
        writer.text(self.card.cvv);
        writer.finish()
    }

    /// Reads what [`Submission::to_bytes`] wrote.
    ///
    /// # Errors
    /// Something else wrote it.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            lines: reader.list(|reader| {
                Ok(Line {
                    name: reader.text()?,
                    quantity: reader.small::<u32>()?.cast_signed(),
                })
            })?,
            name: reader.text()?,
            contact: reader.text()?,
            address: reader.option(|reader| {
                let mut fields = [""; 5];
                for field in &mut fields {
                    *field = reader.text()?;
                }
                Ok(fields)
            })?,
            terms_accepted: reader.flag()?,
            card: Card {
                number: reader.text()?,
                expiration_date: reader.text()?,
                cvv: reader.text()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_came() {
        let card = Card {
            number: "4111 1111 1111 1111",
            expiration_date: "12/35",
            cvv: "123",
        };
        let mut submission = Submission {
            lines: vec![Line {
                name: "Book A",
                quantity: -1,
            }],
            name: "Õnne",
            contact: "",
            address: Some(["1", "2", "", "4", "5"]),
            terms_accepted: true,
            card,
        };
        // Compared without printing: a card is nothing for a log, not even that of a test.
        assert!(Submission::from_bytes(&submission.to_bytes()) == Ok(submission.clone()));
        submission.address = None;
        assert!(Submission::from_bytes(&submission.to_bytes()) == Ok(submission.clone()));
        assert!(Submission::from_bytes(b"\x07").is_err());
    }
}
