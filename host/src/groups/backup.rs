//! A backup: the state of replicated services, each as of one entry, in one file.
//!
//! ```text
//! file:  "BSHBACK1", frames
//! frame: kind: u8, length of the content: u32 LE, crc32c of kind, length and content: u32 LE, content
//! ```
//!
//! | kind | content |
//! |---|---|
//! | 1 | [`Header`] as JSON; the first |
//! | 2 | [`Section`] as JSON: a service begins |
//! | 3 | keys and values, each with its length before it |
//! | 4 | [`Total`] as JSON: a service ends |
//! | 5 | SHA-256 of everything before this frame; the last |

use crate::os::block::{BlockDisk, BlockFile};
use crate::replica::bytes::{Reader as BytesReader, Writer as BytesWriter};
use crate::replica::keyspace::ROSTER;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"BSHBACK1";
/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;
const FRAME_BYTES: usize = 9;
/// The longest content: a part of a state and one pair more, of which a value has at most some MiB.
const CONTENT_BYTES_MAX: usize = 64 << 20;
const HASH_BYTES: usize = 32;

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// See [`FORMAT`].
    pub format: u32,
    /// The name of the cluster.
    pub cluster: String,
    /// When it was begun, in milliseconds since 1970-01-01T00:00:00Z.
    pub begun_ms: u64,
    /// The services, in their order.
    pub services: Vec<String>,
}

/// A service of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Its name.
    pub service: String,
    /// The entry as of which its state is.
    pub index: u64,
    /// The term in which that was known to be committed.
    pub term: u64,
    /// The hosts that had replicas.
    pub members: Vec<String>,
}

/// What was written of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Keys and values.
    pub pairs: u64,
    /// What they take.
    pub bytes: u64,
    /// SHA-256 of all but who the members are, in hexadecimal: the same before and after a restore.
    pub hash: String,
}

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk.
    #[error("cannot work with {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is no backup of this program", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is of a newer program.
    #[error("{} has format {format}, and this program reads {FORMAT}: use the version that wrote it", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// It is not what was written.
    #[error("{} is damaged at byte {offset}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// Keys and values.
pub type Pairs = Vec<(Bytes, Bytes)>;

/// The next thing in a backup.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A service begins.
    Section(Section),
    /// Some of what it has.
    Pairs(Pairs),
    /// It ends.
    Total(Total),
    /// Nothing follows.
    End,
}

/// Adds up what a service has.
#[derive(Default)]
struct Adding {
    pairs: u64,
    bytes: u64,
    hash: Sha256,
}

impl Adding {
    fn add(&mut self, pairs: &[(Bytes, Bytes)]) {
        for (key, value) in pairs {
            self.pairs += 1;
            self.bytes += (key.len() + value.len()) as u64;
            if key == ROSTER {
                continue;
            }
            for part in [key, value] {
                self.hash.update((part.len() as u64).to_le_bytes());
                self.hash.update(part);
            }
        }
    }

    fn total(&mut self) -> Total {
        let Self { pairs, bytes, hash } = std::mem::take(self);
        Total {
            pairs,
            bytes,
            hash: hex::encode(hash.finalize()),
        }
    }
}

/// Writes a backup.
pub struct Writer {
    path: PathBuf,
    file: Arc<dyn BlockFile>,
    offset: u64,
    all: Sha256,
    adding: Adding,
}

impl Writer {
    /// Begins a file, of which there must be none.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn create(disk: &dyn BlockDisk, path: &Path, header: &Header) -> Result<Self, BackupError> {
        let failed = |source| BackupError::Io {
            path: path.to_path_buf(),
            source,
        };
        let mut writer = Self {
            file: disk.create(path).map_err(failed)?,
            path: path.to_path_buf(),
            offset: 0,
            all: Sha256::default(),
            adding: Adding::default(),
        };
        writer.put(MAGIC)?;
        writer.json(1, header)?;
        Ok(writer)
    }

    /// Begins a service.
    ///
    /// # Errors
    /// [`BackupError::Io`]; so below.
    pub fn section(&mut self, section: &Section) -> Result<(), BackupError> {
        self.adding = Adding::default();
        self.json(2, section)
    }

    /// Adds what it has, in the order of the keys.
    ///
    /// # Errors
    /// See [`section`](Self::section).
    pub fn pairs(&mut self, pairs: &[(Bytes, Bytes)]) -> Result<(), BackupError> {
        if pairs.is_empty() {
            return Ok(());
        }
        self.adding.add(pairs);
        let mut content = BytesWriter::with_capacity(1 << 20);
        for (key, value) in pairs {
            content.text(key);
            content.text(value);
        }
        self.frame(3, &content.finish())
    }

    /// Ends a service.
    ///
    /// # Errors
    /// See [`section`](Self::section).
    pub fn total(&mut self) -> Result<Total, BackupError> {
        let total = self.adding.total();
        self.json(4, &total)?;
        Ok(total)
    }

    /// Ends the file, and makes sure that it is on the disk. Returns its length.
    ///
    /// # Errors
    /// See [`section`](Self::section).
    pub fn finish(mut self) -> Result<u64, BackupError> {
        let hash = self.all.clone().finalize();
        self.frame(5, &hash)?;
        let synced = self.file.sync();
        synced.map_err(|source| self.failed(source))?;
        Ok(self.offset)
    }

    fn json(&mut self, kind: u8, content: &impl Serialize) -> Result<(), BackupError> {
        let content = serde_json::to_vec(content).map_err(|error| self.failed(error.into()))?;
        self.frame(kind, &content)
    }

    fn frame(&mut self, kind: u8, content: &[u8]) -> Result<(), BackupError> {
        let length = u32::try_from(content.len());
        let length = length.map_err(|_| self.failed(io::ErrorKind::InvalidInput.into()))?;
        self.put(&frame_head(kind, length, content))?;
        self.put(content)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        let written = self.file.write_at(self.offset, bytes);
        written.map_err(|source| self.failed(source))?;
        self.all.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> BackupError {
        BackupError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

fn frame_head(kind: u8, length: u32, content: &[u8]) -> [u8; FRAME_BYTES] {
    let mut head = [0; FRAME_BYTES];
    head[0] = kind;
    head[1..5].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&head[..5]), content);
    head[5..].copy_from_slice(&checksum.to_le_bytes());
    head
}

