//! An order as the client writes it.
//!
//! Checks types only: what is missing becomes empty or absent, for transaction verification to judge.

use crate::bindings::bookshop::shop::types::{
    Address, Browser, CreditCard, Device, Item, Order, ShippingMethod, User,
};
use crate::json::{self, Field};
use crate::refusal::Refusal;

/// Reads the order in the body of a checkout. Unknown fields are ignored.
///
/// # Errors
/// [`Refusal::InvalidRequest`]: it is not a JSON object, or a field has the wrong type; the message has the field's path.
pub fn parse(body: &[u8], id: String) -> Result<Order, Refusal> {
    let value = json::parse(body)?;
    let root = Field::of(&value);
    let user = root.member("user")?;
    Ok(Order {
        id,
        user: User {
            name: text(&user, "name")?,
            contact: text(&user, "contact")?,
        },
        credit_card: credit_card(&root, &user)?,
        items: root
            .member("items")?
            .elements()?
            .map(|line| item(&line))
            .collect::<Result<_, _>>()?,
        billing_address: if_present(&root.member("billingAddress")?, address)?,
        shipping_method: shipping_method(&root.member("shippingMethod")?)?,
        gift_wrapping: root.member("giftWrapping")?.boolean()?.unwrap_or(false),
        terms_accepted: terms_accepted(&root)?,
        user_comment: optional_text(&root, "userComment")?,
        discount_code: optional_text(&root, "discountCode")?,
        gift_message: optional_text(&root, "giftMessage")?,
        notification_preferences: texts(&root.member("notificationPreferences")?)?,
        device: if_present(&root.member("device")?, device)?,
        browser: if_present(&root.member("browser")?, browser)?,
        app_version: optional_text(&root, "appVersion")?,
        screen_resolution: optional_text(&root, "screenResolution")?,
        referrer: optional_text(&root, "referrer")?,
        device_language: optional_text(&root, "deviceLanguage")?,
    })
}

/// The card, which the original page puts into the user.
fn credit_card(root: &Field, user: &Field) -> Result<CreditCard, Refusal> {
    let (outer, inner) = (root.member("creditCard")?, user.member("creditCard")?);
    let card = if outer.is_present() { &outer } else { &inner };
    Ok(CreditCard {
        number: text(card, "number")?,
        expiration_date: text(card, "expirationDate")?,
        cvv: text(card, "cvv")?,
    })
}

fn item(line: &Field) -> Result<Item, Refusal> {
    let name = match optional_text(line, "name")? {
        Some(name) => name,
        None => text(line, "bookId")?,
    };
    Ok(Item {
        name,
        quantity: line.member("quantity")?.integer()?.unwrap_or(0),
    })
}

fn address(field: &Field) -> Result<Address, Refusal> {
    Ok(Address {
        street: text(field, "street")?,
        city: text(field, "city")?,
        state: text(field, "state")?,
        zip: text(field, "zip")?,
        country: text(field, "country")?,
    })
}

fn shipping_method(field: &Field) -> Result<ShippingMethod, Refusal> {
    match field.text()? {
        None | Some("Standard") => Ok(ShippingMethod::Standard),
        Some("Express") => Ok(ShippingMethod::Express),
        Some("Next-Day") => Ok(ShippingMethod::NextDay),
        Some(_) => Err(Refusal::InvalidRequest(format!(
            "{} must be Standard, Express or Next-Day",
            field.path()
        ))),
    }
}

/// Under either name. Consent that is given under one and denied under the other is not given.
fn terms_accepted(root: &Field) -> Result<bool, Refusal> {
    let short = root.member("termsAccepted")?.boolean()?;
    let long = root.member("termsAndConditionsAccepted")?.boolean()?;
    Ok(short.or(long).unwrap_or(false) && long.unwrap_or(true))
}

fn device(field: &Field) -> Result<Device, Refusal> {
    Ok(Device {
        type_: optional_text(field, "type")?,
        model: optional_text(field, "model")?,
        os: optional_text(field, "os")?,
    })
}

fn browser(field: &Field) -> Result<Browser, Refusal> {
    Ok(Browser {
        name: optional_text(field, "name")?,
        version: optional_text(field, "version")?,
    })
}

fn if_present<T>(
    field: &Field,
    read: impl FnOnce(&Field) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    field.is_present().then(|| read(field)).transpose()
}

fn text(object: &Field, name: &str) -> Result<String, Refusal> {
    optional_text(object, name).map(Option::unwrap_or_default)
}

fn optional_text(object: &Field, name: &str) -> Result<Option<String>, Refusal> {
    object
        .member(name)?
        .text()
        .map(|text| text.map(str::to_owned))
}

fn texts(array: &Field) -> Result<Vec<String>, Refusal> {
    let texts = array.elements()?.map(|element| {
        element
            .text()?
            .map(str::to_owned)
            .ok_or_else(|| element.wrong_type("a string"))
    });
    texts.collect()
}

#[cfg(test)]
mod tests;
