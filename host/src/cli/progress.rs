//! How far a command is: a bar where a person watches, plain lines everywhere else.

use crate::os::console;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::time::Duration;

/// Hears how far a piece of work is.
pub trait Progress: Send + Sync {
    /// Something worth a line.
    fn say(&self, line: &str);

    /// `steps` steps begin.
    fn begin(&self, steps: usize);

    /// The next step begins.
    fn step(&self, name: &str);

    /// The step that began last took this long.
    fn done(&self, name: &str, took: Duration);

    /// All steps are over.
    fn end(&self);
}

/// Standard error: a bar on a terminal, else a line for each step.
#[derive(Default)]
pub struct Console {
    bar: Mutex<Option<ProgressBar>>,
}

impl Console {
    fn with_bar(&self, act: impl FnOnce(&ProgressBar)) -> bool {
        let bar = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        bar.as_ref().map(act).is_some()
    }
}

impl Progress for Console {
    fn say(&self, line: &str) {
        // A line in the middle of a bar goes above it.
        if !self.with_bar(|bar| bar.suspend(|| console::line(line))) {
            console::line(line);
        }
    }

    fn begin(&self, steps: usize) {
        if console::is_watched() {
            let style = ProgressStyle::with_template("compiling [{bar:24}] {pos}/{len} {msg}")
                .expect("the template is valid");
            let bar = ProgressBar::new(steps as u64).with_style(style.progress_chars("=> "));
            *self
                .bar
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(bar);
        }
    }

    fn step(&self, name: &str) {
        self.with_bar(|bar| {
            bar.set_message(name.to_owned());
            bar.tick();
        });
    }

    fn done(&self, name: &str, took: Duration) {
        if !self.with_bar(|bar| bar.inc(1)) {
            console::line(&format!("compiled {name} in {:.1} s", took.as_secs_f64()));
        }
    }

    fn end(&self) {
        if let Some(bar) = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
        {
            bar.finish_and_clear();
        }
    }
}
