//! Runs a call: on a fresh instance, or on one that served before (`instance = "pooled"`).
//!
//! A used instance serves one call at a time and is dropped after a failure, after a cancelled call, and after a randomised number of calls,
//! so that instances made together are not replaced together.

use crate::call_error::CallError;
use crate::config::InstanceMode;
use crate::dispatch::{Dispatch, FunctionName, Invocation};
use crate::envelope::Envelope;
use crate::instance::{CallReply, Failure, HttpReply, Instance};
use crate::limits::{CpuMeter, Metered};
use crate::payload::Body;
use crate::replica::published::Snapshot;
use crate::replica::work::{Effects, Work, WorkError};
use crate::version::Version;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use wasmtime::component::Val;

/// How often a call runs that others keep overtaking. Each time at least one of the others got through, so this is only
/// reached where very many calls change the same key.
const ATTEMPTS_MAX: u32 = 32;

/// Instances of one version that wait for their next call. At most as many as the service may have calls.
#[derive(Default)]
pub struct Idle(Mutex<Vec<Instance>>);

impl Idle {
    fn take(&self) -> Option<Instance> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, instance: Instance) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(instance);
    }

    /// Drops all of them.
    pub fn clear(&self) {
        // Dropped outside the lock: each gives its memory back to the pool.
        let instances = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(instances);
    }
}

/// Runs a call of a function to its end; the results leave earlier, through `reply`, which is taken then.
/// A call that read from storage what another has changed before it was done runs again. A query of a replicated service sees `snapshot`.
///
/// # Errors
/// [`CallError::NotFound`]: no such function. [`CallError::Unavailable`]: it was overtaken too often. Others see [`Instance::call`].
pub async fn call(
    version: Arc<Version>,
    invocation: Invocation,
    arguments: Vec<Val>,
    snapshot: Option<Arc<Snapshot>>,
    reply: &mut Option<CallReply>,
    dispatch: Arc<dyn Dispatch>,
) -> Result<(), CallError> {
    let Some(export) = version.exports.get(&*invocation.function) else {
        return Err(CallError::NotFound {
            service: version.service.name.to_string(),
            message: format!("it has no function {}", invocation.function),
        });
    };
    for _ in 0..ATTEMPTS_MAX {
        let (idle, meter) = checkout(&version);
        let (envelope, dispatch) = (invocation.envelope.clone(), Arc::clone(&dispatch));
        // Awaited where it is made: a name for it would be room for it twice in every call.
        let attempted = Metered::new(Arc::clone(&meter), async {
            let mut instance = ready(&version, idle, envelope, dispatch, meter).await?;
            instance.show(snapshot.clone());
            instance.call(export, &arguments, reply).await?;
            checkin(&version, instance);
            Ok(())
        })
        .await;
        match attempted {
            Ok(()) => return Ok(()),
            Err(Failure::Call(error)) => return Err(error),
            Err(Failure::Conflict) => {}
        }
    }
    Err(CallError::Unavailable {
        service: version.service.name.to_string(),
        message: format!("other calls changed its state {ATTEMPTS_MAX} times before it was done"),
        maybe_executed: false,
    })
}

/// Runs a call as a command of a replicated service, alone with its state. Returns its results, and what it changes. If the version has to make the state
/// its own first, that is part of it; if the call is nothing but that, it may have nothing to do.
///
/// # Errors
/// [`CallError::NotFound`]: no such function. Others see [`Instance::call`]. It changes nothing then.
pub async fn command(
    version: &Arc<Version>,
    function: &FunctionName,
    envelope: Envelope,
    arguments: &[Val],
    work: Work,
    dispatch: Arc<dyn Dispatch>,
) -> Result<(Vec<Val>, Effects), CallError> {
    let service = || version.service.name.to_string();
    let export = version
        .exports
        .get(function)
        .ok_or_else(|| CallError::NotFound {
            service: service(),
            message: format!("it has no function {function}"),
        })?;
    let is_migration = version.migration.as_deref() == Some(function);
    let (idle, meter) = checkout(version);
    let (reply, mut replied) = oneshot::channel();
    let mut reply = Some(reply);
    let effects = Metered::new(Arc::clone(&meter), async {
        let mut instance = ready(version, idle, envelope, dispatch, meter).await?;
        let work = migrated(version, &mut instance, work).await?;
        let effects = if is_migration {
            // A failed send drops what nobody waits for.
            let _ = reply.take().map(|reply| reply.send(Vec::new()));
            Some(work.finish().map_err(|error| unfinished(version, &error))?)
        } else {
            instance.give(work);
            instance.call(export, arguments, &mut reply).await?;
            instance.take_effects()
        };
        checkin(version, instance);
        Ok(effects)
    })
    .await;
    match (effects, replied.try_recv()) {
        (Ok(Some(effects)), Ok(results)) => Ok((results, effects)),
        (Ok(_), _) => Err(CallError::Trapped {
            service: service(),
            message: "returned without an answer".into(),
        }),
        (Err(Failure::Call(error)), _) => Err(error),
        (Err(Failure::Conflict), _) => Err(CallError::Unavailable {
            service: service(),
            message: "its state is not replicated".into(),
            maybe_executed: false,
        }),
    }
}

