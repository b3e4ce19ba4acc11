//! Deliberate bugs, which the simulator must find. Nothing else ever switches one on.

/// A deliberate bug of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Callers hear of an entry before it is in the log.
    AnswerBeforeCommit,
    /// A checkpoint contains entries that are not in the log yet, and counts them as applied.
    FoldUncommitted,
    /// An answer is not kept with the entry of its command.
    ForgetSession,
    /// A timer stays set after it has gone off.
    KeepTimer,
    /// Messages on their way are not looked for after a restart.
    ForgetMessages,
    /// Entries that the log refused stay in the speculative state.
    KeepRefused,
    /// What ran on entries that the log refused counts.
    KeepStaleRun,
    /// Queries are not shown what was committed until the next checkpoint.
    ForgetPublish,
    /// Timers that are set are not looked for after a restart.
    ForgetTimers,
    /// Timers go off before their time.
    FireEarly,
    /// After a restart the group's time is the clock's, however far that was put back.
    TrustClock,
    /// A key is forgotten with its answer.
    ForgetExpired,
    /// A message has another key each time that it is sent.
    FreshMessageKey,
    /// A message that did not get through is not sent again.
    SendOnce,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AnswerBeforeCommit,
        Self::FoldUncommitted,
        Self::ForgetSession,
        Self::KeepTimer,
        Self::ForgetMessages,
        Self::KeepRefused,
        Self::KeepStaleRun,
        Self::ForgetPublish,
        Self::ForgetTimers,
        Self::FireEarly,
        Self::TrustClock,
        Self::ForgetExpired,
        Self::FreshMessageKey,
        Self::SendOnce,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerBeforeCommit => "answer-before-commit",
            Self::FoldUncommitted => "fold-uncommitted",
            Self::ForgetSession => "forget-session",
            Self::KeepTimer => "keep-timer",
            Self::ForgetMessages => "forget-messages",
            Self::KeepRefused => "keep-refused",
            Self::KeepStaleRun => "keep-stale-run",
            Self::ForgetPublish => "forget-publish",
            Self::ForgetTimers => "forget-timers",
            Self::FireEarly => "fire-early",
            Self::TrustClock => "trust-clock",
            Self::ForgetExpired => "forget-expired",
            Self::FreshMessageKey => "fresh-message-key",
            Self::SendOnce => "send-once",
        }
    }
}
