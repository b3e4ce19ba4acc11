//! What the kernel knows about processes and the machine, from `/proc`.

use crate::Outcome;
use std::time::Duration;

/// Ticks a second in which Linux tells CPU time to programs, on every architecture that the host runs on.
const TICKS_PER_SECOND: f64 = 100.0;
/// Places of `utime` and `cutime` after the name in `/proc/PID/stat` (proc_pid_stat(5)); `stime` and `cstime` follow them.
const OWN_TIME: usize = 11;
const CHILDREN_TIME: usize = 13;

/// CPU time that a process has used.
///
/// # Errors
/// There is no such process.
pub fn cpu(pid: u32) -> Outcome<Duration> {
    time(&pid.to_string(), OWN_TIME)
}

/// CPU time that the children of this process have used which it has waited for.
///
/// # Errors
/// `/proc` is not there.
pub fn children_cpu() -> Outcome<Duration> {
    time("self", CHILDREN_TIME)
}

fn time(process: &str, place: usize) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before the last parenthesis may contain anything.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |place: usize| {
        fields
            .get(place)
            .and_then(|field| field.parse::<f64>().ok())
            .ok_or("/proc/PID/stat is too short")
    };
    Ok(Duration::from_secs_f64(
        (ticks(place)? + ticks(place + 1)?) / TICKS_PER_SECOND,
    ))
}

/// Memory of a process.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Mebibytes in memory.
    pub rss_mib: f64,
    /// The same, but a page that several processes share counts in equal parts.
    pub pss_mib: f64,
    /// Mebibytes that belong to no file: what this process alone costs.
    pub anonymous_mib: f64,
}

impl Memory {
    /// Of a process now.
    ///
    /// # Errors
    /// There is no such process.
    pub fn of(pid: u32) -> Outcome<Self> {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let mib = |key: &str| {
            kib(&rollup, key)
                .map(|kib| kib / 1024.0)
                .ok_or(format!("/proc/{pid}/smaps_rollup has no {key}"))
        };
        Ok(Self {
            rss_mib: mib("Rss:")?,
            pss_mib: mib("Pss:")?,
            anonymous_mib: mib("Anonymous:")?,
        })
    }
}

fn kib(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// How often all disks of the machine made durable what they had been given: once for each `fdatasync` of a file that is written over. Field 16 of
/// `/proc/diskstats` (Documentation/admin-guide/iostats.rst of Linux), which counts from behind the three names of a disk.
///
/// # Errors
/// `/proc` is not there.
pub fn flushes() -> Outcome<f64> {
    /// The columns before it.
    const PLACE: usize = 18;
    let stats = std::fs::read_to_string("/proc/diskstats")?;
    let flushes = |line: &str| line.split_whitespace().nth(PLACE)?.parse::<f64>().ok();
    Ok(stats.lines().filter_map(flushes).sum())
}

/// Seconds of all cores together since boot.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// In which something ran here, the kernel included.
    pub busy: f64,
    /// In which the hypervisor ran something else although something here could have run.
    pub stolen: f64,
}

impl Machine {
    /// Now.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn now() -> Outcome<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|field| field.parse().ok())
            .collect();
        let [user, nice, system, _idle, _wait, irq, softirq, steal, ..] = ticks[..] else {
            return Err("/proc/stat is too short".into());
        };
        Ok(Self {
            busy: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
            stolen: steal / TICKS_PER_SECOND,
        })
    }

    /// What happened since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            busy: self.busy - earlier.busy,
            stolen: self.stolen - earlier.stolen,
        }
    }
}

/// Whether a process is there.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    // One that ended but was not waited for is still listed, as a zombie.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    })
}

/// Cores that this program may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
