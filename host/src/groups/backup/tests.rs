#![allow(
    clippy::disallowed_methods,
    reason = "backups are files that people keep anywhere; these tests make and damage some"
)]
use super::*;
use crate::os::block::RealBlockDisk;

fn pair(key: &str, value: &str) -> (Bytes, Bytes) {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    (bytes(key), bytes(value))
}

fn section() -> Section {
    Section {
        service: "orders".into(),
        index: 7,
        term: 2,
        members: vec!["alpha".into()],
    }
}

fn written(name: &str, pairs: &[(Bytes, Bytes)]) -> (PathBuf, Total) {
    let folder = std::env::temp_dir().join(format!("backup-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("one.backup");
    let _ = std::fs::remove_file(&path);
    let header = Header {
        format: FORMAT,
        cluster: "shop".into(),
        begun_ms: 1,
        services: vec!["orders".into()],
    };
    let mut writer = Writer::create(&RealBlockDisk, &path, &header).unwrap();
    writer.section(&section()).unwrap();
    for pairs in pairs.chunks(2) {
        writer.pairs(pairs).unwrap();
    }
    let total = writer.total().unwrap();
    let length = writer.finish().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
    (path, total)
}

#[test]
fn a_backup_is_read_as_it_was_written() {
    let pairs = [pair("da", "1"), pair("db", ""), pair("r", "members")];
    let (path, total) = written("whole", &pairs);
    assert_eq!((total.pairs, total.bytes), (3, 13));
    let mut reader = Reader::open(&RealBlockDisk, &path).unwrap();
    assert_eq!(reader.header().cluster, "shop");
    let items = [
        Item::Section(section()),
        Item::Pairs(pairs[..2].to_vec()),
        Item::Pairs(pairs[2..].to_vec()),
        Item::Total(total.clone()),
        Item::End,
    ];
    for item in items {
        assert_eq!(reader.item().unwrap(), item);
    }
    let found = Reader::open(&RealBlockDisk, &path)
        .unwrap()
        .check()
        .unwrap();
    assert_eq!(found, [(section(), total)]);
}

#[test]
fn who_the_members_are_is_not_in_the_hash() {
    let (_, one) = written("one", &[pair("da", "1"), pair("r", "some")]);
    let (_, other) = written("other", &[pair("da", "1"), pair("r", "others")]);
    let (_, wrong) = written("wrong", &[pair("da", "2"), pair("r", "some")]);
    assert_eq!(one.hash, other.hash);
    assert_ne!(one.hash, wrong.hash);
}

#[test]
fn no_bit_of_a_backup_changes_and_no_byte_is_missing_unnoticed() {
    let (path, _) = written("bits", &[pair("da", "1"), pair("db", "2")]);
    let whole = std::fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Reader::open(&RealBlockDisk, &path).and_then(Reader::check)
    };
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(check(&changed).is_err(), "byte {at}");
        assert!(check(&whole[..at]).is_err(), "{at} bytes");
    }
    assert!(check(&[&whole[..], b"x"].concat()).is_err());
    assert!(check(&whole).is_ok());
}

#[test]
fn a_file_of_another_kind_or_format_says_so() {
    let (path, _) = written("format", &[pair("da", "1")]);
    std::fs::write(&path, b"[cluster]\nname = \"shop\"\n").unwrap();
    let read = Reader::open(&RealBlockDisk, &path).err().unwrap();
    assert!(matches!(read, BackupError::Foreign { .. }), "{read}");
    let content = br#"{"format":9,"new":true}"#;
    let head = frame_head(1, u32::try_from(content.len()).unwrap(), content);
    std::fs::write(&path, [&MAGIC[..], &head, content].concat()).unwrap();
    let read = Reader::open(&RealBlockDisk, &path).err().unwrap();
    assert!(
        matches!(read, BackupError::Version { format: 9, .. }),
        "{read}"
    );
}
