//! The order of events: which of them may happen when which others are done.

use crate::bindings::bookshop::shop::types::{Event, Progress};
use crate::clock::Service;

impl Event {
    /// All of them, a to f.
    pub const ALL: [Self; 6] = [
        Self::VerifyItems,
        Self::VerifyUser,
        Self::VerifyCard,
        Self::CheckUserFraud,
        Self::CheckCardFraud,
        Self::Suggest,
    ];

    /// The service that does it.
    pub fn service(self) -> Service {
        match self {
            Self::VerifyItems | Self::VerifyUser | Self::VerifyCard => {
                Service::TransactionVerification
            }
            Self::CheckUserFraud | Self::CheckCardFraud => Service::FraudDetection,
            Self::Suggest => Service::Suggestions,
        }
    }

    /// The events that have to be done before it, besides the service having the order.
    pub fn after(self) -> &'static [Self] {
        match self {
            Self::VerifyItems | Self::VerifyUser => &[],
            Self::VerifyCard => &[Self::VerifyItems],
            Self::CheckUserFraud => &[Self::VerifyUser],
            Self::CheckCardFraud => &[Self::VerifyCard, Self::CheckUserFraud],
            Self::Suggest => &[Self::CheckCardFraud],
        }
    }

    /// Its name in the interfaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::VerifyItems => "verify-items",
            Self::VerifyUser => "verify-user",
            Self::VerifyCard => "verify-card",
            Self::CheckUserFraud => "check-user-fraud",
            Self::CheckCardFraud => "check-card-fraud",
            Self::Suggest => "suggest",
        }
    }

    /// The event at this place of [`Event::ALL`].
    pub fn at(place: u8) -> Option<Self> {
        Self::ALL.get(usize::from(place)).copied()
    }
}

/// What has to be done before `event` and is not.
///
/// An event whose own clock the sender's does not cover has not reached the sender, whatever its list says.
pub fn missing(event: Event, progress: &Progress) -> Vec<Event> {
    let is_done = |event: Event| {
        progress
            .done
            .iter()
            .any(|done| done.event == event && done.clock <= progress.clock)
    };
    let after = event.after().iter().copied();
    after.filter(|&before| !is_done(before)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::bookshop::shop::types::{Done, VectorClock};

    fn done(event: Event) -> Done {
        Done {
            event,
            clock: VectorClock::ZERO.tick(event.service()),
        }
    }

    /// Letters are events as the shop's documentation calls them.
    fn event(letter: char) -> Event {
        Event::ALL["abcdef".find(letter).expect("a letter from a to f")]
    }

    #[track_caller]
    fn check(asked: char, done_before: &str, expected: &str) {
        let done: Vec<Done> = done_before
            .chars()
            .map(|letter| done(event(letter)))
            .collect();
        let clock = done
            .iter()
            .fold(VectorClock::ZERO, |clock, done| clock.merge(done.clock));
        let missing = missing(event(asked), &Progress { clock, done });
        let expected: Vec<Event> = expected.chars().map(event).collect();
        assert_eq!(missing, expected);
    }

    #[test]
    fn an_event_waits_for_those_before_it_and_for_no_others() {
        check('a', "", "");
        check('b', "", "");
        check('c', "b", "a");
        check('c', "a", "");
        check('d', "ac", "b");
        check('d', "b", "");
        check('e', "ab", "cd");
        check('e', "abc", "d");
        check('e', "abcd", "");
        check('f', "abcd", "e");
        check('f', "abcde", "");
    }

    #[test]
    fn an_event_that_the_sender_has_not_heard_of_does_not_count() {
        let progress = Progress {
            clock: VectorClock::ZERO,
            done: vec![done(Event::VerifyItems)],
        };
        assert_eq!(missing(Event::VerifyCard, &progress), [Event::VerifyItems]);
    }

    #[test]
    fn places_are_those_of_the_list() {
        for (place, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(Event::at(place as u8), Some(event), "{}", event.name());
            assert_eq!(place, event as usize);
        }
        assert_eq!(Event::at(6), None);
    }
}
