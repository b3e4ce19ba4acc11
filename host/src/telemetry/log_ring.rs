//! The last lines of a host's log, within a bound of bytes: what `bookshop-host logs` shows.
//!
//! Holds records only. Who may write how often is in [`rate`](super::rate); where else a line goes is the log's business.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How much a line matters, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every step, for someone who looks for a mistake.
    Trace,
    /// Details, for someone who looks for a mistake.
    Debug,
    /// Something that an operator may want to know.
    Info,
    /// Something that an operator should look at.
    Warn,
    /// Something that does not work.
    Error,
}

impl Level {
    /// Its name in lower case, as it is written in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Position in the log of its host: 1, 2, 3 and so on, from the start of the host.
    pub sequence: u64,
    /// When it was written, in milliseconds since 1970-01-01T00:00:00Z, as the host believed.
    pub wall_ms: u64,
    /// The host that wrote it.
    pub host: String,
    /// The service it is about; none if it is about the host.
    pub service: Option<String>,
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub message: String,
}

impl LogRecord {
    /// Memory it takes, in bytes.
    fn bytes(&self) -> usize {
        let service_bytes = self.service.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.host.len() + service_bytes + self.message.len()
    }
}

/// The last lines of a log, as many as fit into its bytes. Older ones make room for newer ones.
#[derive(Debug)]
pub struct LogRing {
    /// Their sequence numbers have no gaps.
    records: VecDeque<LogRecord>,
    bytes: usize,
    bytes_max: usize,
    last_sequence: u64,
}

impl LogRing {
    /// An empty ring that never holds more than `bytes_max` bytes of records.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            records: VecDeque::new(),
            bytes: 0,
            bytes_max,
            last_sequence: 0,
        }
    }

    /// Adds a line and returns its sequence number. A line that alone exceeds the bound has one, but is not kept.
    pub fn push(
        &mut self,
        wall_ms: u64,
        host: &str,
        service: Option<&str>,
        level: Level,
        message: &str,
    ) -> u64 {
        self.last_sequence += 1;
        let record = LogRecord {
            sequence: self.last_sequence,
            wall_ms,
            host: host.to_owned(),
            service: service.map(ToOwned::to_owned),
            level,
            message: message.to_owned(),
        };
        self.bytes += record.bytes();
        self.records.push_back(record);
        while self.bytes > self.bytes_max {
            let oldest = self
                .records
                .pop_front()
                .expect("bytes are those of the records, so there is one");
            self.bytes -= oldest.bytes();
        }
        self.last_sequence
    }

    /// The first `limit` of the kept lines that come after number `sequence` and pass `filter`, oldest first.
    ///
    /// Who passes the last number received gets every line once, unless it was pushed out in between;
    /// 0 starts with the oldest line that is kept.
    #[must_use]
    pub fn after(
        &self,
        sequence: u64,
        limit: usize,
        filter: impl Fn(&LogRecord) -> bool,
    ) -> Vec<LogRecord> {
        let start = self
            .records
            .partition_point(|record| record.sequence <= sequence);
        self.records
            .range(start..)
            .filter(|record| filter(record))
            .take(limit)
            .cloned()
            .collect()
    }

    /// The last `limit` of the kept lines that pass `filter`, oldest first.
    #[must_use]
    pub fn last(&self, limit: usize, filter: impl Fn(&LogRecord) -> bool) -> Vec<LogRecord> {
        let newest_first = self.records.iter().rev();
        let mut lines: Vec<LogRecord> = newest_first
            .filter(|record| filter(record))
            .take(limit)
            .cloned()
            .collect();
        lines.reverse();
        lines
    }

    /// Number of the newest line, kept or not; 0 before the first.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn a_reader_gets_every_line_once_and_in_order() {
        let ring = filled(10, 1 << 20);
        check(&ring, 0, 4, expect!["1 2 3 4"]);
        check(&ring, 4, 4, expect!["5 6 7 8"]);
        check(&ring, 8, 4, expect!["9 10"]);
        check(&ring, 10, 4, expect![""]);
        check(&ring, u64::MAX, 4, expect![""]);
        check(&ring, 0, 0, expect![""]);
    }

    #[test]
    fn old_lines_make_room_within_the_bound() {
        let line_bytes = size_of::<LogRecord>() + "alpha".len() + "line 1".len();
        let ring = filled(9, 3 * line_bytes);
        assert!(ring.bytes <= 3 * line_bytes);
        check(&ring, 0, 10, expect!["7 8 9"]);
        // A reader that fell behind goes on with what is left.
        check(&ring, 2, 1, expect!["7"]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_not_kept() {
        let mut ring = filled(2, 1_000);
        assert_eq!(
            ring.push(0, "alpha", None, Level::Info, &"x".repeat(2_000)),
            3
        );
        check(&ring, 0, 10, expect![""]);
        assert_eq!((ring.bytes, ring.last_sequence()), (0, 3));
        ring.push(0, "alpha", None, Level::Info, "short");
        check(&ring, 0, 10, expect!["4"]);
    }

    #[test]
    fn the_filter_comes_before_the_limit() {
        let mut ring = LogRing::new(1 << 20);
        for (service, level) in [
            (None, Level::Info),
            (Some("a"), Level::Warn),
            (Some("b"), Level::Error),
            (Some("a"), Level::Error),
        ] {
            ring.push(7, "alpha", service, level, "line");
        }
        let numbers = |records: Vec<LogRecord>| {
            records
                .iter()
                .map(|record| record.sequence)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            numbers(ring.after(0, 2, |record| record.service.as_deref() == Some("a"))),
            [2, 4]
        );
        assert_eq!(
            numbers(ring.after(0, 1, |record| record.level >= Level::Error)),
            [3]
        );
    }

    #[test]
    fn a_record_travels_as_json() {
        let mut ring = LogRing::new(1 << 20);
        ring.push(12, "alpha", Some("payment"), Level::Warn, "late");
        let record = ring.after(0, 1, |_| true).remove(0);
        let text = serde_json::to_string(&record).expect("text");
        expect![[r#"{"sequence":1,"wall_ms":12,"host":"alpha","service":"payment","level":"warn","message":"late"}"#]].assert_eq(&text);
        assert_eq!(
            serde_json::from_str::<LogRecord>(&text).expect("a record"),
            record
        );
        for level in [
            Level::Trace,
            Level::Debug,
            Level::Info,
            Level::Warn,
            Level::Error,
        ] {
            assert_eq!(
                serde_json::to_string(&level).expect("text"),
                format!("\"{}\"", level.name())
            );
        }
    }

    fn filled(lines: u64, bytes_max: usize) -> LogRing {
        let mut ring = LogRing::new(bytes_max);
        for line in 1..=lines {
            ring.push(line, "alpha", None, Level::Info, &format!("line {line}"));
        }
        ring
    }

    #[track_caller]
    fn check(ring: &LogRing, sequence: u64, limit: usize, expected: Expect) {
        let numbers: Vec<_> = ring
            .after(sequence, limit, |_| true)
            .iter()
            .map(|record| record.sequence.to_string())
            .collect();
        expected.assert_eq(&numbers.join(" "));
    }
}
