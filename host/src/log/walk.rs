//! Reads a whole log from the disk, changing nothing, and decides where it ends and whether it is sound. Opening and checking do the same walk.
//!
//! A batch is written only after the one before it was synced, and says so. Therefore, where the expected batch is not:
//! - if any later batch is there, the expected one was acknowledged: damage;
//! - if some of its sectors were never written, its sync did not return: the torn tail, to be cut off;
//! - if all its sectors were written and some have changed since: damage;
//! - if there is nothing of it, the log ends here, unless sectors that belong elsewhere show that the disk misdirects writes.
//!
//! The expected batch is behind the last one or, if it did not fit there, at the beginning of the next segment.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{self, Found, HEADER_BYTES};
use super::groups::Location;
use super::record::{self, Stored};
use super::sector::{SECTOR_BYTES, Sector, classify};
use super::segment::{self, Header, Segment};
use super::{Mutant, OpenError};
use crate::os::{BlockDisk, BlockFile};

/// What a walk comes across.
pub(super) enum Visit<'a> {
    /// A batch; its records follow.
    Batch {
        segment: &'a Path,
        position: u32,
        sequence: u64,
    },
    /// A record.
    Record {
        record: Stored<'a>,
        location: Location,
    },
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub file: PathBuf,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// What is on the disk.
#[derive(Default)]
pub(super) struct Walked {
    /// The segments with batches, oldest first; `used` is where the last batch ends. Then those ready to be written.
    pub(super) segments: Vec<Segment>,
    /// How many of them have batches.
    pub(super) begun: usize,
    /// The sectors that a batch left which did not become whole, and in which of the segments.
    pub(super) torn: Option<(usize, Range<u32>)>,
    /// The last batch: in which of the segments, and its sectors.
    pub(super) last_batch: Option<(usize, Range<u32>)>,
    /// The sequence number of the next batch.
    pub(super) next_sequence: u64,
    /// Files that a crash left over.
    pub(super) leftovers: Vec<PathBuf>,
    /// What is wrong, if the walk is to go on despite it.
    pub(super) problems: Vec<Problem>,
}

/// How the batches of a segment end.
struct End {
    position: u32,
    found: Found,
    /// The sectors behind the end that were written for this segment.
    remains: Option<Range<u32>>,
    /// Where among them a batch begins that was written after the missing one.
    proof: Option<u32>,
    /// A sector behind the end that belongs elsewhere, perhaps in what is missing.
    misplaced: Option<u32>,
}

struct Walk<'a> {
    disk: &'a Arc<dyn BlockDisk>,
    mutant: Option<Mutant>,
    /// Whether to go on after a problem.
    lenient: bool,
    visit: &'a mut dyn FnMut(Visit<'_>) -> Result<(), String>,
    walked: Walked,
    /// The next batch; unknown at the beginning of a log whose first segments are gone.
    expected: Option<u64>,
    sectors: Vec<u8>,
    batch: Vec<u8>,
}

