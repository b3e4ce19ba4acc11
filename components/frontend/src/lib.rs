//! The shop's HTTP interface: turns requests into checkouts and decisions into answers, and serves the shop page.
//!
//! Called by the host for every HTTP request through `wasi:http/incoming-handler`; calls the orchestrator and orders.
//! Refuses what is not a request. Whether an order is acceptable is not decided here: a bad order is an answer, not an error.

mod answer;
#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod books;
mod http;
mod idempotency;
mod json;
mod order;
mod order_id;
mod page;
mod record;
mod refusal;
mod reply;
mod route;
mod timestamp;

use answer::Answer;
use bindings::bookshop::shop::orchestrator::{self, CheckoutError};
use bindings::bookshop::shop::orders::{self, Claimed};
use bindings::bookshop::shop::types::Decision;
use bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use bindings::wasi::logging::logging::{Level, log};
use bindings::wasi::random::random::get_random_u64;
use record::Record;
use refusal::Refusal;
use reply::Reply;
use route::Route;

/// The component.
pub struct Frontend;

impl Guest for Frontend {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = http::method(&request);
        let reply = respond(&request, &method).unwrap_or_else(Reply::from);
        let reply = if method == "HEAD" {
            reply.without_body()
        } else {
            reply
        };
        http::send(&reply, out);
    }
}

fn respond(request: &IncomingRequest, method: &str) -> Result<Reply, Refusal> {
    match route::find(method, &request.path_with_query().unwrap_or_default())? {
        Route::File(file) => Ok(page::reply(file)),
        Route::Books => Ok(books::reply()),
        Route::Order(id) => order_record(id),
        Route::Checkout => {
            let decision = checkout(&http::read(request)?)?;
            Ok(Reply::json(200, &Answer::from(&decision)))
        }
        Route::Preflight { methods } => Ok(Reply::preflight(methods)),
    }
}

fn order_record(id: &str) -> Result<Reply, Refusal> {
    let record = orders::get(id).map_err(|error| Refusal::of_call("orders", error))?;
    let record = record.ok_or(Refusal::UnknownOrder)?;
    Ok(Reply::json(200, &Record::from(&record)))
}

fn checkout(content: &http::Content) -> Result<Decision, Refusal> {
    let key = idempotency::key(&content.idempotency_keys)?;
    let order_id = order_id::format(get_random_u64(), get_random_u64());
    let mut order = order::parse(&content.body, order_id)?;
    if let Some(key) = key {
        let fingerprint = idempotency::fingerprint(&content.body);
        let claimed = orders::claim(&key, &fingerprint, &order.id)
            .map_err(|error| Refusal::of_call("orders", error))?;
        match claimed {
            Claimed::Undecided(id) => order.id = id,
            Claimed::Decided(decision) => return Ok(decision),
            Claimed::OtherRequest => return Err(Refusal::IdempotencyKeyReused),
        }
    }
    orchestrator::checkout(&order).map_err(|CheckoutError::Call(error)| {
        let refusal = Refusal::of_call("orchestrator", error);
        log(
            Level::Warn,
            "checkout",
            &format!("order {} was not decided: {refusal}", order.id),
        );
        refusal
    })
}
