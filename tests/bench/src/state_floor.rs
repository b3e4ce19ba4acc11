//! F, the floor of a command: how long one small write takes until it is on the disk, with nothing above it.

use crate::Outcome;
use crate::pair::microseconds;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Bytes of one write.
const WRITE: [u8; 4096] = [7; 4096];
/// Bytes of the file, which is written over from its beginning again and again.
const FILE_BYTES: usize = 16 << 20;

/// How long `count` writes take, each with its sync, in microseconds, in a file that has been filled with zeros, as the host's log is.
/// Meanwhile `others` threads do the same, each to a file of its own.
///
/// # Errors
/// The file cannot be written.
pub fn synced_writes(folder: &Path, count: usize, others: usize) -> Outcome<Vec<f64>> {
    let file = zeros(&folder.join("floor"))?;
    let others = (0..others).map(|number| zeros(&folder.join(format!("floor-{number}"))));
    let others = others.collect::<Outcome<Vec<File>>>()?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        let beside: Vec<_> = others
            .iter()
            .map(|other| scope.spawn(move || write_until(other, is_over)))
            .collect();
        let samples = write(&file, 0..count);
        is_over.store(true, Ordering::Relaxed);
        for other in beside {
            other.join().map_err(|_| "another writer panicked")??;
        }
        samples
    })
}

fn write_until(file: &File, is_over: &AtomicBool) -> Outcome {
    for place in (0..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
        write(file, place..place + 1)?;
    }
    Ok(())
}

fn zeros(path: &Path) -> Outcome<File> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all_at(&vec![0; FILE_BYTES], 0)?;
    file.sync_all()?;
    // The file has no name from now on, and goes with its handle.
    std::fs::remove_file(path)?;
    Ok(file)
}

fn write(file: &File, places: std::ops::Range<usize>) -> Outcome<Vec<f64>> {
    let mut samples = Vec::with_capacity(places.len());
    for place in places {
        let offset = place * WRITE.len() % FILE_BYTES;
        let started = Instant::now();
        file.write_all_at(&WRITE, u64::try_from(offset)?)?;
        file.sync_data()?;
        samples.push(microseconds(started.elapsed()));
    }
    Ok(samples)
}
