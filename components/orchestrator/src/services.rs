//! The services of a checkout as they are reached: through the component's imports.

use crate::bindings::bookshop::shop::{fraud_detection, suggestions, transaction_verification};
use crate::bindings::wasi::logging::logging::{Level, log};
use crate::course::{Answer, Services};
use crate::in_flight::Call;
use crate::plan::Work;
use checkout::Service;
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::{
    ClearError, Event, EventError, Order, Progress, Step, VectorClock, Verdict,
};

/// The services, for one order.
pub struct Imports<'a>(pub &'a Order);

impl Services for Imports<'_> {
    fn call(&self, work: Work, progress: Progress) -> Call<'_, Result<Answer, EventError>> {
        match work {
            Work::Init(service) => Box::pin(async move {
                let clock = init(self.0, service, progress).await;
                clock.map(accepted).map_err(EventError::Call)
            }),
            Work::Event(event) => Box::pin(perform(self.0.id.clone(), event, progress)),
        }
    }

    fn notice(&self, text: &str) {
        log(
            Level::Warn,
            "checkout",
            &format!("order {}: {text}", self.0.id),
        );
    }
}

/// Suggestions are about books only: nothing of the customer goes there.
async fn init(
    order: &Order,
    service: Service,
    progress: Progress,
) -> Result<VectorClock, CallError> {
    match service {
        // It has the order from whoever called it.
        Service::Orchestrator => Ok(progress.clock),
        Service::TransactionVerification => {
            transaction_verification::init(order.clone(), progress).await
        }
        Service::FraudDetection => fraud_detection::init(order.clone(), progress).await,
        Service::Suggestions => {
            suggestions::init(order.id.clone(), order.items.clone(), progress).await
        }
    }
}

async fn perform(id: String, event: Event, progress: Progress) -> Result<Answer, EventError> {
    match event {
        Event::VerifyItems => transaction_verification::verify_items(id, progress)
            .await
            .map(step),
        Event::VerifyUser => transaction_verification::verify_user(id, progress)
            .await
            .map(step),
        Event::VerifyCard => transaction_verification::verify_card(id, progress)
            .await
            .map(step),
        Event::CheckUserFraud => fraud_detection::check_user_fraud(id, progress)
            .await
            .map(step),
        Event::CheckCardFraud => {
            let judgement = fraud_detection::check_card_fraud(id, progress).await?;
            Ok(Answer {
                clock: judgement.clock,
                verdict: judgement.verdict,
                assessment: Some(judgement.assessment),
                books: Vec::new(),
            })
        }
        Event::Suggest => {
            let suggestion = suggestions::suggest(id, progress).await?;
            Ok(Answer {
                books: suggestion.books,
                ..accepted(suggestion.clock)
            })
        }
    }
}

/// Lets a service forget an order that is over.
pub async fn clear(
    order_id: String,
    service: Service,
    final_clock: VectorClock,
) -> Result<(), ClearError> {
    match service {
        Service::Orchestrator => Ok(()),
        Service::TransactionVerification => {
            transaction_verification::clear(order_id, final_clock).await
        }
        Service::FraudDetection => fraud_detection::clear(order_id, final_clock).await,
        Service::Suggestions => suggestions::clear(order_id, final_clock).await,
    }
}

fn step(Step { verdict, clock }: Step) -> Answer {
    Answer {
        verdict,
        ..accepted(clock)
    }
}

fn accepted(clock: VectorClock) -> Answer {
    Answer {
        clock,
        verdict: Verdict::Accepted,
        assessment: None,
        books: Vec::new(),
    }
}
