//! `wasi:logging`, standard output and standard error of a guest: lines of the service's log, which bounds their length and rate.

use crate::imports::CallState;
use crate::service::Service;
use crate::telemetry::Level;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/deps/logging.wit",
        inline: "package host:logging; world imports { import wasi:logging/logging@0.1.0-draft; }",
        world: "host:logging/imports",
    });
}
use generated::wasi::logging::logging;

impl logging::Host for CallState {
    fn log(&mut self, level: logging::Level, context: String, message: String) {
        let level = match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error | logging::Level::Critical => Level::Error,
        };
        if context.is_empty() {
            self.service.log.guest_line(level, &message);
        } else {
            self.service
                .log
                .guest_line(level, &format!("{context}: {message}"));
        }
    }
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    logging::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

/// Bytes of an unfinished line that are kept; a longer line is cut into lines of this length.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Bytes a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// One of a guest's output streams.
#[derive(Clone)]
pub struct GuestOutput {
    service: Arc<Service>,
    level: Level,
}

impl GuestOutput {
    /// Lines go to the log of `service` with `level`.
    #[must_use]
    pub fn new(service: &Arc<Service>, level: Level) -> Self {
        Self {
            service: Arc::clone(service),
            level,
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines {
            output: self.clone(),
            unfinished: Vec::new(),
        })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Lines {
            output: self.clone(),
            unfinished: Vec::new(),
        })
    }
}

/// Cuts a stream of bytes into lines.
struct Lines {
    output: GuestOutput,
    unfinished: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.unfinished.len() == LINE_BYTES_MAX {
                self.finish();
            }
            if byte != b'\n' {
                self.unfinished.push(byte);
            }
        }
    }

    fn finish(&mut self) {
        let line = String::from_utf8_lossy(&self.unfinished);
        self.output
            .service
            .log
            .guest_line(self.output.level, line.trim_end_matches('\r'));
        self.unfinished.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.unfinished.is_empty() {
            self.finish();
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
