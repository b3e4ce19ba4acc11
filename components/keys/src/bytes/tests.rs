use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_written_is_read(number: u64, float: f64, flag: bool, text: String, list: Vec<u64>, option: Option<u32>) {
        let mut writer = Writer::default();
        writer.number(number);
        writer.float(float);
        writer.flag(flag);
        writer.text(&text);
        writer.list(&list, |writer, value| writer.number(*value));
        writer.option(option, |writer, value| writer.number(value.into()));
        writer.rest(b"rest");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.number(), Ok(number));
        prop_assert_eq!(reader.float().map(f64::to_bits), Ok(float.to_bits()));
        prop_assert_eq!(reader.flag(), Ok(flag));
        prop_assert_eq!(reader.text(), Ok(text.as_str()));
        prop_assert_eq!(reader.list(Reader::number), Ok(list));
        prop_assert_eq!(reader.option(Reader::small), Ok(option));
        prop_assert_eq!(reader.rest(), b"rest");
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
        let reader = Reader::new(&bytes);
        let (mut number, mut float, mut flag) = (reader, reader, reader);
        let (mut text, mut list, mut option) = (reader, reader, reader);
        let _ = (number.number(), float.float(), flag.flag(), text.text());
        let _ = (list.list(Reader::text), option.option(Reader::small::<u8>));
    }
}

#[track_caller]
fn check(bytes: &[u8], expected: Result<u64, Unreadable>) {
    assert_eq!(Reader::new(bytes).number(), expected);
}

#[test]
fn a_number_has_at_most_64_bits() {
    let mut largest = vec![0xff; 9];
    largest.push(1);
    check(&largest, Ok(u64::MAX));
    largest[9] = 2;
    check(&largest, Err(Unreadable));
    largest[9] = 0x81;
    check(&largest, Err(Unreadable));
    check(&[0x80], Err(Unreadable));
    check(&[], Err(Unreadable));
}

#[test]
fn a_small_number_has_to_fit() {
    let mut writer = Writer::default();
    writer.number(256);
    let bytes = writer.finish();
    assert_eq!(Reader::new(&bytes).small::<u8>(), Err(Unreadable));
    assert_eq!(Reader::new(&bytes).small(), Ok(256u16));
}

#[test]
fn a_list_cannot_be_longer_than_its_bytes() {
    let mut writer = Writer::default();
    writer.number(u64::from(u32::MAX));
    let bytes = writer.finish();
    assert_eq!(Reader::new(&bytes).list(Reader::number), Err(Unreadable));
}

#[test]
fn a_text_is_cut_between_characters() {
    let check = |text: String, expected: usize| assert_eq!(cut(&text, 10).len(), expected);
    check("x".repeat(10), 10);
    check("x".repeat(11), 10);
    check(format!("x{}", "ä".repeat(6)), 9);
    check(String::new(), 0);
}
