//! The shop's HTTP interface: turns requests into checkouts and decisions into answers.
//!
//! Called by the host for every HTTP request through `wasi:http/incoming-handler`; calls the orchestrator and nobody else.
//! Refuses what is not a request. Whether an order is acceptable is not decided here: a bad order is an answer, not an error.

mod answer;
#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod http;
mod json;
mod order;
mod order_id;
mod refusal;
mod route;

use bindings::bookshop::shop::orchestrator::{self, CheckoutError};
use bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use bindings::wasi::logging::logging::{Level, log};
use bindings::wasi::random::random::get_random_u64;
use http::Reply;
use refusal::Refusal;
use route::Route;

/// The component.
pub struct Frontend;

impl Guest for Frontend {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = http::method(&request);
        let reply = respond(&request, &method).unwrap_or_else(Reply::from);
        // To HEAD the answer is that to GET without its body.
        let reply = if method == "HEAD" {
            reply.without_body()
        } else {
            reply
        };
        http::send(reply, out);
    }
}

fn respond(request: &IncomingRequest, method: &str) -> Result<Reply, Refusal> {
    match route::find(method, &request.path_with_query().unwrap_or_default())? {
        Route::Page => Ok(Reply::new(
            200,
            "text/html; charset=utf-8",
            include_bytes!("page.html").to_vec(),
        )),
        Route::Checkout => checkout(&http::read_body(request)?),
        Route::Preflight { methods } => Ok(Reply::preflight(methods)),
    }
}

fn checkout(body: &[u8]) -> Result<Reply, Refusal> {
    let order_id = order_id::format(get_random_u64(), get_random_u64());
    let order = order::parse(body, order_id.clone())?;
    match orchestrator::checkout(&order) {
        Ok(decision) => Ok(Reply::json(200, &answer::Answer::from(&decision))),
        Err(CheckoutError::Call(error)) => {
            let refusal = Refusal::from(error);
            log(
                Level::Warn,
                "checkout",
                &format!("order {order_id} was not decided: {refusal}"),
            );
            Err(refusal)
        }
    }
}
