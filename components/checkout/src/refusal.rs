//! Why a service does not even begin: what it was given has the wrong size, or what it kept cannot be read.

use crate::bindings::bookshop::platform::call_error::{CallError, Failure, Unavailability};

/// Checks that a text has 1 to `bytes_max` bytes.
///
/// # Errors
/// It has not; the error names `service`, the callee, and the argument.
pub fn check_length(
    service: &str,
    argument: &str,
    text: &str,
    bytes_max: usize,
) -> Result<(), CallError> {
    let bytes = text.len();
    if (1..=bytes_max).contains(&bytes) {
        return Ok(());
    }
    let message = format!("{argument} has {bytes} bytes, it must have 1 to {bytes_max}");
    Err(incompatible(service, message))
}

/// Checks that somebody asks for at least one and at most `limit_max`.
///
/// # Errors
/// It is another number; the error names `service`, the callee.
pub fn check_limit(service: &str, limit: u32, limit_max: u32) -> Result<(), CallError> {
    if (1..=limit_max).contains(&limit) {
        return Ok(());
    }
    let message = format!("limit is {limit}, it must be 1 to {limit_max}");
    Err(incompatible(service, message))
}

/// `service`, the callee, was given what it does not take.
pub fn incompatible(service: &str, message: String) -> CallError {
    CallError::Incompatible(Failure {
        service: service.into(),
        message,
    })
}

/// What `service` keeps was written by something else, most likely a later version. It is left alone until that version is back.
pub fn unreadable(service: &str) -> CallError {
    CallError::Unavailable(Unavailability {
        service: service.into(),
        message: "what is stored has a form that this version cannot read; go back to the version that wrote it".into(),
        maybe_executed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_to_have_something_and_not_too_much() {
        let check = |text: &str| check_length("orders", "key", text, 3).is_ok();
        assert!(check("a") && check("abc"));
        assert!(!check("") && !check("abcd"));
    }

    #[test]
    fn a_list_has_to_have_something_and_not_too_much() {
        let check = |limit| check_limit("orders", limit, 100).is_ok();
        assert!(check(1) && check(100));
        assert!(!check(0) && !check(101));
    }
}
