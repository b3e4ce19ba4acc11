//! Who may order: a name, a way to reach them, an address that a bill arrives at, and their consent.

use crate::reason::Reason;

/// The longest e-mail address that mail servers must accept (RFC 5321: 256 with its angle brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// Refuses users without a name or an e-mail address.
pub fn verify_user(name: &str, contact: &str) -> Result<(), Reason> {
    if name.trim().is_empty() {
        return Err(Reason::InvalidUserName);
    }
    if !is_email(contact.trim()) {
        return Err(Reason::InvalidUserContact);
    }
    Ok(())
}

/// Refuses an address with an empty field. No address is fine.
pub fn verify_address(fields: Option<[&str; 5]>) -> Result<(), Reason> {
    let is_empty = |field: &str| field.trim().is_empty();
    if fields.is_some_and(|fields| fields.into_iter().any(is_empty)) {
        return Err(Reason::InvalidAddress);
    }
    Ok(())
}

/// Refuses customers who do not accept the terms.
pub fn verify_terms(accepted: bool) -> Result<(), Reason> {
    if accepted {
        Ok(())
    } else {
        Err(Reason::TermsNotAccepted)
    }
}

/// Whether `text` has the shape `local@label.label`. Only sending a mail could tell more.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= EMAIL_BYTES_MAX
        && !local.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && !domain.contains('@')
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_user(name: &str, contact: &str, expected: Result<(), Reason>) {
        assert_eq!(verify_user(name, contact), expected);
    }

    #[track_caller]
    fn check_address(fields: [&str; 5], expected: Result<(), Reason>) {
        assert_eq!(verify_address(Some(fields)), expected);
    }

    #[test]
    fn a_user_has_a_name() {
        check_user("John Doe", "john.doe@example.com", Ok(()));
        check_user("", "john.doe@example.com", Err(Reason::InvalidUserName));
        check_user(" \t", "john.doe@example.com", Err(Reason::InvalidUserName));
    }

    #[test]
    fn a_contact_is_an_email_address() {
        check_user("Õnne", "õnne+books@kiri.example.ee", Ok(()));
        for contact in [
            "",
            "john",
            "@example.com",
            "john@",
            "john@example",
            "john@.com",
            "john@example..com",
            "john@example.com.",
        ] {
            check_user("John", contact, Err(Reason::InvalidUserContact));
        }
        for contact in [
            "john doe@example.com",
            "john@doe@example.com",
            "john@exam ple.com",
            "john@example.com\u{0}",
        ] {
            check_user("John", contact, Err(Reason::InvalidUserContact));
        }
        check_user(
            "John",
            &format!("{}@example.com", "j".repeat(243)),
            Err(Reason::InvalidUserContact),
        );
        check_user("John", &format!("{}@example.com", "j".repeat(242)), Ok(()));
    }

    #[test]
    fn an_address_is_absent_or_complete() {
        assert_eq!(verify_address(None), Ok(()));
        check_address(["123 Main St", "Springfield", "IL", "62701", "USA"], Ok(()));
        check_address(
            ["", "Springfield", "IL", "62701", "USA"],
            Err(Reason::InvalidAddress),
        );
        check_address(
            ["123 Main St", "Springfield", "IL", "62701", " "],
            Err(Reason::InvalidAddress),
        );
    }

    #[test]
    fn the_terms_are_accepted() {
        assert_eq!(verify_terms(true), Ok(()));
        assert_eq!(verify_terms(false), Err(Reason::TermsNotAccepted));
    }
}
