//! Whether faults may be injected while the cluster runs: `[chaos]`.

use super::section::Section;

/// What is said of injected faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chaos {
    /// Whether `bookshop-host chaos` may inject faults; not unless set.
    pub enabled: bool,
}

impl Chaos {
    pub(super) fn read(section: Section<'_>) -> Self {
        let enabled = section.boolean("enabled");
        section.finish();
        Self { enabled }
    }
}
