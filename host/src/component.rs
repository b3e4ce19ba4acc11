//! A component as loaded from a file: digest, compiled code, and what it imports and exports.

use crate::compile::{CompileError, Compiler};
use crate::dispatch::FunctionName;
use crate::interface;
use crate::os::Os;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem};

/// SHA-256 of a component's bytes, in hexadecimal.
pub type Digest = String;

/// The digest of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    hex::encode(Sha256::digest(bytes))
}

/// The part of a digest that people compare.
#[must_use]
pub fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is missing or cannot be read.
    #[error("cannot read component {}; check `wasm` in the configuration, or run `bookshop-host build`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The file is not WebAssembly at all.
    #[error("{} is not a WebAssembly component: it does not begin with the bytes of one", .path.display())]
    NotWasm {
        /// The file.
        path: PathBuf,
    },
    /// The file is a core module.
    #[error("{} is a core module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`", .path.display())]
    CoreModule {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged, or uses what the engine does not know.
    #[error("cannot compile {}; build it again, since it is damaged or made for another engine", .path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: CompileError,
    },
    /// The compiled code cannot be mapped.
    #[error("cannot map the compiled code of {}: {reason}", .path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// The reason, in the engine's words.
        reason: String,
    },
}

/// A component's code, ready to be linked.
pub struct Loaded {
    /// Identity of the code.
    pub digest: Digest,
    /// Size of the wasm file.
    pub bytes: usize,
    /// The compiled code.
    pub component: Component,
}

/// Loads the component in `path`, compiling it in a child process unless that was done before.
///
/// # Errors
/// See [`LoadError`]; nothing of this host is changed by a component that cannot be loaded.
pub async fn load(
    path: &Path,
    engine: &Engine,
    compiler: &Compiler,
    os: &Os,
) -> Result<Loaded, LoadError> {
    let bytes = os.disk.read(path).map_err(|source| LoadError::Read {
        path: path.into(),
        source,
    })?;
    check_header(path, &bytes)?;
    let digest = digest(&bytes);
    let code = compiler
        .compiled(path, &digest, engine)
        .await
        .map_err(|source| LoadError::Compile {
            path: path.into(),
            source,
        })?;
    let component = map(engine, &code).map_err(|error| LoadError::Map {
        path: path.into(),
        reason: format!("{error:#}"),
    })?;
    Ok(Loaded {
        digest,
        bytes: bytes.len(),
        component,
    })
}

/// Tells a component from a core module and from anything else by its first eight bytes
/// (Component Model, Binary.md: preamble).
///
/// # Errors
/// [`LoadError::NotWasm`] and [`LoadError::CoreModule`].
pub fn check_header(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    const MAGIC: &[u8] = b"\0asm";
    const LAYER_MODULE: [u8; 2] = [0, 0];
    match (bytes.get(..4), bytes.get(6..8)) {
        (Some(MAGIC), Some(layer)) if layer == LAYER_MODULE => {
            Err(LoadError::CoreModule { path: path.into() })
        }
        (Some(MAGIC), Some(_)) => Ok(()),
        _ => Err(LoadError::NotWasm { path: path.into() }),
    }
}

/// Maps compiled code.
///
/// # Errors
/// It is missing, or not of this version and these settings of the engine.
#[allow(
    unsafe_code,
    reason = "the engine maps code from a folder that only this program writes, keyed by the digest of its source"
)]
pub fn map(engine: &Engine, code: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `compile` writes these files by atomic rename from this very program or a child process of it and never changes one after that;
    // their folder is the host's own. The engine itself refuses files of another version or other settings.
    unsafe { Component::deserialize_file(engine, code) }
}

/// Functions by name.
pub type Functions = BTreeMap<FunctionName, ComponentFunc>;

impl Loaded {
    /// Every function of an exported interface, or exported directly, by its compatible name.
    #[must_use]
    pub fn exports(&self, engine: &Engine) -> Functions {
        let mut functions = Functions::new();
        for (name, item) in self.component.component_type().exports(engine) {
            collect(engine, name, item.ty, &mut functions);
        }
        functions
    }

    /// The names of exported interfaces, as written in the component.
    #[must_use]
    pub fn exported_interfaces(&self, engine: &Engine) -> Vec<String> {
        let exports = self.component.component_type();
        exports
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// Whether an interface of this compatible name is exported.
    #[must_use]
    pub fn is_exporting(&self, engine: &Engine, compatible: &str) -> bool {
        self.component
            .component_type()
            .exports(engine)
            .any(|(name, _)| interface::compatible(name) == compatible)
    }
}

fn collect(engine: &Engine, name: &str, item: ComponentItem, functions: &mut Functions) {
    match item {
        ComponentItem::ComponentFunc(function) => {
            functions.insert(
                FunctionName {
                    interface: String::new(),
                    function: name.to_owned(),
                },
                function,
            );
        }
        ComponentItem::ComponentInstance(instance) => {
            let interface = interface::compatible(name);
            for (function, item) in instance.exports(engine) {
                if let ComponentItem::ComponentFunc(ty) = item.ty {
                    functions.insert(
                        FunctionName {
                            interface: interface.clone(),
                            function: function.to_owned(),
                        },
                        ty,
                    );
                }
            }
        }
        ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::Type(_)
        | ComponentItem::Resource(_) => {}
    }
}
