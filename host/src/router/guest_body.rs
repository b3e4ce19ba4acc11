//! The body of an HTTP answer that its handler is still producing.

use super::{ServeOutcome, report, served};
use crate::os::task::Task;
use crate::payload::Body;
use crate::service::Service;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// The call behind an answer that has begun.
pub(super) struct ServeCall {
    pub(super) task: Task<ServeOutcome>,
    pub(super) service: Arc<Service>,
    pub(super) started: Duration,
    pub(super) deadline: Duration,
}

pin_project_lite::pin_project! {
    /// The body that a guest is still producing. A client that goes away before its end cancels the guest.
    pub(super) struct GuestBody {
        #[pin]
        pub(super) body: Body,
        pub(super) call: Option<ServeCall>,
    }
}

impl http_body::Body for GuestBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(context);
        if !matches!(frame, Poll::Ready(None)) {
            return frame;
        }
        let Some(mut call) = this.call.take() else {
            return frame;
        };
        if !call.task.is_finished() {
            // All was said; the guest may still tidy up, bounded by its deadline and counted by its permit.
            call.task.release();
            return frame;
        }
        let Poll::Ready(outcome) = Pin::new(&mut call.task).poll(context) else {
            // The executor wants this task to let others run first; the ended body says so again at the next poll.
            *this.call = Some(call);
            return Poll::Pending;
        };
        // A guest that was ended drops its body, which looks like an end. The client must not take the part it has for the whole.
        match served(&call.service, outcome, call.started, call.deadline) {
            Ok(()) => frame,
            Err(error) => {
                call.service.figures.refused_or_failed();
                report(&call.service, &error);
                Poll::Ready(Some(Err(wasmtime_wasi_http::Error::HttpResponseIncomplete)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Only a poll that returns nothing releases the task, so an early end is not offered.
        false
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
