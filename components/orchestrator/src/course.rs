//! The course of a checkout: asks for each event as soon as it may happen, until all are done or one of them ends it.
//!
//! Knows nothing of how services are reached ([`Services`]), nor which event needs which others ([`Plan`]).

use crate::in_flight::{Call, InFlight};
use crate::plan::{GivenUp, Plan, Work};
use checkout::bindings::bookshop::platform::call_error::{CallError, Failure};
use checkout::bindings::bookshop::shop::types::{
    Assessment, Book, Done, Event, EventError, Outcome, Progress, Rejection, VectorClock, Verdict,
};
use checkout::{InWords, Service};

/// What a service says when a part of the checkout is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The service's clock.
    pub clock: VectorClock,
    /// What it thinks of the order. Accepted where there is nothing to think.
    pub verdict: Verdict,
    /// What the fraud model thinks, where it is asked.
    pub assessment: Option<Assessment>,
    /// Suggestions, where they are asked for.
    pub books: Vec<Book>,
}

/// The services of the checkout of one order.
pub trait Services {
    /// Asks for a part of the checkout.
    fn call(&self, work: Work, progress: Progress) -> Call<'_, Result<Answer, EventError>>;

    /// Tells the operator that something did not go as planned, though the checkout goes on.
    fn notice(&self, text: &str);
}

/// A checkout that is over.
#[derive(Debug, PartialEq)]
pub struct Ended {
    /// How, or why it has no outcome.
    pub outcome: Result<Outcome, CallError>,
    /// The orchestrator's clock after that.
    pub clock: VectorClock,
    /// The events that were done, in the order in which the answers came.
    pub events: Vec<Done>,
    /// What the fraud model thought, if it was asked.
    pub assessment: Option<Assessment>,
    /// The services that have the order.
    pub holders: Vec<Service>,
}

/// Takes an order through all its events.
///
/// After the first rejection or failure nothing more is asked for, but what is under way is waited for: its clock belongs into the final
/// one, and of several rejections the one of the earliest event of the list decides, so that equal orders are refused alike.
pub async fn run(services: &impl Services) -> Ended {
    let mut course = Course::new();
    let mut in_flight = InFlight::new();
    loop {
        while let Some(work) = course.plan.start() {
            course.tick();
            in_flight.push(work, services.call(work, course.progress.clone()));
        }
        let Some((work, answer)) = in_flight.next().await else {
            return course.end();
        };
        match answer {
            Ok(answer) => course.done(work, answer),
            Err(error) => course.not_done(work, error, services),
        }
    }
}

struct Course {
    plan: Plan,
    progress: Progress,
    rejection: Option<(Event, Rejection)>,
    failure: Option<CallError>,
    books: Vec<Book>,
    assessment: Option<Assessment>,
}

impl Course {
    /// The order has come.
    fn new() -> Self {
        Self {
            plan: Plan::new(),
            progress: Progress {
                clock: VectorClock::ZERO.tick(Service::Orchestrator),
                done: Vec::with_capacity(Event::ALL.len()),
            },
            rejection: None,
            failure: None,
            books: Vec::new(),
            assessment: None,
        }
    }

    /// Every message that leaves and every answer that comes is an event of the orchestrator.
    fn tick(&mut self) {
        self.progress.clock = self.progress.clock.tick(Service::Orchestrator);
    }

    fn done(&mut self, work: Work, answer: Answer) {
        self.plan.finish(work);
        self.progress.clock = self.progress.clock.merge(answer.clock);
        self.tick();
        let Work::Event(event) = work else {
            return;
        };
        self.progress.done.push(Done {
            event,
            clock: answer.clock,
        });
        if let Verdict::Rejected(rejection) = answer.verdict {
            self.plan.stop();
            if self
                .rejection
                .as_ref()
                .is_none_or(|(first, _)| event < *first)
            {
                self.rejection = Some((event, rejection));
            }
        }
        self.assessment = self.assessment.take().or(answer.assessment);
        self.books.extend(answer.books);
    }

    fn not_done(&mut self, work: Work, error: EventError, services: &impl Services) {
        self.tick();
        let (name, result) = match (work, &error) {
            (Work::Event(event), EventError::UnknownOrder(_)) => {
                (event.name(), self.plan.repeat(event))
            }
            (Work::Event(event), EventError::OutOfOrder(order)) => {
                (event.name(), self.plan.postpone(event, &order.missing))
            }
            (Work::Init(_) | Work::Event(_), _) => ("init", Err(GivenUp)),
        };
        let service = work.service().name();
        match (result, error) {
            (Ok(()), EventError::UnknownOrder(_)) => services.notice(&format!(
                "{service} does not know the order, so it gets it again before {name}"
            )),
            (Ok(()), _) => services.notice(&format!("{service} wants {name} later")),
            (Err(GivenUp), EventError::Call(error)) => self.fail(error),
            (Err(GivenUp), error) => self.fail(CallError::Incompatible(Failure {
                service: service.into(),
                message: format!("it does not do {name}: {}", in_words(&error)),
            })),
        }
    }

    fn fail(&mut self, error: CallError) {
        self.plan.stop();
        self.failure.get_or_insert(error);
    }

    /// Nothing is under way and nothing can start.
    fn end(mut self) -> Ended {
        self.tick();
        let outcome = match (self.rejection, self.failure) {
            (Some((_, rejection)), _) => Ok(Outcome::Rejected(rejection)),
            (None, Some(error)) => Err(error),
            (None, None) if self.plan.is_complete() => Ok(Outcome::Approved(self.books)),
            (None, None) => Err(stuck(&self.plan)),
        };
        let has_order = |service: &Service| {
            *service != Service::Orchestrator && self.plan.is_done(Work::Init(*service))
        };
        Ended {
            outcome,
            clock: self.progress.clock,
            events: self.progress.done,
            assessment: self.assessment,
            holders: Service::ALL.into_iter().filter(has_order).collect(),
        }
    }
}

/// Services demand an order of events that nobody can keep.
fn stuck(plan: &Plan) -> CallError {
    let is_left = |event: &Event| !plan.is_done(Work::Event(*event));
    let left = Event::ALL
        .into_iter()
        .find(is_left)
        .unwrap_or(Event::Suggest);
    CallError::Incompatible(Failure {
        service: left.service().name().into(),
        message: format!("it wants {} only after what comes after it", left.name()),
    })
}

fn in_words(error: &EventError) -> String {
    match error {
        EventError::Call(error) => InWords(error).to_string(),
        EventError::UnknownOrder(_) => "it loses the order again and again".into(),
        EventError::OutOfOrder(order) => {
            let missing: Vec<&str> = order.missing.iter().map(|event| event.name()).collect();
            format!("it misses {} again and again", missing.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
