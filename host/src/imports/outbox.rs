//! `bookshop:platform/outbox`: calls that leave with what a command wrote.

use crate::imports::CallState;
use crate::replica::work::Message;
use wasmtime::component::{HasSelf, Linker};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:outbox; world imports { import bookshop:platform/outbox@0.1.0; }",
        world: "host:outbox/imports",
        imports: { default: trappable },
    });
}
use generated::bookshop::platform::outbox;

impl outbox::Host for CallState {
    fn send(
        &mut self,
        target: String,
        function: String,
        arguments: String,
        reply_tag: String,
    ) -> wasmtime::Result<Result<(), String>> {
        let found = self
            .dispatch
            .address(&self.service.config, &target, &function, &arguments);
        let address = match found {
            Ok(address) => address,
            Err(message) => return Ok(Err(message)),
        };
        self.work()?.send(Message {
            service: address.service,
            interface: address.interface,
            function: address.function,
            arguments,
            tag: reply_tag,
        })?;
        Ok(Ok(()))
    }
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    outbox::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}
