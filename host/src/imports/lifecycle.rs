//! `bookshop:platform/lifecycle`: how a daemon learns that its host wants it to finish.

use crate::imports::CallState;
use tokio::sync::watch;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Accessor, LinkerInstance};

/// The interface, of any version.
pub const INTERFACE: &str = "bookshop:platform/lifecycle";
const STOPPING: &str = "stopping";
const IS_STOPPING: &str = "is-stopping";

/// Defines one of its functions with the type by which it is imported. One that the interface does not have is left for the engine to refuse.
///
/// # Errors
/// A bug: it was defined twice.
pub fn define(
    linker: &mut LinkerInstance<'_, CallState>,
    function: &str,
    ty: &ComponentFunc,
) -> wasmtime::Result<()> {
    match (function, ty.async_()) {
        (STOPPING, true) => {
            linker.func_wrap_concurrent(function, |accessor: &Accessor<CallState>, (): ()| {
                Box::pin(async move {
                    let signal = accessor.with(|mut access| access.data_mut().lifecycle.clone());
                    stopping(signal).await;
                    Ok(())
                })
            })
        }
        (STOPPING, false) => linker.func_wrap_async(function, |store, (): ()| {
            let signal = store.data().lifecycle.clone();
            Box::new(async move {
                stopping(signal).await;
                Ok(())
            })
        }),
        (IS_STOPPING, _) => linker.func_wrap(function, |store, (): ()| {
            let signal = store.data().lifecycle.as_ref();
            Ok((signal.is_some_and(|signal| *signal.borrow()),))
        }),
        (_, _) => Ok(()),
    }
}

/// Returns once the signal is given; never where there is none to be given.
pub(super) async fn stopping(signal: Option<watch::Receiver<bool>>) {
    if let Some(mut signal) = signal {
        // The signal's end is the end of what owns this daemon.
        let _ = signal.wait_for(|stopping| *stopping).await;
    } else {
        std::future::pending().await
    }
}
