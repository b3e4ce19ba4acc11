//! The form in which orders are kept.

use crate::bindings::exports::bookshop::shop::orders::{Change, DecidedOrder, OrderRecord, Status};
use checkout::bindings::bookshop::shop::types::{
    Assessment, Decision, Done, Item, Outcome, ShippingMethod, VectorClock,
};
use checkout::bytes::{Reader, Unreadable, Writer};
use checkout::record::Record;

/// The only form so far.
const FORM: u64 = 1;

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

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// Something else wrote it.
pub fn from_bytes(bytes: &[u8]) -> Result<OrderRecord, Unreadable> {
    let mut reader = reader(bytes)?;
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
        history: reader.list(read_change)?,
    })
}

/// Reads no more than the decision.
///
/// # Errors
/// Something else wrote it.
pub fn decision(bytes: &[u8]) -> Result<Decision, Unreadable> {
    read_decision(&mut reader(bytes)?)
}

fn reader(bytes: &[u8]) -> Result<Reader<'_>, Unreadable> {
    let mut reader = Reader::new(bytes);
    if reader.number()? == FORM {
        Ok(reader)
    } else {
        Err(Unreadable)
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
}

fn read_change(reader: &mut Reader) -> Result<Change, Unreadable> {
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
    })
}
