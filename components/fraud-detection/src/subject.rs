//! What of an order is looked at here, in the form in which it is kept between the events.
//!
//! Of the card only what tells who issued it: its number is not kept.

use crate::card;
use crate::model::{Shipping, Signals};
use catalogue::Book;
use checkout::bindings::bookshop::shop::types::{Item, Order, ShippingMethod};
use checkout::bytes::{Reader, Unreadable, Writer};

/// Digits at the beginning of a card's number that tell who issued it.
const ISSUER_DIGITS: usize = 9;

/// Lines of a basket that are looked at. Verification rejects longer baskets.
const LINES_MAX: usize = 100;

/// The part of an order that shows signs of fraud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The customer's name.
    pub name: &'a str,
    /// The customer's e-mail address.
    pub contact: &'a str,
    /// The first digits of the card's number.
    pub issuer: String,
    /// Whether the card is a well-known test card.
    pub is_test_card: bool,
    /// The country of the billing address.
    pub country: Option<&'a str>,
    /// The device's language.
    pub language: Option<&'a str>,
    /// How fast the books are to travel.
    pub shipping: ShippingMethod,
    /// Whether the books are to be wrapped as a gift.
    pub gift_wrapping: bool,
    /// Whether the customer gave a discount code.
    pub has_discount: bool,
    /// Whether the order says anything about the device or the browser.
    pub has_device: bool,
    /// The price of the basket.
    pub amount_cents: u64,
    /// The copies in the basket.
    pub copies: u64,
    /// The different titles in the basket.
    pub titles: u32,
}

/// When an order came and how many others of the same customer came before.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The hour of the day in UTC.
    pub hour_utc: u8,
    /// Orders of the same contact in the hour before.
    pub recent_orders: u32,
}

impl<'a> Subject<'a> {
    /// What an order shows.
    pub fn of(order: &'a Order) -> Self {
        let (amount_cents, copies, titles) = basket(&order.items);
        let number = order.credit_card.number.chars();
        let digits = number.filter(char::is_ascii_digit);
        let country = order
            .billing_address
            .as_ref()
            .map(|address| &address.country);
        let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        Self {
            name: &order.user.name,
            contact: &order.user.contact,
            issuer: digits.take(ISSUER_DIGITS).collect(),
            is_test_card: card::is_for_tests(&order.credit_card.number),
            country: country.map(String::as_str),
            language: order.device_language.as_deref(),
            shipping: order.shipping_method,
            gift_wrapping: order.gift_wrapping,
            has_discount: is_given(&order.discount_code),
            has_device: order.device.is_some() || order.browser.is_some(),
            amount_cents,
            copies,
            titles,
        }
    }

    /// The same for the models.
    pub fn signals(&self, circumstances: Circumstances) -> Signals<'_> {
        Signals {
            name: self.name,
            contact: self.contact,
            card_number: &self.issuer,
            country: self.country,
            amount_cents: self.amount_cents,
            copies: self.copies,
            titles: self.titles,
            shipping: match self.shipping {
                ShippingMethod::Standard => Shipping::Standard,
                ShippingMethod::Express => Shipping::Express,
                ShippingMethod::NextDay => Shipping::NextDay,
            },
            gift_wrapping: self.gift_wrapping,
            has_discount: self.has_discount,
            has_device: self.has_device,
            language: self.language,
            hour_utc: circumstances.hour_utc,
            recent_orders: circumstances.recent_orders,
        }
    }

    /// The form in which it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(128);
        writer.text(self.name);
        writer.text(self.contact);
        writer.text(&self.issuer);
        writer.flag(self.is_test_card);
        writer.option(self.country, Writer::text);
        writer.option(self.language, Writer::text);
        writer.number(self.shipping as u64);
        writer.flag(self.gift_wrapping);
        writer.flag(self.has_discount);
        writer.flag(self.has_device);
        writer.number(self.amount_cents);
        writer.number(self.copies);
        writer.number(self.titles.into());
        writer.finish()
    }

    /// Reads what [`Subject::to_bytes`] wrote.
    ///
    /// # Errors
    /// Something else wrote it.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            name: reader.text()?,
            contact: reader.text()?,
            issuer: reader.text()?.into(),
            is_test_card: reader.flag()?,
            country: reader.option(Reader::text)?,
            language: reader.option(Reader::text)?,
            shipping: match reader.number()? {
                0 => ShippingMethod::Standard,
                1 => ShippingMethod::Express,
                2 => ShippingMethod::NextDay,
                _ => return Err(Unreadable),
            },
            gift_wrapping: reader.flag()?,
            has_discount: reader.flag()?,
            has_device: reader.flag()?,
            amount_cents: reader.number()?,
            copies: reader.number()?,
            titles: reader.small()?,
        })
    }
}

/// Price in cents, copies, and different titles. Books that the shop does not have cost nothing.
fn basket(items: &[Item]) -> (u64, u64, u32) {
    let (mut amount_cents, mut copies) = (0, 0);
    let mut titles: Vec<&Book> = Vec::new();
    for item in items.iter().take(LINES_MAX) {
        let quantity = u64::try_from(item.quantity).unwrap_or(0);
        copies += quantity;
        if let Some(book) = catalogue::find(&item.name) {
            amount_cents += quantity * u64::from(book.price_cents);
            if !titles.iter().any(|title| title.id == book.id) {
                titles.push(book);
            }
        }
    }
    (amount_cents, copies, titles.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, quantity: i32) -> Item {
        Item {
            name: name.into(),
            quantity,
        }
    }

    #[test]
    fn a_basket_is_summed_up() {
        let check = |items: &[Item], expected| assert_eq!(basket(items), expected);
        check(&[], (0, 0, 0));
        check(&[item("Book A", 2), item("Book B", 1)], (3_500, 3, 2));
        check(&[item("Book A", 1), item("book-a", 1)], (2_000, 2, 1));
        check(&[item("No Such Book", 5), item("Book A", -5)], (0, 5, 1));
        let most = vec![item("Book A", i32::MAX); 101];
        let copies = 100 * u64::from(i32::MAX.unsigned_abs());
        check(&most, (copies * 1_000, copies, 1));
    }

    #[test]
    fn what_is_kept_is_what_came() {
        let subject = Subject {
            name: "Õnne",
            contact: "õnne@example.com",
            issuer: "411111111".into(),
            is_test_card: true,
            country: Some("Estonia"),
            language: None,
            shipping: ShippingMethod::NextDay,
            gift_wrapping: true,
            has_discount: false,
            has_device: true,
            amount_cents: 1_000_000,
            copies: 1_000,
            titles: 3,
        };
        let bytes = subject.to_bytes();
        assert_eq!(Subject::from_bytes(&bytes), Ok(subject));
        assert_eq!(Subject::from_bytes(&bytes[1..]), Err(Unreadable));
    }
}
