//! Signs that an e-mail address shows.

/// Providers of throw-away addresses that are met most.
const DISPOSABLE: [&str; 18] = [
    "10minutemail.com",
    "discard.email",
    "dispostable.com",
    "fakeinbox.com",
    "getnada.com",
    "guerrillamail.com",
    "guerrillamail.net",
    "mailcatch.com",
    "maildrop.cc",
    "mailinator.com",
    "mailnesia.com",
    "mintemail.com",
    "sharklasers.com",
    "temp-mail.org",
    "tempmail.com",
    "throwawaymail.com",
    "trashmail.com",
    "yopmail.com",
];

/// Whether the address is at one of these providers or at a subdomain of theirs.
pub fn is_disposable(contact: &str) -> bool {
    let Some((_, domain)) = contact.rsplit_once('@') else {
        return false;
    };
    let domain = domain.trim().to_ascii_lowercase();
    DISPOSABLE.iter().any(|provider| {
        domain
            .strip_suffix(provider)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(contact: &str, expected: bool) {
        assert_eq!(is_disposable(contact), expected);
    }

    #[test]
    fn recognises_providers_and_their_subdomains() {
        check("john@mailinator.com", true);
        check("john@MAILINATOR.com ", true);
        check("john@eu.mailinator.com", true);
    }

    #[test]
    fn accepts_everyone_else() {
        check("john@example.com", false);
        check("john@notmailinator.com", false);
        check("mailinator.com@example.com", false);
        check("mailinator.com", false);
    }
}
