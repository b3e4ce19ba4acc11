use super::*;
use bindings::bookshop::shop::types::{Address, CreditCard, Item, ShippingMethod, User};

/// An order with something wrong in every part.
fn bad() -> Order {
    Order {
        id: "1-2".into(),
        user: User {
            name: String::new(),
            contact: "nobody".into(),
        },
        credit_card: CreditCard {
            number: "4111111111111112".into(),
            expiration_date: "1/1".into(),
            cvv: "1".into(),
        },
        items: Vec::new(),
        billing_address: Some(Address {
            street: String::new(),
            city: String::new(),
            state: String::new(),
            zip: String::new(),
            country: String::new(),
        }),
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

/// The reason that decides, and what the customer does about it.
type Repair = (&'static str, fn(&mut Order));

#[test]
fn the_first_reason_decides_in_the_order_of_the_contract() {
    let repairs: [Repair; 11] = [
        ("EMPTY_ITEMS", |order| {
            order.items = vec![
                Item {
                    name: String::new(),
                    quantity: 0
                };
                101
            ]
        }),
        ("TOO_MANY_ITEMS", |order| order.items.truncate(1)),
        ("INVALID_ITEM", |order| {
            order.items[0].name = "Book A".into()
        }),
        ("INVALID_QUANTITY", |order| order.items[0].quantity = 1),
        ("INVALID_USER_NAME", |order| {
            order.user.name = "John Doe".into()
        }),
        ("INVALID_USER_CONTACT", |order| {
            order.user.contact = "john.doe@example.com".into()
        }),
        ("INVALID_ADDRESS", |order| order.billing_address = None),
        ("TERMS_NOT_ACCEPTED", |order| order.terms_accepted = true),
        ("INVALID_CARD_NUMBER", |order| {
            order.credit_card.number = "4111111111111111".into()
        }),
        ("INVALID_EXPIRY", |order| {
            order.credit_card.expiration_date = "10/26".into()
        }),
        ("CARD_EXPIRED", |order| {
            order.credit_card.expiration_date = "11/26".into()
        }),
    ];
    let this_month = Month {
        year: 2026,
        month: 11,
    };
    let mut order = bad();
    for (code, repair) in repairs {
        assert_eq!(verify(&order, this_month).map_err(Reason::code), Err(code));
        repair(&mut order);
    }
    assert_eq!(verify(&order, this_month), Err(Reason::InvalidCvv));
    order.credit_card.cvv = "123".into();
    assert_eq!(verify(&order, this_month), Ok(()));
}