/// The work after this version has made the state its own, if another one wrote it and this one can.
async fn migrated(version: &Version, instance: &mut Instance, work: Work) -> Result<Work, Failure> {
    let Some(name) = &version.migration else {
        return Ok(work);
    };
    if work.form() == version.form {
        return Ok(work);
    }
    let failed = |error: &WorkError| Failure::from(unfinished(version, error));
    let from = work.migrated().map_err(|error| failed(&error))?;
    let Some(export) = version.exports.get(&**name) else {
        return Ok(work);
    };
    let mut next = work.begin_anew();
    instance.give(work);
    let from = Val::Option(from.map(|digest| Box::new(Val::String(digest))));
    instance.call(export, &[from], &mut None).await?;
    let gone_on = match instance.take_effects() {
        Some(effects) => next.go_on(effects),
        None => Ok(()),
    };
    let noted = gone_on.and_then(|()| next.set_migrated(&version.digest, version.form));
    noted.map_err(|error| failed(&error))?;
    Ok(next)
}

fn unfinished(version: &Version, error: &WorkError) -> CallError {
    CallError::Trapped {
        service: version.service.name.to_string(),
        message: format!("cannot migrate its state: {error}"),
    }
}

/// Runs a call of the HTTP handler to its end; the answer leaves earlier, through `reply`.
///
/// # Errors
/// See [`Instance::serve`].
pub async fn serve(
    version: Arc<Version>,
    invocation: Invocation,
    request: http::Request<Body>,
    reply: HttpReply,
    dispatch: Arc<dyn Dispatch>,
) -> Result<(), CallError> {
    let (idle, meter) = checkout(&version);
    Metered::new(Arc::clone(&meter), async {
        let mut instance = ready(&version, idle, invocation.envelope, dispatch, meter).await?;
        instance.serve(request, reply).await?;
        checkin(&version, instance);
        Ok(())
    })
    .await
}

fn checkout(version: &Version) -> (Option<Instance>, Arc<CpuMeter>) {
    let idle = version.idle.take();
    let meter = idle.as_ref().map_or_else(
        || CpuMeter::new(Arc::clone(&version.service.os.clock)),
        Instance::meter,
    );
    (idle, meter)
}

async fn ready(
    version: &Version,
    idle: Option<Instance>,
    envelope: Envelope,
    dispatch: Arc<dyn Dispatch>,
    meter: Arc<CpuMeter>,
) -> Result<Instance, CallError> {
    if let Some(mut instance) = idle {
        instance.renew(envelope, dispatch);
        return Ok(instance);
    }
    let mut instance = Instance::new(version, envelope, dispatch, meter).await?;
    instance.calls_left = match version.service.config.instance {
        InstanceMode::PerCall => 1,
        // Between half and one and a half times the configured number.
        InstanceMode::Pooled { retire_after } => {
            let spread = version.service.os.entropy.next() % u64::from(retire_after).max(1);
            retire_after / 2 + u32::try_from(spread).unwrap_or(retire_after)
        }
    };
    Ok(instance)
}

fn checkin(version: &Version, mut instance: Instance) {
    instance.calls_left = instance.calls_left.saturating_sub(1);
    if instance.calls_left > 0 {
        // Nobody else is to be kept waiting for its pages.
        instance.show(None);
        version.idle.give(instance);
    }
}
