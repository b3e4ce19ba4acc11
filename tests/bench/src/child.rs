//! Programs that a measurement starts: none outlives it, however it ends.

use crate::{Outcome, cluster};
use bookshop_host::os::signal::StopSignals;
use bookshop_host::os::task;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the wait for a program that measures something looks again: it must not be disturbed.
const SELDOM: Duration = Duration::from_millis(20);

/// Processes that are running now.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A program that is killed when this is dropped, if it has not ended by then.
pub struct Owned(Child);

impl Owned {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(command: &mut Command) -> Outcome<Self> {
        // Held over the start, so that no signal comes between it and the entry.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        running.insert(Pid::from_child(&child).as_raw_nonzero().get());
        Ok(Self(child))
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.0.try_wait().ok().flatten()?;
        Some(status.to_string())
    }

    /// Waits until somebody listens on an address that was given to it.
    ///
    /// # Errors
    /// It ended, or nobody listens within `patience`.
    pub fn until_listening(&mut self, address: SocketAddr, patience: Duration) -> Outcome {
        let end = Instant::now() + patience;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.ended() {
                return Err(format!("the program for {address} ended with {status}").into());
            }
            if Instant::now() >= end {
                return Err(format!("nobody listens on {address}").into());
            }
            std::thread::sleep(cluster::POLL);
        }
        Ok(())
    }

    /// Waits until it ends, and gives what it printed, which has to fit into a pipe: 64 KiB on Linux.
    ///
    /// # Errors
    /// It failed, or has not ended within `patience`; then it is killed.
    pub fn output(mut self, patience: Duration) -> Outcome<String> {
        let end = Instant::now() + patience;
        let status = loop {
            match self.0.try_wait()? {
                Some(status) => break status,
                None if Instant::now() < end => std::thread::sleep(SELDOM),
                None => return Err(format!("not done within {} s", patience.as_secs()).into()),
            }
        };
        let mut printed = String::new();
        if let Some(stdout) = &mut self.0.stdout {
            stdout.read_to_string(&mut printed)?;
        }
        if status.success() {
            Ok(printed)
        } else {
            Err(format!("the program ended with {status}: {printed}").into())
        }
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        // Not an error if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        // It may have ended a moment ago; then there is nobody to tell.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.0).as_raw_nonzero().get();
        self.kill();
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&pid);
    }
}

/// Kills a process that is the child of one that was started here, as a failure would.
///
/// # Errors
/// There is no such process.
pub fn kill(pid: u32) -> Outcome {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.ok_or("this is no process")?, Signal::KILL)?;
    Ok(())
}

/// From now on Ctrl-C and SIGTERM stop what runs before they end this process.
///
/// # Errors
/// The operating system refuses a thread or the signals.
pub fn stop_with_this_process() -> Outcome {
    let runtime = task::runtime()?;
    let mut signals = runtime.block_on(async { StopSignals::install() })?;
    task::thread("signals", move || {
        runtime.block_on(signals.next());
        for pid in RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            if let Some(pid) = Pid::from_raw(*pid) {
                // A cluster drains and ends by itself; the others end at once.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        std::process::exit(130);
    })?;
    Ok(())
}