/// Reads a backup from its beginning.
pub struct Reader {
    path: PathBuf,
    file: Arc<dyn BlockFile>,
    length: u64,
    offset: u64,
    all: Sha256,
    adding: Adding,
    is_in_section: bool,
    header: Header,
}

impl Reader {
    /// Opens a file and reads what it is of.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn open(disk: &dyn BlockDisk, path: &Path) -> Result<Self, BackupError> {
        let failed = |source| BackupError::Io {
            path: path.to_path_buf(),
            source,
        };
        let file = disk.open(path).map_err(failed)?;
        let length = file.len().map_err(failed)?;
        let mut reader = Self {
            path: path.to_path_buf(),
            file,
            length,
            offset: 0,
            all: Sha256::default(),
            adding: Adding::default(),
            is_in_section: false,
            header: Header {
                format: FORMAT,
                cluster: String::new(),
                begun_ms: 0,
                services: Vec::new(),
            },
        };
        let foreign = || BackupError::Foreign {
            path: path.to_path_buf(),
        };
        if length < MAGIC.len() as u64 || reader.take(MAGIC.len())? != MAGIC[..] {
            return Err(foreign());
        }
        let (kind, content) = reader.frame()?;
        if kind != 1 {
            return Err(reader.damaged("it does not say what it is of"));
        }
        // Of another format only this may be as it is now.
        let format: serde_json::Value = reader.parse(&content)?;
        let format = format["format"]
            .as_u64()
            .and_then(|it| u32::try_from(it).ok());
        match format {
            Some(FORMAT) => {}
            Some(format) => {
                return Err(BackupError::Version {
                    path: path.to_path_buf(),
                    format,
                });
            }
            None => return Err(foreign()),
        }
        reader.header = reader.parse(&content)?;
        Ok(reader)
    }

    /// What it is of.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next thing; whatever it returns has been compared with its checksum.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn item(&mut self) -> Result<Item, BackupError> {
        let before = self.all.clone().finalize();
        let (kind, content) = self.frame()?;
        match (kind, self.is_in_section) {
            (2, false) => {
                self.is_in_section = true;
                self.adding = Adding::default();
                Ok(Item::Section(self.parse(&content)?))
            }
            (3, true) => {
                let mut reader = BytesReader::new(content);
                let mut pairs = Pairs::new();
                while !reader.is_at_end() {
                    let mut next = || reader.text().ok();
                    let pair = next().and_then(|key| Some((key, next()?)));
                    pairs.push(pair.ok_or_else(|| self.damaged("keys and values end early"))?);
                }
                self.adding.add(&pairs);
                Ok(Item::Pairs(pairs))
            }
            (4, true) => {
                self.is_in_section = false;
                let total: Total = self.parse(&content)?;
                if total != self.adding.total() {
                    return Err(self.damaged("part of a service is missing or was changed"));
                }
                Ok(Item::Total(total))
            }
            (5, false) if content[..] == before[..] && self.offset == self.length => Ok(Item::End),
            (5, false) => Err(self.damaged("its checksum is that of another file")),
            _ => Err(self.damaged("its parts are not in their order")),
        }
    }

    /// Reads all of it, to see whether it is whole.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn check(mut self) -> Result<Vec<(Section, Total)>, BackupError> {
        let mut found = Vec::new();
        let mut current = None;
        loop {
            match self.item()? {
                Item::Section(section) => current = Some(section),
                Item::Pairs(_) => {}
                Item::Total(total) => found.extend(current.take().map(|section| (section, total))),
                Item::End => return Ok(found),
            }
        }
    }

    fn frame(&mut self) -> Result<(u8, Bytes), BackupError> {
        let head = self.take(FRAME_BYTES)?;
        let mut length = [0; 4];
        length.copy_from_slice(&head[1..5]);
        let length = u32::from_le_bytes(length);
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes > CONTENT_BYTES_MAX || (head[0] == 5 && bytes != HASH_BYTES) {
            return Err(self.damaged("a length is too large"));
        }
        let content = self.take(bytes)?;
        if frame_head(head[0], length, &content)[..] != head[..] {
            return Err(self.damaged("a checksum does not fit"));
        }
        Ok((head[0], content))
    }

    fn take(&mut self, bytes: usize) -> Result<Bytes, BackupError> {
        if self.offset + bytes as u64 > self.length {
            return Err(self.damaged("it ends early"));
        }
        let mut read = vec![0; bytes];
        let done = self.file.read_at(self.offset, &mut read);
        done.map_err(|source| BackupError::Io {
            path: self.path.clone(),
            source,
        })?;
        self.all.update(&read);
        self.offset += bytes as u64;
        Ok(read.into())
    }

    fn parse<T: DeserializeOwned>(&self, content: &[u8]) -> Result<T, BackupError> {
        serde_json::from_slice(content).map_err(|_| self.damaged("a description cannot be read"))
    }

    fn damaged(&self, what: &'static str) -> BackupError {
        BackupError::Damaged {
            path: self.path.clone(),
            offset: self.offset,
            what,
        }
    }
}

#[cfg(test)]
mod tests;