/// Walks the log in `folder`. With `lenient`, problems are collected; otherwise the first one is the error.
pub(super) fn walk(
    disk: &Arc<dyn BlockDisk>,
    folder: &Path,
    mutant: Option<Mutant>,
    lenient: bool,
    visit: &mut dyn FnMut(Visit<'_>) -> Result<(), String>,
) -> Result<Walked, OpenError> {
    let mut walk = Walk {
        disk,
        mutant,
        lenient,
        visit,
        walked: Walked::default(),
        expected: None,
        sectors: Vec::new(),
        batch: Vec::new(),
    };
    walk.run(folder)?;
    walk.walked.next_sequence = walk.expected.unwrap_or(1);
    Ok(walk.walked)
}

impl Walk<'_> {
    fn problem(&mut self, file: &Path, sector: u32, what: String) -> Result<(), OpenError> {
        let (file, offset) = (file.to_path_buf(), u64::from(sector) * SECTOR_BYTES as u64);
        if !self.lenient {
            return Err(OpenError::Corrupt { file, offset, what });
        }
        self.walked.problems.push(Problem { file, offset, what });
        Ok(())
    }

    fn run(&mut self, folder: &Path) -> Result<(), OpenError> {
        let files = self.disk.list(folder).map_err(OpenError::io(folder))?;
        let mut numbered = BTreeMap::new();
        for path in files {
            if let Some(number) = segment::number_of(&path) {
                numbered.insert(number, path);
            } else if segment::is_unfinished(&path) {
                self.walked.leftovers.push(path);
            }
        }
        // Segments that are not needed are removed together, so a crash may leave some of them, before a gap. Whether what
        // is missing was needed, the positions at the beginning of each segment say.
        let mut first = numbered.last_key_value().map_or(1, |(last, _)| *last);
        while first > 1 && numbered.contains_key(&(first - 1)) {
            first -= 1;
        }
        let run = numbered.split_off(&first);
        let before_gap = numbered.into_values();
        self.walked.leftovers.extend(before_gap);
        self.expected = (first == 1).then_some(1);
        let mut previous: Option<End> = None;
        for (number, path) in run {
            let Some(segment) = self.open(number, path)? else {
                continue;
            };
            let end = self.segment(segment, previous.as_ref())?;
            let begun = end.position > 1 || end.remains.is_some();
            if begun || previous.is_none() {
                previous = Some(end);
            } else {
                self.check_next(&end, previous.as_ref())?;
            }
        }
        self.finish(folder, first, previous)
    }

    /// The header of a segment, and its sectors.
    fn open(&mut self, number: u32, path: PathBuf) -> Result<Option<Segment>, OpenError> {
        let file = self.disk.open(&path).map_err(OpenError::io(&path))?;
        let length = file.len().map_err(OpenError::io(&path))?;
        let length = length / SECTOR_BYTES as u64;
        self.sectors.clear();
        let mut sectors = 0;
        if length > 0 {
            let mut sector = [0; SECTOR_BYTES];
            file.read_at(0, &mut sector).map_err(OpenError::io(&path))?;
            match segment::read_header(&sector, number) {
                Header::Valid { sectors: found } => sectors = found,
                Header::Newer { version } => {
                    return Err(OpenError::NewerFormat {
                        file: path,
                        version,
                    });
                }
                Header::Invalid => {}
            }
        }
        if sectors == 0 || u64::from(sectors) > length {
            let what = if sectors == 0 {
                "no valid header".to_owned()
            } else {
                format!("{length} sectors are left of {sectors}")
            };
            self.problem(&path, 0, what)?;
            return Ok(None);
        }
        self.sectors.resize(sectors as usize * SECTOR_BYTES, 0);
        read(&*file, &mut self.sectors).map_err(OpenError::io(&path))?;
        Ok(Some(Segment {
            number,
            path,
            file,
            sectors,
            used: 1,
            lasts: BTreeMap::new(),
        }))
    }

    /// Reads the batches of a segment. `previous` is how those before it end.
    fn segment(&mut self, mut segment: Segment, previous: Option<&End>) -> Result<End, OpenError> {
        let mut position = 1;
        loop {
            let found = self.read(&segment, position);
            if let Found::Batch(header) = found {
                self.check_sequence(&segment, position, header.sequence, previous)?;
                self.records(&mut segment, position, header.sequence)?;
                let next = position + header.sectors();
                let index = self.walked.segments.len();
                self.walked.last_batch = Some((index, position..next));
                self.expected = Some(header.sequence + 1);
                position = next;
                segment.used = next;
                continue;
            }
            let end = self.end(&segment, position, found);
            let begun = end.position > 1 || end.remains.is_some();
            if position == 1 && begun {
                self.check_previous(previous)?;
            }
            // Later segments are only written when this one is full or synced, so whatever follows here decides alone.
            if let Some(proof) = end.proof {
                let what = match end.found {
                    Found::Damaged { what, .. } => what,
                    Found::Torn => "a batch of which sectors are missing",
                    Found::Nothing | Found::Batch(_) => "a missing batch",
                };
                let what = format!("{what}, although sector {proof} was written later");
                self.problem(&segment.path, end.problem_position(), what)?;
                self.expected = None;
                position = proof;
                continue;
            }
            if let Some(misplaced) = end.misplaced {
                self.problem(&segment.path, misplaced, batch::MISPLACED.to_owned())?;
            }
            if begun {
                self.walked.begun = self.walked.segments.len() + 1;
            }
            self.walked.segments.push(segment);
            return Ok(end);
        }
    }

    fn read(&mut self, segment: &Segment, position: u32) -> Found {
        let batch = &mut self.batch;
        batch::read(&self.sectors, segment.number, position, self.mutant, batch)
    }

    fn end(&self, segment: &Segment, position: u32, found: Found) -> End {
        let mut end = End {
            position,
            found,
            remains: None,
            proof: None,
            misplaced: None,
        };
        let start = position as usize * SECTOR_BYTES;
        for (sector, at) in self.sectors[start..]
            .chunks_exact(SECTOR_BYTES)
            .zip(position..)
        {
            let (part, body) = match classify(sector, segment.number, at, self.mutant) {
                Sector::Own { part, body } => (part, body),
                Sector::Misplaced => {
                    end.misplaced.get_or_insert(at);
                    continue;
                }
                // Bits may change where nothing is written; nothing is lost by that.
                Sector::Older | Sector::Damaged => continue,
            };
            end.remains = Some(position..at + 1);
            if part != 0 || at == position || end.proof.is_some() {
                continue;
            }
            let synced = batch::Header::decode(body).map(|header| header.synced);
            if synced.is_some_and(|synced| self.expected.is_none_or(|expected| synced >= expected))
            {
                end.proof = Some(at);
            }
        }
        end
    }

    /// Whether a batch follows the one before it.
    fn check_sequence(
        &mut self,
        segment: &Segment,
        position: u32,
        sequence: u64,
        previous: Option<&End>,
    ) -> Result<(), OpenError> {
        match self.expected {
            Some(expected) if expected != sequence => {
                let what = format!("batch {sequence} where {expected} should be");
                self.problem(&segment.path, position, what)
            }
            // What is left of a torn batch is erased before anything is written after it.
            Some(_) if position == 1 && previous.is_some_and(|end| end.remains.is_some()) => {
                self.check_previous(previous)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A segment is begun only when everything in the ones before is synced, so what was wrong at their end is damage.
    fn check_previous(&mut self, previous: Option<&End>) -> Result<(), OpenError> {
        let Some(end) = previous else {
            return Ok(());
        };
        let (Some(_), Some(segment)) = (&end.remains, self.walked.segments.last()) else {
            return Ok(());
        };
        let path = segment.path.clone();
        let what = "a damaged batch, although the next segment was written later".to_owned();
        self.problem(&path, end.problem_position(), what)
    }

    /// The last batch may be the first of its segment, and all there is of it one damaged sector.
    fn check_next(&mut self, end: &End, previous: Option<&End>) -> Result<(), OpenError> {
        let segments = &self.walked.segments;
        let (Found::Damaged { position, what }, Some(segment)) = (&end.found, segments.last())
        else {
            return Ok(());
        };
        let follows = self.walked.begun + 1 == segments.len();
        if !follows || previous.is_some_and(|end| end.remains.is_some()) {
            return Ok(());
        }
        let path = segment.path.clone();
        self.problem(&path, *position, (*what).to_owned())
    }

    fn records(
        &mut self,
        segment: &mut Segment,
        position: u32,
        sequence: u64,
    ) -> Result<(), OpenError> {
        let batch = std::mem::take(&mut self.batch);
        let result = self.visit_records(segment, position, sequence, &batch);
        self.batch = batch;
        match result {
            Ok(()) => Ok(()),
            Err(what) => self.problem(&segment.path, position, what),
        }
    }

    fn visit_records(
        &mut self,
        segment: &mut Segment,
        position: u32,
        sequence: u64,
        batch: &[u8],
    ) -> Result<(), String> {
        (self.visit)(Visit::Batch {
            segment: &segment.path,
            position,
            sequence,
        })?;
        let mut start = HEADER_BYTES;
        while start < batch.len() {
            let (record, bytes) =
                Stored::decode(&batch[start..]).ok_or("a record that cannot be read")?;
            if let Stored::Entry { group, index, .. } = record {
                segment.lasts.insert(group, index);
            }
            // A batch is shorter than a segment, whose sectors are counted in 32 bits; its bytes are checked when it is read back.
            let payload_start = start + record::HEADER_BYTES;
            let location = Location {
                segment: segment.number,
                batch: position,
                start: u32::try_from(payload_start).map_err(|error| error.to_string())?,
                bytes: u32::try_from(bytes - record::HEADER_BYTES)
                    .map_err(|error| error.to_string())?,
            };
            (self.visit)(Visit::Record { record, location })?;
            start += bytes;
        }
        Ok(())
    }

    /// The end of the log.
    fn finish(&mut self, folder: &Path, first: u32, last: Option<End>) -> Result<(), OpenError> {
        if self.expected.is_none()
            || (self.walked.begun == 0 && !self.leftover_segments().is_empty())
        {
            let missing = segment::path_of(folder, first.saturating_sub(1).max(1));
            self.problem(&missing, 0, "the segment is missing".to_owned())?;
        }
        let Some(end) = last else {
            return Ok(());
        };
        let index = self.walked.begun.saturating_sub(1);
        if let (Found::Damaged { what, .. }, Some(segment)) =
            (&end.found, self.walked.segments.get(index))
        {
            let (path, what) = (segment.path.clone(), (*what).to_owned());
            self.problem(&path, end.problem_position(), what)?;
        }
        if let Some(remains) = end.remains {
            self.walked.torn = Some((index, remains));
            // A segment with nothing but the remains of its first batch is as good as one that was never begun.
            if end.position == 1 && index > 0 {
                self.walked.begun = index;
            }
        }
        Ok(())
    }

    fn leftover_segments(&self) -> Vec<&PathBuf> {
        let leftovers = self.walked.leftovers.iter();
        leftovers
            .filter(|path| segment::number_of(path).is_some())
            .collect()
    }
}

impl End {
    fn problem_position(&self) -> u32 {
        match self.found {
            Found::Damaged { position, .. } => position,
            Found::Batch(_) | Found::Torn | Found::Nothing => self.position,
        }
    }
}

/// Reads are this long at most.
const READ_BYTES: usize = 1 << 20;

fn read(file: &dyn BlockFile, bytes: &mut [u8]) -> io::Result<()> {
    for (part, offset) in bytes.chunks_mut(READ_BYTES).zip((0..).step_by(READ_BYTES)) {
        file.read_at(offset, part)?;
    }
    Ok(())
}
