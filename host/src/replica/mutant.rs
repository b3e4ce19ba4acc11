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
    /// Entries of a leader that leads no more are taken for those that are committed in their place.
    KeepDeposed,
    /// The term and the vote of a replica are not kept.
    ForgetVote,
    /// That a change of the members is committed is not kept before something else is.
    ForgetMembers,
    /// The engine is told that something is on the disk before it is.
    SpeakFirst,
    /// A replica answers queries from what it has, without asking the others.
    ReadLocally,
    /// A leader serves before it has applied what earlier leaders committed.
    ServeEarly,
    /// A leader answers commands that change nothing without making sure that it still leads.
    TrustLead,
    /// Callers hear of an entry once the disk of the leader has it.
    AnswerAlone,
    /// A replica believes whoever speaks in the name of another one.
    TrustStrangers,
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
    pub const ALL: [Self; 23] = [
        Self::AnswerBeforeCommit,
        Self::FoldUncommitted,
        Self::ForgetSession,
        Self::KeepTimer,
        Self::ForgetMessages,
        Self::KeepRefused,
        Self::KeepDeposed,
        Self::ForgetVote,
        Self::ForgetMembers,
        Self::SpeakFirst,
        Self::ReadLocally,
        Self::ServeEarly,
        Self::TrustLead,
        Self::AnswerAlone,
        Self::TrustStrangers,
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
            Self::KeepDeposed => "keep-deposed",
            Self::ForgetVote => "forget-vote",
            Self::ForgetMembers => "forget-members",
            Self::SpeakFirst => "speak-first",
            Self::ReadLocally => "read-locally",
            Self::ServeEarly => "serve-early",
            Self::TrustLead => "trust-lead",
            Self::AnswerAlone => "answer-alone",
            Self::TrustStrangers => "trust-strangers",
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

    /// Whether only several replicas can show it.
    #[must_use]
    pub fn needs_replicas(self) -> bool {
        match self {
            Self::KeepRefused
            | Self::KeepDeposed
            | Self::ForgetVote
            | Self::ForgetMembers
            | Self::SpeakFirst
            | Self::ReadLocally
            | Self::ServeEarly
            | Self::TrustLead
            | Self::AnswerAlone
            | Self::TrustStrangers
            | Self::KeepStaleRun => true,
            Self::AnswerBeforeCommit
            | Self::FoldUncommitted
            | Self::ForgetSession
            | Self::KeepTimer
            | Self::ForgetMessages
            | Self::ForgetPublish
            | Self::ForgetTimers
            | Self::FireEarly
            | Self::TrustClock
            | Self::ForgetExpired
            | Self::FreshMessageKey
            | Self::SendOnce => false,
        }
    }
}
