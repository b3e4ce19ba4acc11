//! The fault of version 3, which is there to be found: it traps on one order of twenty.

/// Orders of which one is struck.
const EVERY: u64 = 20;

/// Traps if the order is one of those.
pub fn strike(order_id: &str) {
    assert!(
        !is_struck(order_id),
        "version 3 fails on order {order_id}, on purpose"
    );
}

/// The same orders each time: FNV-1a of the identity.
pub fn is_struck(order_id: &str) -> bool {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    order_id.bytes().fold(0xcbf2_9ce4_8422_2325, step) % EVERY == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_order_of_twenty_is_struck() {
        let orders = (0..2_000).map(|number| format!("order-{number}"));
        let struck = orders.filter(|order| is_struck(order)).count();
        assert!((60..=140).contains(&struck), "{struck}");
    }
}
