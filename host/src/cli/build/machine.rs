//! Machine code of components: found in the cache, or made now, with progress.

use crate::cli::progress::Progress;
use crate::compile::Compiler;
use crate::component::{self, LoadError};
use crate::os::Os;
use std::path::{Path, PathBuf};
use wasmtime::Engine;

/// A component that could not be read or compiled.
pub struct Failed {
    /// The file.
    pub wasm: PathBuf,
    /// The reason.
    pub error: LoadError,
}

/// Makes sure that there is machine code for each of `files`; says how many had to be compiled, and which could not be.
pub async fn compile(
    files: &[PathBuf],
    engine: &Engine,
    compiler: &Compiler,
    os: &Os,
    progress: &dyn Progress,
) -> (usize, Vec<Failed>) {
    let mut failures = Vec::new();
    let mut missing = Vec::new();
    for wasm in files {
        match digest(wasm, os) {
            Ok(digest) if compiler.is_compiled(&digest, engine) => {}
            Ok(digest) => missing.push((wasm, digest)),
            Err(error) => failures.push(Failed {
                wasm: wasm.clone(),
                error,
            }),
        }
    }
    if missing.is_empty() {
        return (0, failures);
    }
    let mut compiled = 0;
    progress.begin(missing.len());
    // One after the other: each compilation uses all cores by itself.
    for (wasm, digest) in missing {
        let name = wasm.file_stem().unwrap_or_default().to_string_lossy();
        progress.step(&name);
        let started = os.clock.monotonic();
        match compiler.compiled(wasm, &digest, engine).await {
            Ok(_) => {
                compiled += 1;
                progress.done(&name, os.clock.monotonic().saturating_sub(started));
            }
            Err(source) => failures.push(Failed {
                wasm: wasm.clone(),
                error: LoadError::Compile {
                    path: wasm.clone(),
                    source,
                },
            }),
        }
    }
    progress.end();
    (compiled, failures)
}

fn digest(wasm: &Path, os: &Os) -> Result<component::Digest, LoadError> {
    let bytes = os.disk.read(wasm).map_err(|source| LoadError::Read {
        path: wasm.into(),
        source,
    })?;
    component::check_header(wasm, &bytes)?;
    Ok(component::digest(&bytes))
}
