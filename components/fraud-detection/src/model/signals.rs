//! What the models may know of one order.

/// How fast the books travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shipping {
    /// The slowest.
    Standard,
    /// Faster.
    Express,
    /// The fastest.
    NextDay,
}

/// One order as the models see it. Texts are as the customer wrote them; nothing here needs to be well-formed.
#[derive(Debug, Clone, Copy)]
pub struct Signals<'order> {
    /// The customer's name.
    pub name: &'order str,
    /// The customer's e-mail address.
    pub contact: &'order str,
    /// The card's number, with or without spaces and dashes. Only its first nine digits are looked at.
    pub card_number: &'order str,
    /// The country of the billing address, by any name or code; `None` if the order has no billing address.
    pub country: Option<&'order str>,
    /// The price of the whole basket, in cents.
    pub amount_cents: u64,
    /// The copies in the basket, of all titles together.
    pub copies: u64,
    /// The different titles in the basket.
    pub titles: u32,
    /// How fast the books are to travel.
    pub shipping: Shipping,
    /// Whether the books are to be wrapped as a gift.
    pub gift_wrapping: bool,
    /// Whether the customer gave a discount code.
    pub has_discount: bool,
    /// Whether the order says anything about the device or the browser that it was placed with.
    pub has_device: bool,
    /// The device's language as a BCP 47 tag, such as `en-US`, if the order says it.
    pub language: Option<&'order str>,
    /// The hour of the day in UTC, 0 to 23.
    pub hour_utc: u8,
    /// Orders of the same contact in the hour before this one, which is not counted.
    pub recent_orders: u32,
}
