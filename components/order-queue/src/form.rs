//! The form in which an order of the queue is kept. Its number is in its key.

use crate::bindings::exports::bookshop::shop::order_queue::{
    Entry, EntryState, Holding, QueuedOrder,
};
use checkout::bindings::bookshop::shop::types::{Item, ShippingMethod};
use checkout::record::Record;
use keys::bytes::{Reader, Unreadable, Writer};

/// The only form so far.
const FORM: u64 = 1;

const READY: u64 = 0;
const DELAYED: u64 = 1;
const LEASED: u64 = 2;
const DEAD: u64 = 3;

/// Writes an order of the queue.
pub fn to_bytes(entry: &Entry) -> Vec<u8> {
    let mut writer = Writer::with_capacity(256);
    writer.number(FORM);
    writer.text(&entry.order.order_id);
    writer.number(entry.order.shipping_method as u64);
    writer.number(entry.enqueued_at_ms);
    writer.number(entry.attempts.into());
    write_state(&mut writer, &entry.state);
    writer.option(entry.reason.as_deref(), |writer, it| writer.text(it));
    writer.list(&entry.order.items, |writer, item| item.write(writer));
    writer.finish()
}

/// Reads what [`to_bytes`] wrote of the order with this number.
///
/// # Errors
/// Something else wrote it.
pub fn from_bytes(number: u64, bytes: &[u8]) -> Result<Entry, Unreadable> {
    let mut reader = Reader::new(bytes);
    if reader.number()? != FORM {
        return Err(Unreadable);
    }
    let order_id = reader.text()?.into();
    let shipping_method = match reader.number()? {
        0 => ShippingMethod::Standard,
        1 => ShippingMethod::Express,
        2 => ShippingMethod::NextDay,
        _ => return Err(Unreadable),
    };
    Ok(Entry {
        number,
        enqueued_at_ms: reader.number()?,
        attempts: reader.small()?,
        state: read_state(&mut reader)?,
        reason: reader.option(|reader| reader.text().map(str::to_owned))?,
        order: QueuedOrder {
            order_id,
            items: reader.list(Item::read)?,
            shipping_method,
        },
    })
}

fn write_state(writer: &mut Writer, state: &EntryState) {
    match state {
        EntryState::Ready => writer.number(READY),
        EntryState::Delayed(until_ms) => {
            writer.number(DELAYED);
            writer.number(*until_ms);
        }
        EntryState::Leased(holding) => {
            writer.number(LEASED);
            writer.number(holding.token);
            writer.text(&holding.worker);
            writer.number(holding.expires_at_ms);
        }
        EntryState::Dead(since_ms) => {
            writer.number(DEAD);
            writer.number(*since_ms);
        }
    }
}

fn read_state(reader: &mut Reader) -> Result<EntryState, Unreadable> {
    Ok(match reader.number()? {
        READY => EntryState::Ready,
        DELAYED => EntryState::Delayed(reader.number()?),
        LEASED => EntryState::Leased(Holding {
            token: reader.number()?,
            worker: reader.text()?.into(),
            expires_at_ms: reader.number()?,
        }),
        DEAD => EntryState::Dead(reader.number()?),
        _ => return Err(Unreadable),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_as_it_was_written_and_no_part_of_it_is() {
        let holding = Holding {
            token: 9,
            worker: "executor-1".into(),
            expires_at_ms: u64::MAX,
        };
        for state in [
            EntryState::Ready,
            EntryState::Delayed(3),
            EntryState::Leased(holding),
            EntryState::Dead(4),
        ] {
            let entry = Entry {
                number: 7,
                order: QueuedOrder {
                    order_id: "1-2".into(),
                    items: vec![Item {
                        name: "Emma".into(),
                        quantity: 2,
                    }],
                    shipping_method: ShippingMethod::NextDay,
                },
                enqueued_at_ms: 1_000,
                attempts: 2,
                state,
                reason: Some("the printer is on fire".into()),
            };
            let bytes = to_bytes(&entry);
            assert_eq!(from_bytes(7, &bytes), Ok(entry));
            for length in 0..bytes.len() {
                assert!(from_bytes(7, &bytes[..length]).is_err());
            }
        }
    }
}
