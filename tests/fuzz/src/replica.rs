//! What other hosts send to replicas: `replica::message`, `replica::network` and the frames around them.

use bookshop_host::replica::message::{self, CONTEXT_BYTES_MAX, ENTRIES_MAX};
use bookshop_host::replica::network::{CHUNK_BYTES_MAX, ChunkRequest};
use bookshop_host::transport::replicas::frame;
use bytes::Bytes;

/// Reads everything that a replica is sent; whether the bytes are a message.
///
/// # Panics
/// It exceeds a bound, or what was read cannot be written and read again.
pub fn replica(input: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(input);
    if let Ok((service, rest)) = frame::read_message(bytes.clone()) {
        assert!(!service.is_empty() && input.ends_with(&rest));
    }
    let _ = frame::read_greeting(input, "shop");
    if let Ok(request) = ChunkRequest::from_bytes(bytes.clone()) {
        assert!(request.bytes_max <= CHUNK_BYTES_MAX);
        assert_eq!(ChunkRequest::from_bytes(request.to_bytes()), Ok(request));
    }
    let Ok(read) = message::decode(bytes) else {
        return false;
    };
    assert!(read.context.len() <= CONTEXT_BYTES_MAX && read.entries.len() <= ENTRIES_MAX);
    let data: usize = read.entries.iter().map(|entry| entry.data.len()).sum();
    assert!(data <= input.len(), "{data} bytes of {}", input.len());
    let written = message::encode(&read).expect("what was read can be written");
    assert_eq!(message::decode(written), Ok(read));
    true
}
