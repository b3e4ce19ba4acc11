//! The compact form of the shop's types, for the services' answers and for the records of `orders`.

use crate::bindings::bookshop::shop::types::{
    Assessment, Book, Done, Event, Item, Outcome, Rejection, VectorClock, Verdict,
};
use crate::bytes::{Reader, Unreadable, Writer};

/// A type that has a compact form.
pub trait Record: Sized {
    /// Appends it.
    fn write(&self, writer: &mut Writer);

    /// Takes it off the front.
    ///
    /// # Errors
    /// The bytes were not written by [`Record::write`] of this type.
    fn read(reader: &mut Reader) -> Result<Self, Unreadable>;
}

impl Record for VectorClock {
    fn write(&self, writer: &mut Writer) {
        for count in self.counts() {
            writer.number(count.into());
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.small()?;
        }
        Ok(Self::from_counts(counts))
    }
}

impl Record for Event {
    fn write(&self, writer: &mut Writer) {
        writer.number(*self as u64);
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Self::at(reader.small()?).ok_or(Unreadable)
    }
}

impl Record for Done {
    fn write(&self, writer: &mut Writer) {
        self.event.write(writer);
        self.clock.write(writer);
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(Self {
            event: Event::read(reader)?,
            clock: VectorClock::read(reader)?,
        })
    }
}

impl Record for Rejection {
    fn write(&self, writer: &mut Writer) {
        for text in [&self.code, &self.message, &self.service] {
            writer.text(text);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(Self {
            code: reader.text()?.into(),
            message: reader.text()?.into(),
            service: reader.text()?.into(),
        })
    }
}

impl Record for Verdict {
    fn write(&self, writer: &mut Writer) {
        let rejection = match self {
            Self::Accepted => None,
            Self::Rejected(rejection) => Some(rejection),
        };
        writer.option(rejection, |writer, rejection| rejection.write(writer));
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        let rejection = reader.option(Rejection::read)?;
        Ok(rejection.map_or(Self::Accepted, Self::Rejected))
    }
}

impl Record for Book {
    fn write(&self, writer: &mut Writer) {
        for text in [&self.id, &self.title, &self.author] {
            writer.text(text);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(Self {
            id: reader.text()?.into(),
            title: reader.text()?.into(),
            author: reader.text()?.into(),
        })
    }
}

impl Record for Vec<Book> {
    fn write(&self, writer: &mut Writer) {
        writer.list(self, |writer, book| book.write(writer));
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        reader.list(Book::read)
    }
}

impl Record for Item {
    fn write(&self, writer: &mut Writer) {
        writer.text(&self.name);
        // Customers' numbers may be negative until they are verified; as the bits of an unsigned one they stay what they are.
        writer.number(self.quantity.cast_unsigned().into());
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(Self {
            name: reader.text()?.into(),
            quantity: reader.small::<u32>()?.cast_signed(),
        })
    }
}

impl Record for Outcome {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Approved(books) => {
                writer.flag(true);
                books.write(writer);
            }
            Self::Rejected(rejection) => {
                writer.flag(false);
                rejection.write(writer);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        if reader.flag()? {
            Vec::read(reader).map(Self::Approved)
        } else {
            Rejection::read(reader).map(Self::Rejected)
        }
    }
}

impl Record for Assessment {
    fn write(&self, writer: &mut Writer) {
        writer.float(self.score);
        writer.list(&self.reasons, |writer, reason| writer.text(reason));
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(Self {
            score: reader.float()?,
            reasons: reader.list(|reader| reader.text().map(str::to_owned))?,
        })
    }
}

impl Record for (Verdict, Assessment) {
    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
        self.1.write(writer);
    }

    fn read(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok((Verdict::read(reader)?, Assessment::read(reader)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    #[track_caller]
    fn check<T: Record + PartialEq + Debug>(value: T) {
        let mut writer = Writer::default();
        value.write(&mut writer);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(T::read(&mut reader), Ok(value));
        assert!(reader.rest().is_empty());
        for length in 0..bytes.len() {
            assert_eq!(T::read(&mut Reader::new(&bytes[..length])), Err(Unreadable));
        }
    }

    #[test]
    fn every_type_is_read_as_it_was_written_and_no_part_of_it_is() {
        let rejection = Rejection {
            code: "NO".into(),
            message: "No.".into(),
            service: "test".into(),
        };
        let book = Book {
            id: "emma".into(),
            title: "Emma".into(),
            author: "Jane Austen".into(),
        };
        let assessment = Assessment {
            score: 0.25,
            reasons: vec!["It is night.".into()],
        };
        check(Done {
            event: Event::Suggest,
            clock: VectorClock::from_counts([1, 200, 30_000, u32::MAX]),
        });
        check(Item {
            name: "Book A".into(),
            quantity: -1,
        });
        check(Outcome::Approved(vec![book]));
        check(Outcome::Rejected(rejection.clone()));
        check((Verdict::Rejected(rejection), assessment));
        check(Verdict::Accepted);
    }
}
