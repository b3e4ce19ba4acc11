//! Compiled code: one file per component and engine, made by a child process of low priority and kept.
//!
//! The child is this very program (`bookshop-host compile`), so that a component that makes the compiler run away or crash
//! takes down nobody else.

use crate::os::clock::timeout;
use crate::os::process::{self, Program};
use crate::os::{Os, disk::Disk};
use crate::{component, engine};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wasmtime::Engine;

/// Longest compilation that is waited for: a Python runtime of 20 MB takes some ten seconds on one core.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(300);
/// What one compilation may take of the machine.
const COMPILE_MEMORY_BYTES: u64 = 8 << 30;
const COMPILE_CPU_SECONDS: u64 = 600;
/// The subcommand of this program that compiles one component.
pub const COMPILE_COMMAND: &str = "compile-component";

/// Why there is no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The child process cannot be started.
    #[error("cannot start {}", .program.display())]
    Start {
        /// This program.
        program: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The component is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The compiler took too long.
    #[error("the compiler did not finish within {} s", COMPILE_TIMEOUT.as_secs())]
    Timeout,
    /// The result cannot be kept.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file in the cache.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

/// Finds compiled code, or has it made.
#[derive(Clone)]
pub struct Compiler {
    program: PathBuf,
    cache: PathBuf,
    os: Os,
}

impl Compiler {
    /// `program` is a `bookshop-host`; `cache` is the folder for compiled code, one per data root.
    #[must_use]
    pub fn new(program: PathBuf, cache: PathBuf, os: Os) -> Self {
        Self { program, cache, os }
    }

    /// Where the compiled code of a component is kept.
    #[must_use]
    pub fn path(&self, digest: &str, engine: &Engine) -> PathBuf {
        let mut settings = Fnv::default();
        engine.precompile_compatibility_hash().hash(&mut settings);
        self.cache
            .join(format!("{digest}-{:016x}.cwasm", settings.finish()))
    }

    /// Whether the compiled code of a component is there.
    #[must_use]
    pub fn is_compiled(&self, digest: &str, engine: &Engine) -> bool {
        self.os.disk.modified(&self.path(digest, engine)).is_ok()
    }

    /// The file with the compiled code of the component in `wasm`, whose digest is known.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub async fn compiled(
        &self,
        wasm: &Path,
        digest: &str,
        engine: &Engine,
    ) -> Result<PathBuf, CompileError> {
        let path = self.path(digest, engine);
        if self.os.disk.modified(&path).is_ok() {
            return Ok(path);
        }
        let arguments = [
            COMPILE_COMMAND.into(),
            wasm.into(),
            digest.into(),
            path.clone().into_os_string(),
        ];
        let child = Program::new(&self.program, arguments);
        let (status, message) = timeout(self.os.clock.as_ref(), COMPILE_TIMEOUT, child.run())
            .await
            .map_err(|_| CompileError::Timeout)?
            .map_err(|source| CompileError::Start {
                program: self.program.clone(),
                source,
            })?;
        match (status.success(), message.trim()) {
            (true, _) => Ok(path),
            (false, "") => Err(CompileError::Invalid(format!(
                "the compiler ended with {status}"
            ))),
            (false, message) => Err(CompileError::Invalid(
                message.trim_start_matches("error: ").to_owned(),
            )),
        }
    }

    /// The file with the compiled code of a component that is a part of this program, compiled here if need be: it needs nobody to be protected from it.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn compiled_own(&self, bytes: &[u8], engine: &Engine) -> Result<PathBuf, CompileError> {
        let path = self.path(&component::digest(bytes), engine);
        if self.os.disk.modified(&path).is_err() {
            let code = engine.precompile_component(bytes);
            let code = code.map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
            let written = self.os.disk.write_atomic(&path, &code);
            written.map_err(|source| CompileError::Write {
                path: path.clone(),
                source,
            })?;
        }
        Ok(path)
    }
}

/// The body of the child process: compiles `wasm`, if it still has `digest`, into `output`.
///
/// # Errors
/// A message for the parent, which prints it as the reason.
pub fn compile_component(
    disk: &dyn Disk,
    wasm: &Path,
    digest: &str,
    output: &Path,
) -> Result<(), CompileError> {
    process::restrict(COMPILE_MEMORY_BYTES, COMPILE_CPU_SECONDS);
    let bytes = disk
        .read(wasm)
        .map_err(|error| CompileError::Invalid(error.to_string()))?;
    if component::digest(&bytes) != digest {
        return Err(CompileError::Invalid(
            "the file changed while it was being loaded; try again".into(),
        ));
    }
    let code = engine::compiler()
        .and_then(|engine| engine.precompile_component(&bytes))
        .map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
    disk.write_atomic(output, &code)
        .map_err(|source| CompileError::Write {
            path: output.into(),
            source,
        })
}

/// FNV-1a: the standard library's hasher may change with its version, and these names are kept on disk.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
