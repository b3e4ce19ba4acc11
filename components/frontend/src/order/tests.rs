use super::*;
use serde_json::{Value, json};

/// Everything that a client can say, as the original page says it.
fn full() -> Value {
    json!({
        "user": {"name": "John Doe", "contact": "john.doe@example.com"},
        "creditCard": {"number": "4111 1111 1111 1111", "expirationDate": "12/30", "cvv": "123"},
        "items": [{"name": "Book A", "quantity": 1}, {"bookId": "Book B", "quantity": 2}],
        "billingAddress": {"street": "123 Main St", "city": "Springfield", "state": "IL", "zip": "62701", "country": "USA"},
        "shippingMethod": "Next-Day",
        "giftWrapping": true,
        "termsAccepted": true,
        "userComment": "Please handle with care.",
        "discountCode": "SUMMER21",
        "giftMessage": "Happy birthday!",
        "notificationPreferences": ["email", "sms"],
        "device": {"type": "Smartphone", "model": "Galaxy S10", "os": "Android 10"},
        "browser": {"name": "Chrome", "version": "85.0"},
        "appVersion": "3.0.0",
        "screenResolution": "1440x3040",
        "referrer": "https://example.org",
        "deviceLanguage": "en-US",
        "somethingElse": [1, 2, 3],
    })
}

fn read(body: &Value) -> Result<Order, Refusal> {
    parse(body.to_string().as_bytes(), "1-2".into())
}

/// Replaces the field at `pointer` of the full order and expects this refusal.
#[track_caller]
fn check_refused(pointer: &str, value: Value, expected: &str) {
    let mut body = full();
    *body
        .pointer_mut(pointer)
        .expect("the full order has this field") = value;
    assert_eq!(
        read(&body).map(drop),
        Err(Refusal::InvalidRequest(expected.into()))
    );
}

/// Reads `body` and expects this of the order.
#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(body: Value, part: impl Fn(&Order) -> T, expected: T) {
    assert_eq!(part(&read(&body).expect("every type is right")), expected);
}

#[test]
fn reads_every_field() {
    let order = read(&full()).expect("every type is right");
    assert_eq!(
        format!("{order:?}"),
        concat!(
            r#"Order { id: "1-2", user: User { name: "John Doe", contact: "john.doe@example.com" }, "#,
            r#"credit-card: CreditCard { number: "4111 1111 1111 1111", expiration-date: "12/30", cvv: "123" }, "#,
            r#"items: [Item { name: "Book A", quantity: 1 }, Item { name: "Book B", quantity: 2 }], "#,
            r#"billing-address: Some(Address { street: "123 Main St", city: "Springfield", state: "IL", zip: "62701", country: "USA" }), "#,
            r#"shipping-method: ShippingMethod::NextDay, gift-wrapping: true, terms-accepted: true, "#,
            r#"user-comment: Some("Please handle with care."), discount-code: Some("SUMMER21"), gift-message: Some("Happy birthday!"), "#,
            r#"notification-preferences: ["email", "sms"], "#,
            r#"device: Some(Device { type: Some("Smartphone"), model: Some("Galaxy S10"), os: Some("Android 10") }), "#,
            r#"browser: Some(Browser { name: Some("Chrome"), version: Some("85.0") }), app-version: Some("3.0.0"), "#,
            r#"screen-resolution: Some("1440x3040"), referrer: Some("https://example.org"), device-language: Some("en-US") }"#,
        )
    );
}

#[test]
fn what_is_missing_is_left_to_verification() {
    for body in [
        json!({}),
        json!({"user": null, "items": null, "billingAddress": null, "shippingMethod": null, "device": null}),
    ] {
        check(
            body.clone(),
            |order| (order.user.name.clone(), order.credit_card.number.clone()),
            (String::new(), String::new()),
        );
        check(
            body.clone(),
            |order| (order.items.len(), order.terms_accepted, order.gift_wrapping),
            (0, false, false),
        );
        check(
            body.clone(),
            |order| order.billing_address.is_none() && order.device.is_none(),
            true,
        );
        check(
            body,
            |order| order.shipping_method,
            ShippingMethod::Standard,
        );
    }
    check(
        json!({"items": [{}]}),
        |order| (order.items[0].name.clone(), order.items[0].quantity),
        (String::new(), 0),
    );
    check(
        json!({"items": [{"quantity": -3}]}),
        |order| order.items[0].quantity,
        -3,
    );
    check(
        json!({"billingAddress": {}}),
        |order| {
            order
                .billing_address
                .as_ref()
                .map(|address| address.zip.clone())
        },
        Some(String::new()),
    );
}

