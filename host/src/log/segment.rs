//! The files of a log: their names, their first sector, and how they are made and made again.
//!
//! A numbered file always has a valid header: it is written and synced under another name first.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sector::{PART_NONE, SECTOR_BYTES, Sector, body, classify, seal};
use super::{Options, VERSION};
use crate::os::{BlockDisk, BlockFile};

/// A new segment, until it is complete.
const NEW: &str = "new.tmp";

/// An old segment that is becoming a new one.
const OLD: &str = "old.tmp";

/// While this is there, the end of the log is being overwritten. See [`super::open`].
pub(super) const CUTTING: &str = "cutting.tmp";

const MAGIC: &[u8; 8] = b"bkshplog";

/// How much of a new segment is allocated at once: the owner of the log waits that long.
const STEP_BYTES: u64 = 1 << 20;

/// How many segments are kept ready: one that the next entries go to, and one behind it, without which no entry is accepted.
const READY_MAX: usize = 2;

/// After this many refusals at most, it is tried again whether the disk has room.
const REFUSALS_MAX: u32 = 64;

/// A segment that is being written, or was, or will be.
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn BlockFile>,
    /// Its length.
    pub(super) sectors: u32,
    /// Those that are written.
    pub(super) used: u32,
    /// The last index of each group that has entries here.
    pub(super) lasts: BTreeMap<u32, u64>,
}

/// The number in the name of a segment's file.
pub(super) fn number_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    if name.len() != 10 || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    name.parse().ok().filter(|number| *number > 0)
}

pub(super) fn path_of(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:010}.log"))
}

/// Whether a file is what a crash left of work on the segments.
pub(super) fn is_unfinished(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == NEW || name == OLD || name == CUTTING)
}

/// What the header of a segment may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A segment of this many sectors.
    Valid { sectors: u32 },
    /// A segment in a format that this program does not know.
    Newer { version: u32 },
    /// None.
    Invalid,
}

fn write_header(number: u32, sectors: u32) -> Vec<u8> {
    let mut sector = vec![0; SECTOR_BYTES];
    let fields = body(&mut sector);
    fields[..8].copy_from_slice(MAGIC);
    fields[8..12].copy_from_slice(&VERSION.to_le_bytes());
    fields[12..16].copy_from_slice(&sectors.to_le_bytes());
    seal(&mut sector, number, 0, PART_NONE);
    sector
}

/// Reads the first sector of a segment. Its checksum, magic and version are where they are in every version.
pub(super) fn read_header(sector: &[u8], number: u32) -> Header {
    let Sector::Own {
        part: PART_NONE,
        body,
    } = classify(sector, number, 0, None)
    else {
        return Header::Invalid;
    };
    let field =
        |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    if &body[..8] != MAGIC {
        return Header::Invalid;
    }
    match field(8) {
        VERSION => Header::Valid { sectors: field(12) },
        version if version > VERSION => Header::Newer { version },
        _ => Header::Invalid,
    }
}

/// Segments that are ready to be written.
pub(super) struct Spares {
    disk: Arc<dyn BlockDisk>,
    folder: PathBuf,
    segment_bytes: u64,
    ready: VecDeque<Segment>,
    making: Option<Making>,
    next_number: u32,
    /// Bytes of new segments that are due, four for each byte written.
    due_bytes: u64,
    refused: u32,
    refused_max: u32,
}

/// A segment of which a part is allocated.
struct Making {
    file: Arc<dyn BlockFile>,
    bytes: u64,
}

impl Spares {
    pub(super) fn new(
        disk: Arc<dyn BlockDisk>,
        folder: &Path,
        options: &Options,
        ready: VecDeque<Segment>,
        next_number: u32,
    ) -> Self {
        Self {
            disk,
            folder: folder.to_path_buf(),
            segment_bytes: options.segment_bytes,
            ready,
            making: None,
            next_number,
            due_bytes: 0,
            refused: 0,
            refused_max: 0,
        }
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn take(&mut self) -> Option<Segment> {
        self.ready.pop_front()
    }

    /// Makes a segment, now. Whether there was room. After it was refused, the next tries are further and further apart.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn make(&mut self) -> io::Result<bool> {
        if self.refused < self.refused_max {
            self.refused += 1;
            return Ok(false);
        }
        // All at once, since everybody waits for it.
        self.making_continues(self.segment_bytes)?;
        Ok(self.refused_max == 0)
    }

