use super::*;
use checkout::bindings::bookshop::shop::types::EventOrder;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Services that do what a script says, in rounds: in each, every call that is under way is looked at once.
struct Script {
    /// For each part, what its calls get one after the other: how many rounds they take, and the word for the answer.
    answers: RefCell<BTreeMap<char, Vec<(u32, String)>>>,
    clocks: RefCell<[VectorClock; 4]>,
    /// The parts in the order in which they were asked for, and the notices.
    log: RefCell<String>,
}

fn letter(work: Work) -> char {
    let place = Work::ALL.iter().position(|other| *other == work);
    ['V', 'F', 'S', 'a', 'b', 'c', 'd', 'e', 'f'][place.expect("it is one of all")]
}

impl Script {
    /// Reads `b:2:rejects b:fails`; a call that is not in the script takes one round and accepts.
    fn read(text: &str) -> Self {
        let mut answers: BTreeMap<char, Vec<(u32, String)>> = BTreeMap::new();
        for part in text.split_whitespace() {
            let fields: Vec<&str> = part.split(':').collect();
            let (rounds, word) = match fields[1..] {
                [word] => (1, word),
                [rounds, word] => (rounds.parse().expect("a number"), word),
                _ => panic!("{part} is no part of a script"),
            };
            let letter = fields[0].chars().next().expect("a letter");
            answers
                .entry(letter)
                .or_default()
                .push((rounds, word.into()));
        }
        Self {
            answers: RefCell::new(answers),
            clocks: RefCell::new([VectorClock::ZERO; 4]),
            log: RefCell::default(),
        }
    }

    fn answer(&self, work: Work, progress: &Progress, word: &str) -> Result<Answer, EventError> {
        let service = work.service();
        let Work::Event(event) = work else {
            return match word {
                "accepts" => Ok(self.accepted(service, progress)),
                "fails" => Err(EventError::Call(CallError::Cancelled)),
                other => panic!("init cannot be answered with {other}"),
            };
        };
        match word {
            "accepts" => Ok(self.accepted(service, progress)),
            "rejects" => Ok(Answer {
                verdict: Verdict::Rejected(Rejection {
                    code: event.name().into(),
                    message: String::new(),
                    service: service.name().into(),
                }),
                ..self.accepted(service, progress)
            }),
            "fails" => Err(EventError::Call(CallError::Cancelled)),
            "unknown" => Err(EventError::UnknownOrder(String::new())),
            "early" => Err(EventError::OutOfOrder(EventOrder {
                event,
                missing: vec![Event::VerifyUser],
            })),
            "never" => Err(EventError::OutOfOrder(EventOrder {
                event,
                missing: vec![Event::Suggest],
            })),
            other => panic!("unknown answer {other}"),
        }
    }

    fn accepted(&self, service: Service, progress: &Progress) -> Answer {
        let own = &mut self.clocks.borrow_mut()[service as usize];
        *own = own.merge(progress.clock).tick(service);
        Answer {
            clock: *own,
            verdict: Verdict::Accepted,
            assessment: None,
            books: Vec::new(),
        }
    }
}

impl Services for Script {
    fn call(&self, work: Work, progress: Progress) -> Call<'_, Result<Answer, EventError>> {
        let letter = letter(work);
        self.log.borrow_mut().push(letter);
        let mut answers = self.answers.borrow_mut();
        let script = answers.get_mut(&letter).filter(|script| !script.is_empty());
        let (rounds, word) = script.map_or((1, "accepts".into()), |script| script.remove(0));
        Box::pin(async move {
            Rounds(rounds).await;
            self.answer(work, &progress, &word)
        })
    }

    fn notice(&self, _: &str) {
        self.log.borrow_mut().push('!');
    }
}

/// Is ready after it was looked at so often.
struct Rounds(u32);

impl Future for Rounds {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

fn run_script(text: &str) -> (String, Ended) {
    let script = Script::read(text);
    let mut running = Box::pin(run(&script));
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..1_000).find_map(|_| match running.as_mut().poll(&mut context) {
        Poll::Ready(ended) => Some(ended),
        Poll::Pending => None,
    });
    drop(running);
    (script.log.into_inner(), ended.expect("it ends"))
}