#[test]
fn the_card_may_be_in_the_user() {
    let card = |number: &str| json!({"number": number, "expirationDate": "12/30", "cvv": "123"});
    check(
        json!({"user": {"creditCard": card("1")}}),
        |order| order.credit_card.number.clone(),
        "1".into(),
    );
    check(
        json!({"user": {"creditCard": card("1")}, "creditCard": card("2")}),
        |order| order.credit_card.number.clone(),
        "2".into(),
    );
}

#[test]
fn a_name_is_preferred_to_a_book_id() {
    check(
        json!({"items": [{"bookId": "B", "name": "N"}]}),
        |order| order.items[0].name.clone(),
        "N".into(),
    );
}

#[test]
fn terms_are_accepted_under_either_name_but_not_against_one() {
    for (body, expected) in [
        (json!({"termsAccepted": true}), true),
        (json!({"termsAndConditionsAccepted": true}), true),
        (
            json!({"termsAccepted": true, "termsAndConditionsAccepted": true}),
            true,
        ),
        (
            json!({"termsAccepted": true, "termsAndConditionsAccepted": false}),
            false,
        ),
        (
            json!({"termsAccepted": false, "termsAndConditionsAccepted": true}),
            false,
        ),
        (json!({"termsAndConditionsAccepted": false}), false),
    ] {
        check(body, |order| order.terms_accepted, expected);
    }
}

#[test]
fn wrong_types_are_named_by_their_path() {
    check_refused(
        "/user",
        json!("John"),
        "$.user must be an object, but is a string",
    );
    check_refused(
        "/user/name",
        json!(["John"]),
        "$.user.name must be a string, but is an array",
    );
    check_refused(
        "/creditCard/number",
        json!(4_111_111_111_111_111_u64),
        "$.creditCard.number must be a string, but is a number",
    );
    check_refused(
        "/items",
        json!({"name": "Book A"}),
        "$.items must be an array, but is an object",
    );
    check_refused(
        "/items/1",
        json!([1, 2]),
        "$.items[1] must be an object, but is an array",
    );
    check_refused(
        "/items/1/bookId",
        json!(7),
        "$.items[1].bookId must be a string, but is a number",
    );
    check_refused(
        "/billingAddress/zip",
        json!(62701),
        "$.billingAddress.zip must be a string, but is a number",
    );
    check_refused(
        "/termsAccepted",
        json!("true"),
        "$.termsAccepted must be true or false, but is a string",
    );
    check_refused(
        "/notificationPreferences/1",
        json!(null),
        "$.notificationPreferences[1] must be a string, but is null",
    );
    check_refused(
        "/device/type",
        json!(true),
        "$.device.type must be a string, but is a boolean",
    );
}

#[test]
fn a_quantity_is_an_integer() {
    let expected = |actual: &str| {
        format!("$.items[0].quantity must be an integer of at most 32 bits, but is {actual}")
    };
    check_refused("/items/0/quantity", json!("1"), &expected("a string"));
    check_refused("/items/0/quantity", json!(1.5), &expected("another number"));
    check_refused(
        "/items/0/quantity",
        json!(2_147_483_648_u64),
        &expected("another number"),
    );
    check(
        json!({"items": [{"quantity": 2.0}]}),
        |order| order.items[0].quantity,
        2,
    );
}

#[test]
fn a_shipping_method_is_one_of_three() {
    check_refused(
        "/shippingMethod",
        json!("Pigeon"),
        "$.shippingMethod must be Standard, Express or Next-Day",
    );
    check_refused(
        "/shippingMethod",
        json!(1),
        "$.shippingMethod must be a string, but is a number",
    );
}

#[test]
fn a_body_that_is_no_object_is_no_order() {
    for (body, expected) in [
        ("[]", "$ must be an object, but is an array"),
        ("null", "$ must be an object, but is null"),
        ("{\"items\": [", "the body is not JSON: it ends too early"),
    ] {
        let refusal = parse(body.as_bytes(), "1-2".into()).map(drop);
        assert_eq!(refusal, Err(Refusal::InvalidRequest(expected.into())));
    }
}

#[test]
fn a_basket_too_long_is_passed_on_for_verification_to_reject() {
    let items = vec![json!({"name": "Book A", "quantity": 1}); 101];
    check(json!({ "items": items }), |order| order.items.len(), 101);
}