    /// Allows the next [`make`](Self::make) to try at once.
    pub(super) fn forget_refusal(&mut self) {
        self.refused = self.refused_max;
    }

    /// Goes on making segments at the pace at which they are used: both are ready before half of the present one is full.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn keep_pace(&mut self, written: u64) -> io::Result<()> {
        if self.ready.len() >= READY_MAX {
            self.due_bytes = 0;
            return Ok(());
        }
        self.due_bytes = (self.due_bytes + 4 * written).min(2 * self.segment_bytes);
        let step = STEP_BYTES.min(self.segment_bytes);
        while self.due_bytes >= step && self.ready.len() < READY_MAX {
            self.due_bytes -= step;
            if !self.making_continues(step)? && self.refused_max > 0 {
                // The disk is full. An eighth of a segment later it may not be.
                break;
            }
        }
        Ok(())
    }

    /// One step. Whether there are more until the segment is ready.
    fn making_continues(&mut self, step: u64) -> io::Result<bool> {
        let path = self.folder.join(NEW);
        match self.allocate(&path, step) {
            Ok(true) => Ok(true),
            Ok(false) => {
                let made = self.making.take();
                let file = made.expect("the step has made it").file;
                let segment = self.finish(&path, file)?;
                self.ready.push_back(segment);
                (self.refused, self.refused_max) = (0, 0);
                Ok(false)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                // What there is of it is given back: the state store may need it to let the log be shorter.
                if self.making.take().is_some() {
                    self.disk.remove(&path)?;
                    self.disk.sync_folder(&self.folder)?;
                }
                self.refused = 0;
                self.refused_max = (self.refused_max * 2).clamp(1, REFUSALS_MAX);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether more steps are needed.
    fn allocate(&mut self, path: &Path, step: u64) -> io::Result<bool> {
        if self.making.is_none() {
            let file = self.disk.create(path)?;
            self.making = Some(Making { file, bytes: 0 });
        }
        let making = self.making.as_mut().expect("it was just made");
        let bytes = (making.bytes + step).min(self.segment_bytes);
        making.file.allocate(bytes)?;
        making.bytes = bytes;
        let is_complete = bytes == self.segment_bytes;
        if !is_complete {
            // Piece by piece, since syncing a whole one would hold up the batches for long.
            making.file.sync()?;
        }
        Ok(!is_complete)
    }

    /// Turns an allocated file into the next segment.
    fn finish(&mut self, path: &Path, file: Arc<dyn BlockFile>) -> io::Result<Segment> {
        let number = self.next_number;
        let sectors = u32::try_from(self.segment_bytes / SECTOR_BYTES as u64)
            .expect("the options were checked");
        file.write_at(0, &write_header(number, sectors))?;
        file.sync()?;
        let numbered = path_of(&self.folder, number);
        self.disk.rename(path, &numbered)?;
        self.disk.sync_folder(&self.folder)?;
        self.next_number = number
            .checked_add(1)
            .ok_or_else(|| io::Error::other("the log has used up all segment numbers"))?;
        Ok(Segment {
            number,
            path: numbered,
            file,
            sectors,
            used: 1,
            lasts: BTreeMap::new(),
        })
    }

    /// Makes a segment that is not needed into a new one, or removes it.
    ///
    /// # Errors
    /// The file or folder, and why the disk failed.
    pub(super) fn retire(&mut self, segment: Segment) -> io::Result<()> {
        self.forget_refusal();
        let sectors = u64::from(segment.sectors);
        if self.ready.len() >= READY_MAX || sectors * SECTOR_BYTES as u64 != self.segment_bytes {
            self.disk.remove(&segment.path)?;
            return self.disk.sync_folder(&self.folder);
        }
        let path = self.folder.join(OLD);
        self.disk.rename(&segment.path, &path)?;
        // Before it is anything new it must not be found under its old number.
        self.disk.sync_folder(&self.folder)?;
        let recycled = self.finish(&path, segment.file)?;
        self.ready.push_back(recycled);
        (self.refused, self.refused_max) = (0, 0);
        if self.ready.len() >= READY_MAX && self.making.take().is_some() {
            self.disk.remove(&self.folder.join(NEW))?;
            self.disk.sync_folder(&self.folder)?;
        }
        Ok(())
    }
}
