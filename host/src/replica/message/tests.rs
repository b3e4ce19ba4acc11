use super::*;

fn members() -> Members {
    Members {
        voters: vec![1, 300, u64::MAX],
        learners: vec![4],
        outgoing: Vec::new(),
        learners_next: vec![5, 6],
        auto_leave: true,
    }
}

/// A message with something in every part.
fn full() -> Message {
    let entry = |index: u64, kind, data: &[u8]| Entry {
        index,
        term: 7,
        kind,
        data: data.to_vec(),
    };
    Message {
        kind: MessageKind::Append,
        to: 1,
        from: 2,
        term: 7,
        log_term: 6,
        index: 1_000,
        commit: 999,
        commit_term: 6,
        reject: true,
        reject_hint: u64::MAX,
        request_snapshot: 0,
        priority: -3,
        context: b"context".to_vec(),
        entries: vec![
            entry(1_001, EntryKind::Normal, b""),
            entry(1_002, EntryKind::Change, b"change"),
            entry(1_003, EntryKind::Normal, &[0xff; 300]),
        ],
        snapshot: Some(Snapshot {
            index: 900,
            term: 5,
            members: members(),
        }),
    }
}

fn empty(kind: MessageKind) -> Message {
    Message {
        kind,
        reject: false,
        priority: 0,
        context: Vec::new(),
        entries: Vec::new(),
        snapshot: None,
        ..full()
    }
}

#[track_caller]
fn written(message: &Message) -> Bytes {
    encode(message).expect("it is within all bounds")
}

#[track_caller]
fn check_refused(message: &Message, expected: &str) {
    let error = encode(message).expect_err("it is beyond a bound");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_message_is_read_as_it_was_written() {
    assert_eq!(decode(written(&full())), Ok(full()));
    for kind in KINDS {
        assert_eq!(decode(written(&empty(kind))), Ok(empty(kind)));
    }
    for priority in [i64::MIN, -1, 0, 1, i64::MAX] {
        let message = Message { priority, ..full() };
        assert_eq!(decode(written(&message)), Ok(message));
    }
}

#[test]
fn a_small_message_takes_few_bytes() {
    let heartbeat = Message {
        reject_hint: 0,
        ..empty(MessageKind::Heartbeat)
    };
    assert_eq!(written(&heartbeat).len(), 17);
}

#[test]
fn a_message_that_is_cut_off_anywhere_is_refused() {
    let bytes = written(&full());
    for length in 0..bytes.len() {
        let read = decode(bytes.slice(..length));
        assert_eq!(read, Err(MessageError::Unreadable), "{length}");
    }
}

#[test]
fn a_message_that_goes_on_too_long_is_refused() {
    let bytes = [&written(&full())[..], &[0]].concat();
    assert_eq!(decode(bytes.into()), Err(MessageError::Unreadable));
}

#[test]
fn a_message_with_any_byte_changed_is_refused_or_is_another_message() {
    let whole = written(&full());
    for place in 0..whole.len() {
        for byte in 0..=u8::MAX {
            let mut bytes = whole.to_vec();
            if std::mem::replace(&mut bytes[place], byte) == byte {
                continue;
            }
            if let Ok(read) = decode(bytes.into()) {
                // Numbers can be written in more bytes than they need; their values are what counts.
                assert_eq!(decode(written(&read)), Ok(read), "byte {place} is {byte}");
            }
        }
    }
}

#[test]
fn a_message_of_a_newer_host_is_told_apart_from_damage() {
    let mut bytes = written(&full()).to_vec();
    bytes[0] = 9;
    assert_eq!(decode(bytes.clone().into()), Err(MessageError::Newer(9)));
    bytes[0] = 0;
    assert_eq!(decode(bytes.into()), Err(MessageError::Unreadable));
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    let mut writer = Writer::default();
    writer.raw(&written(&empty(MessageKind::Append))[..]);
    let bytes = writer.finish();
    let head = &bytes[..bytes.len() - 1];
    let many = [head, &[0xff, 0xff, 0x03]].concat();
    assert_eq!(decode(many.into()), Err(MessageError::Unreadable));
    let more = [head, &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    let error = decode(more.into()).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "the message has 4294967295 entries, at most 65536 are allowed"
    );
}

#[test]
fn what_nobody_would_read_is_not_written() {
    let context = vec![0; CONTEXT_BYTES_MAX + 1];
    check_refused(
        &Message { context, ..full() },
        "the message has 65 bytes of context, at most 64 are allowed",
    );
    let mut message = full();
    message.entries[0].data = vec![0; ENTRY_BYTES_MAX + 1];
    check_refused(
        &message,
        "the message has 1048577 bytes in an entry, at most 1048576 are allowed",
    );
    let entry = Entry {
        data: vec![0; ENTRY_BYTES_MAX],
        ..full().entries[0].clone()
    };
    let mut message = full();
    message.entries = vec![entry.clone(); 15];
    assert_eq!(decode(written(&message)), Ok(message.clone()));
    message.entries.push(entry);
    check_refused(
        &message,
        "the message has 16777385 bytes, at most 16777216 are allowed",
    );
    let mut message = full();
    message.entries = vec![full().entries[0].clone(); ENTRIES_MAX + 1];
    check_refused(
        &message,
        "the message has 65537 entries, at most 65536 are allowed",
    );
    let mut message = full();
    let snapshot = message.snapshot.as_mut().expect("it has one");
    snapshot.members.outgoing = vec![1; MEMBERS_MAX + 1];
    check_refused(
        &message,
        "the message has 65 members, at most 64 are allowed",
    );
}

#[test]
fn what_must_not_wait_takes_the_lane_without_entries() {
    let on_append = KINDS.map(|kind| lane(kind) == ReplicaLane::Append);
    let expected = KINDS.map(|kind| {
        matches!(
            kind,
            MessageKind::Append | MessageKind::AppendResponse | MessageKind::Snapshot
        )
    });
    assert_eq!(on_append, expected);
}
