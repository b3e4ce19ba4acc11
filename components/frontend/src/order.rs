//! An order as the client writes it.
//!
//! Checks types only: what is missing or `null` becomes empty or absent, for transaction verification to judge.

use crate::bindings::bookshop::shop::types::{
    Address, Browser, CreditCard, Device, Item, Order, ShippingMethod, User,
};
use crate::json::{self, Problem, Reader};
use crate::refusal::Refusal;

/// Reads the order in the body of a checkout. Unknown fields are ignored.
///
/// # Errors
/// [`Refusal::InvalidRequest`]: it is not a JSON object, or a field has the wrong type; the message has the field's path.
pub fn parse(body: &[u8], id: String) -> Result<Order, Refusal> {
    json::read(body, |reader| order(reader, id))
}

fn order(reader: &mut Reader, id: String) -> Result<Order, Problem> {
    let mut order = empty(id);
    // Cards and consents can be given in two places each.
    let (mut outer_card, mut inner_card) = (None, None);
    let (mut short_terms, mut long_terms) = (None, None);
    reader.object(|reader, name| {
        match name {
            "user" => {
                let read = reader.optional(user)?;
                (order.user, inner_card) = read.unwrap_or_else(|| (nobody(), None));
            }
            "creditCard" => outer_card = reader.optional(credit_card)?,
            "items" => order.items = optional_array(reader, item)?,
            "billingAddress" => order.billing_address = reader.optional(address)?,
            "shippingMethod" => {
                let read = reader.optional(shipping_method)?;
                order.shipping_method = read.unwrap_or(ShippingMethod::Standard);
            }
            "giftWrapping" => {
                order.gift_wrapping = reader.optional(Reader::boolean)?.unwrap_or(false);
            }
            "termsAccepted" => short_terms = reader.optional(Reader::boolean)?,
            "termsAndConditionsAccepted" => long_terms = reader.optional(Reader::boolean)?,
            "userComment" => order.user_comment = reader.optional(Reader::text)?,
            "discountCode" => order.discount_code = reader.optional(Reader::text)?,
            "giftMessage" => order.gift_message = reader.optional(Reader::text)?,
            "notificationPreferences" => {
                order.notification_preferences = optional_array(reader, Reader::text)?;
            }
            "device" => order.device = reader.optional(device)?,
            "browser" => order.browser = reader.optional(browser)?,
            "appVersion" => order.app_version = reader.optional(Reader::text)?,
            "screenResolution" => order.screen_resolution = reader.optional(Reader::text)?,
            "referrer" => order.referrer = reader.optional(Reader::text)?,
            "deviceLanguage" => order.device_language = reader.optional(Reader::text)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    // The original page puts the card into the user.
    if let Some(card) = outer_card.or(inner_card) {
        order.credit_card = card;
    }
    // Consent that is given under one name and denied under the other is not given.
    order.terms_accepted =
        short_terms.or(long_terms).unwrap_or(false) && long_terms.unwrap_or(true);
    Ok(order)
}

/// An order of which only the identity is known.
fn empty(id: String) -> Order {
    Order {
        id,
        user: nobody(),
        credit_card: CreditCard {
            number: String::new(),
            expiration_date: String::new(),
            cvv: String::new(),
        },
        items: Vec::new(),
        billing_address: None,
        shipping_method: ShippingMethod::Standard,
        gift_wrapping: false,
        terms_accepted: false,
        user_comment: None,
        discount_code: None,
        gift_message: None,
        notification_preferences: Vec::new(),
        device: None,
        browser: None,
        app_version: None,
        screen_resolution: None,
        referrer: None,
        device_language: None,
    }
}

fn nobody() -> User {
    User {
        name: String::new(),
        contact: String::new(),
    }
}

fn user(reader: &mut Reader) -> Result<(User, Option<CreditCard>), Problem> {
    let (mut user, mut card) = (nobody(), None);
    reader.object(|reader, name| {
        match name {
            "name" => user.name = text(reader)?,
            "contact" => user.contact = text(reader)?,
            "creditCard" => card = reader.optional(credit_card)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok((user, card))
}

fn credit_card(reader: &mut Reader) -> Result<CreditCard, Problem> {
    let [number, expiration_date, cvv] = texts(reader, ["number", "expirationDate", "cvv"])?;
    Ok(CreditCard {
        number,
        expiration_date,
        cvv,
    })
}

/// A book's identity stands for its title where there is none.
fn item(reader: &mut Reader) -> Result<Item, Problem> {
    let (mut title, mut book_id, mut quantity) = (None, None, 0);
    reader.object(|reader, name| {
        match name {
            "name" => title = reader.optional(Reader::text)?,
            "bookId" => book_id = reader.optional(Reader::text)?,
            "quantity" => quantity = reader.optional(Reader::integer)?.unwrap_or(0),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(Item {
        name: title.or(book_id).unwrap_or_default(),
        quantity,
    })
}

fn address(reader: &mut Reader) -> Result<Address, Problem> {
    let [street, city, state, zip, country] =
        texts(reader, ["street", "city", "state", "zip", "country"])?;
    Ok(Address {
        street,
        city,
        state,
        zip,
        country,
    })
}

fn shipping_method(reader: &mut Reader) -> Result<ShippingMethod, Problem> {
    match reader.text()?.as_str() {
        "Standard" => Ok(ShippingMethod::Standard),
        "Express" => Ok(ShippingMethod::Express),
        "Next-Day" => Ok(ShippingMethod::NextDay),
        _ => Err(Problem::wrong("must be Standard, Express or Next-Day")),
    }
}

fn device(reader: &mut Reader) -> Result<Device, Problem> {
    let [type_, model, os] = optional_texts(reader, ["type", "model", "os"])?;
    Ok(Device { type_, model, os })
}

fn browser(reader: &mut Reader) -> Result<Browser, Problem> {
    let [name, version] = optional_texts(reader, ["name", "version"])?;
    Ok(Browser { name, version })
}

fn text(reader: &mut Reader) -> Result<String, Problem> {
    Ok(reader.optional(Reader::text)?.unwrap_or_default())
}

/// An object's members with these names, each a text; empty where there is none.
fn texts<const COUNT: usize>(
    reader: &mut Reader,
    names: [&str; COUNT],
) -> Result<[String; COUNT], Problem> {
    Ok(optional_texts(reader, names)?.map(Option::unwrap_or_default))
}

/// An object's members with these names, each a text.
fn optional_texts<const COUNT: usize>(
    reader: &mut Reader,
    names: [&str; COUNT],
) -> Result<[Option<String>; COUNT], Problem> {
    let mut texts = [const { None }; COUNT];
    reader.object(|reader, name| {
        match names.iter().position(|wanted| *wanted == name) {
            Some(place) => texts[place] = reader.optional(Reader::text)?,
            None => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(texts)
}

fn optional_array<'a, T>(
    reader: &mut Reader<'a>,
    element: fn(&mut Reader<'a>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    Ok(reader
        .optional(|reader| reader.array(element))?
        .unwrap_or_default())
}

#[cfg(test)]
mod tests;