/// Runs a checkout; `expected` is what was asked for in which order, and the outcome.
#[track_caller]
fn check(script: &str, expected: &str) {
    let (log, ended) = run_script(script);
    let outcome = match &ended.outcome {
        Ok(Outcome::Approved(_)) => "approved".into(),
        Ok(Outcome::Rejected(rejection)) => format!("rejected by {}", rejection.code),
        Err(CallError::Incompatible(failure)) => {
            format!("{} is wrong: {}", failure.service, failure.message)
        }
        Err(error) => format!("{error:?}"),
    };
    assert_eq!(format!("{log} {outcome}"), expected);
}

#[test]
fn approves_when_every_event_is_done() {
    check("", "VFSabcdef approved");
    check("V:9:accepts", "VFSabcdef approved");
    check("a:9:accepts", "VFSabdcef approved");
}

#[test]
fn the_first_rejection_cancels_what_has_not_started() {
    check("a:rejects", "VFSab rejected by verify-items");
    check("b:rejects", "VFSabc rejected by verify-user");
    check("c:rejects", "VFSabcd rejected by verify-card");
    check("d:rejects", "VFSabcd rejected by check-user-fraud");
    check("e:rejects", "VFSabcde rejected by check-card-fraud");
}

#[test]
fn of_rejections_that_overlap_the_earliest_event_decides() {
    check("a:5:rejects b:rejects", "VFSab rejected by verify-items");
    check("c:9:rejects d:rejects", "VFSabcd rejected by verify-card");
}

#[test]
fn a_failure_ends_the_checkout_unless_the_order_is_rejected_anyway() {
    check("F:fails", "VFSab CallError::Cancelled");
    check("c:fails", "VFSabcd CallError::Cancelled");
    check("a:fails b:5:rejects", "VFSab rejected by verify-user");
    check("a:5:rejects b:fails", "VFSab rejected by verify-items");
}

#[test]
fn an_order_that_a_service_lost_is_handed_over_again() {
    check("c:unknown", "VFSabcd!Vcef approved");
    check("e:unknown", "VFSabcde!Fef approved");
    check("a:unknown b:unknown", "VFSab!V!abcdef approved");
}

#[test]
fn an_event_that_came_too_early_is_repeated_later() {
    check("b:9:accepts c:early", "VFSabc!cdef approved");
}

#[test]
fn services_that_never_agree_end_the_checkout() {
    check(
        "a:never",
        "VFSab!d transaction-verification is wrong: it wants verify-items only after what comes after it",
    );
    check(
        "c:unknown c:unknown c:unknown c:unknown c:unknown",
        "VFSabcd!Vc!Vc!Vc!Vc transaction-verification is wrong: it does not do verify-card: it loses the order again and again",
    );
}

#[test]
fn the_final_clock_covers_every_event_and_each_service_that_has_the_order() {
    for script in [
        "",
        "a:5:accepts",
        "c:rejects",
        "a:5:rejects b:rejects",
        "d:fails",
        "e:unknown",
    ] {
        let (_, ended) = run_script(script);
        assert_eq!(
            ended.holders,
            &Service::ALL[1..],
            "all have it after {script}"
        );
        for done in &ended.events {
            assert!(done.clock < ended.clock, "{script}: {done:?}");
        }
    }
}

#[test]
fn a_service_that_did_not_take_the_order_has_nothing_to_forget() {
    let (_, ended) = run_script("F:fails");
    let names: Vec<&str> = ended.holders.iter().map(|holder| holder.name()).collect();
    assert_eq!(names, ["transaction-verification", "suggestions"]);
}

#[test]
fn clocks_tell_the_order_of_events_and_which_of_them_overlap() {
    let (_, ended) = run_script("");
    let clock = |event: Event| {
        let done = ended.events.iter().find(|done| done.event == event);
        done.expect("it is done").clock
    };
    for event in Event::ALL {
        for before in event.after() {
            assert!(clock(*before) < clock(event), "{before:?} before {event:?}");
        }
    }
    let (c, d) = (clock(Event::VerifyCard), clock(Event::CheckUserFraud));
    assert_eq!(c.partial_cmp(&d), None, "{c:?} and {d:?} are concurrent");
}
