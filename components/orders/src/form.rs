//! The form in which orders are kept.

use crate::bindings::exports::bookshop::shop::orders::{Change, DecidedOrder, OrderRecord, Status};
use checkout::bindings::bookshop::shop::types::{
    Assessment, Decision, Done, Item, Outcome, ShippingMethod, VectorClock,
};
use checkout::record::Record;
use keys::bytes::{Reader, Unreadable, Writer};

/// The form in which orders are written. In the first one changes had no reason.
const FORM: u64 = 2;
const FORM_WITHOUT_REASONS: u64 = 1;

/// Writes an order.
pub fn to_bytes(record: &OrderRecord) -> Vec<u8> {
    let OrderRecord { order, history } = record;
    let mut writer = Writer::with_capacity(512);
    writer.number(FORM);
    write_decision(&mut writer, &order.decision);
    writer.list(&order.items, |writer, item| item.write(writer));
    writer.number(order.shipping_method as u64);
    writer.option(order.assessment.as_ref(), |writer, it| it.write(writer));
    writer.list(history, write_change);
    writer.finish()
}

/// Reads what [`to_bytes`] wrote, of this version or of an earlier one.
///
/// # Errors
/// Something else wrote it.
pub fn from_bytes(bytes: &[u8]) -> Result<OrderRecord, Unreadable> {
    let (form, mut reader) = reader(bytes)?;
    Ok(OrderRecord {
        order: DecidedOrder {
            decision: read_decision(&mut reader)?,
            items: reader.list(Item::read)?,
            shipping_method: match reader.number()? {
                0 => ShippingMethod::Standard,
                1 => ShippingMethod::Express,
                2 => ShippingMethod::NextDay,
                _ => return Err(Unreadable),
            },
            assessment: reader.option(Assessment::read)?,
        },
        history: reader.list(|reader| read_change(reader, form))?,
    })
}

/// Reads no more than the decision.
///
/// # Errors
/// Something else wrote it.
pub fn decision(bytes: &[u8]) -> Result<Decision, Unreadable> {
    let (_, mut reader) = reader(bytes)?;
    read_decision(&mut reader)
}

/// The form, and what comes after it.
fn reader(bytes: &[u8]) -> Result<(u64, Reader<'_>), Unreadable> {
    let mut reader = Reader::new(bytes);
    match reader.number()? {
        form @ (FORM | FORM_WITHOUT_REASONS) => Ok((form, reader)),
        _ => Err(Unreadable),
    }
}

fn write_decision(writer: &mut Writer, decision: &Decision) {
    writer.text(&decision.order_id);
    decision.outcome.write(writer);
    decision.clock.write(writer);
    writer.list(&decision.events, |writer, done| done.write(writer));
}

fn read_decision(reader: &mut Reader) -> Result<Decision, Unreadable> {
    Ok(Decision {
        order_id: reader.text()?.into(),
        outcome: Outcome::read(reader)?,
        clock: VectorClock::read(reader)?,
        events: reader.list(Done::read)?,
    })
}

fn write_change(writer: &mut Writer, change: &Change) {
    writer.number(change.status as u64);
    writer.number(change.at_ms);
    writer.text(&change.service);
    change.clock.write(writer);
    writer.option(change.reason.as_deref(), |writer, it| writer.text(it));
}

fn read_change(reader: &mut Reader, form: u64) -> Result<Change, Unreadable> {
    Ok(Change {
        status: match reader.number()? {
            0 => Status::Approved,
            1 => Status::Rejected,
            2 => Status::Queued,
            3 => Status::Processing,
            4 => Status::Completed,
            5 => Status::Failed,
            _ => return Err(Unreadable),
        },
        at_ms: reader.number()?,
        service: reader.text()?.into(),
        clock: VectorClock::read(reader)?,
        reason: if form == FORM_WITHOUT_REASONS {
            None
        } else {
            reader.option(|reader| reader.text().map(str::to_owned))?
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::tests::{approved, order};

    fn record(reason: Option<&str>) -> OrderRecord {
        let order = order("1", approved());
        let change = Change {
            status: Status::Queued,
            at_ms: 2_000,
            service: "order-queue".into(),
            clock: order.decision.clock,
            reason: reason.map(str::to_owned),
        };
        OrderRecord {
            order,
            history: vec![change],
        }
    }

    #[test]
    fn reasons_are_read_as_they_were_written() {
        for reason in [None, Some("the queue is full")] {
            assert_eq!(from_bytes(&to_bytes(&record(reason))), Ok(record(reason)));
        }
    }

    #[test]
    fn the_first_form_is_read_as_without_reasons() {
        // Written by the version that knew no other form.
        let bytes = b"\x01\x011\x01\x01\x04emma\x04Emma\x0bJane Austen\x09\x04\x03\x02\x01\x01\x09\x04\x03\x02\
            \x01\x06Book A\x02\x01\x01\0\0\0\0\0\0\xe0\x3f\x01\x0cIt is night.\
            \x01\x02\xd0\x0f\x0border-queue\x09\x04\x03\x02";
        assert_eq!(from_bytes(bytes), Ok(record(None)));
        assert_eq!(decision(bytes), Ok(record(None).order.decision));
    }
}
