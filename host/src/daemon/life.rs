//! One run of a daemon, in a store of its own, from `run` to its return.

use crate::dispatch::Dispatch;
use crate::envelope::Envelope;
use crate::instance;
use crate::limits::CpuMeter;
use crate::version::Version;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wasmtime_wasi::I32Exit;

/// Who calls `run`, as the daemon sees it.
const CALLER: &str = "host";

/// Runs a daemon until it ends. Dropping this ends it at once.
///
/// # Errors
/// Why it should run again, for people to read: it trapped, returned an error, or could not be begun.
pub async fn live(
    version: &Version,
    dispatch: Arc<dyn Dispatch>,
    hops_max: u8,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let os = &version.service.os;
    let index = version.run.ok_or("it exports no wasi:cli/run")?;
    // Its calls get deadlines of their own; it has none.
    let envelope = Envelope::enter(os.entropy.as_ref(), &CALLER.into(), Duration::MAX, hops_max);
    let mut store = instance::store(version, envelope, dispatch, None);
    store.data_mut().lifecycle = Some(stopping);
    let ran = async {
        let instance = version.pre.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut store, index)?;
        let (result,) = run.call_async(&mut store, ()).await?;
        Ok::<_, wasmtime::Error>(result)
    };
    match ran.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(())) => Err("returned an error".into()),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(0)) => Ok(()),
            Some(I32Exit(code)) => Err(format!("exited with {code}")),
            None => {
                let meter = CpuMeter::new(Arc::clone(&os.clock));
                let error = instance::explain(&error, store.data(), &meter);
                Err(error.to_string())
            }
        },
    }
}
