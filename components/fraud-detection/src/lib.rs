//! Looks for signs of fraud in an order.
//!
//! Called by the orchestrator through `bookshop:shop/fraud-detection`. Logs each rejection, never with anything of the card. The
//! library `checkout` keeps the order between the events and sees to it that they come in turn. The package `fraud-detection-v2` is
//! this source with another model, `fraud-detection-v3` that with a deliberate fault, `fraud-detection-v4` that with another interface.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
#[cfg_attr(
    feature = "version-4",
    path = "../../fraud-detection-v4/src/bindings.rs"
)]
mod bindings;
mod card;
mod email;
#[cfg(feature = "version-3")]
mod flaw;
mod judgement;
pub mod model;
mod reason;
mod subject;
mod velocity;

use bindings::bookshop::platform::context;
use bindings::exports::bookshop::shop::fraud_detection::{Guest, Judgement};
use bindings::wasi::config::store as config;
use bindings::wasi::logging::logging::{Level, log};
use checkout::Service;
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::{
    ClearError, Event, EventError, Order, Progress, Step, VectorClock, Verdict,
};
use checkout::store::Scratch;
use subject::{Circumstances, Subject};

/// The component.
pub struct FraudDetection;

impl Guest for FraudDetection {
    async fn init(order: Order, progress: Progress) -> Result<VectorClock, CallError> {
        let data = Subject::of(&order).to_bytes();
        checkout::init(&Scratch, SERVICE, &order.id, &progress, &data)
    }

    async fn check_user_fraud(order_id: String, progress: Progress) -> Result<Step, EventError> {
        let event = Event::CheckUserFraud;
        let performed = checkout::perform(&Scratch, event, &order_id, &progress, |data| {
            Ok(judgement::of_user(&Subject::from_bytes(data)?))
        })?;
        if performed.is_new {
            report(&order_id, &performed.answer);
        }
        Ok(Step {
            verdict: performed.answer,
            clock: performed.clock,
        })
    }

    async fn check_card_fraud(
        order_id: String,
        progress: Progress,
    ) -> Result<Judgement, EventError> {
        #[cfg(feature = "version-3")]
        flaw::strike(&order_id);
        let event = Event::CheckCardFraud;
        let threshold = threshold();
        let performed = checkout::perform(&Scratch, event, &order_id, &progress, |data| {
            let subject = Subject::from_bytes(data)?;
            let now_ms = context::now_ms();
            let circumstances = Circumstances {
                hour_utc: (now_ms / 3_600_000 % 24) as u8,
                recent_orders: velocity::count(&Scratch, subject.contact, now_ms),
            };
            Ok(judgement::of_card::<model::Current>(
                &subject,
                circumstances,
                threshold,
            ))
        })?;
        let (verdict, assessment) = performed.answer;
        #[cfg(feature = "version-4")]
        log(
            Level::Debug,
            "fraud",
            &format!("order {order_id} has the score {}", assessment.score),
        );
        if performed.is_new {
            report(&order_id, &verdict);
        }
        Ok(Judgement {
            verdict,
            clock: performed.clock,
            #[cfg(not(feature = "version-4"))]
            assessment,
        })
    }

    async fn clear(order_id: String, final_clock: VectorClock) -> Result<(), ClearError> {
        checkout::clear(&Scratch, SERVICE, &order_id, final_clock)
    }
}

const SERVICE: Service = Service::FraudDetection;

/// The score from which orders are rejected: `threshold` of the configuration. One that makes no sense is reported and not used.
fn threshold() -> f64 {
    // A host that cannot say is like one that has nothing to say.
    let text = config::get("threshold").ok().flatten();
    model::threshold(text.as_deref()).unwrap_or_else(|error| {
        log(Level::Error, "fraud", &error);
        model::THRESHOLD
    })
}

fn report(order_id: &str, verdict: &Verdict) {
    if let Verdict::Rejected(rejection) = verdict {
        log(
            Level::Warn,
            "fraud",
            &format!("order {order_id} rejected: {}", rejection.code),
        );
    }
}
