//! Messages on their way, as they are kept until their answer was handled.

use super::bytes::{Reader, Unreadable, Writer};
use super::draft::{Draft, DraftError};
use super::keyspace::{KeyHash, MessageId};
use super::work::Message;
use crate::state::View;
use bytes::Bytes;
use sha2::{Digest, Sha256};

const FORMAT: u8 = 1;

/// A message; none if it is over.
///
/// # Errors
/// The state cannot be read.
pub fn read(view: &View, id: MessageId) -> Result<Option<Message>, DraftError> {
    match view.get(&id.key())? {
        Some(bytes) => Ok(Some(from_bytes(bytes)?)),
        None => Ok(None),
    }
}

/// A message sets out.
pub fn begin(draft: &mut Draft<'_>, id: MessageId, message: &Message) {
    draft.meta.messages += 1;
    draft.meta.message_bytes += message.bytes() as u64;
    draft.set(id.key(), to_bytes(message));
}

/// A message is over.
///
/// # Errors
/// The state cannot be read.
pub fn end(draft: &mut Draft<'_>, id: MessageId) -> Result<(), DraftError> {
    if let Some(bytes) = draft.get(&id.key())? {
        let message = from_bytes(bytes)?;
        draft.delete(id.key());
        draft.meta.messages = draft.meta.messages.saturating_sub(1);
        draft.meta.message_bytes = draft
            .meta
            .message_bytes
            .saturating_sub(message.bytes() as u64);
    }
    Ok(())
}

/// The idempotency key of a message: the same however often it is sent, and no other message's.
#[must_use]
pub fn key(group: &str, id: MessageId) -> KeyHash {
    let mut hash = Sha256::new();
    hash.update(b"bookshop outbox\0");
    // The length first: no two different pairs hash the same bytes.
    hash.update((group.len() as u64).to_be_bytes());
    hash.update(group);
    hash.update(id.key());
    let mut key = KeyHash::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

fn to_bytes(message: &Message) -> Bytes {
    let mut writer = Writer::with_capacity(message.bytes());
    writer.byte(FORMAT);
    writer.text(&message.service);
    writer.text(&message.interface);
    writer.text(&message.function);
    writer.text(&message.arguments);
    writer.text(&message.tag);
    writer.finish()
}

fn from_bytes(bytes: Bytes) -> Result<Message, Unreadable> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != FORMAT {
        return Err(Unreadable);
    }
    Ok(Message {
        service: reader.string()?,
        interface: reader.string()?,
        function: reader.string()?,
        arguments: reader.string()?,
        tag: reader.string()?,
    })
}
