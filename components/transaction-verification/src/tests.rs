use super::*;
use submission::{Card, Line};

/// A submission with something wrong in every part.
fn bad() -> Submission<'static> {
    Submission {
        lines: Vec::new(),
        name: "",
        contact: "nobody",
        address: Some([""; 5]),
        terms_accepted: false,
        card: Card {
            number: "4111111111111112",
            expiration_date: "1/1",
            cvv: "1",
        },
    }
}

/// What decides about a submission, and what the customer does about it.
type Repair = (&'static str, fn(&mut Submission));

#[track_caller]
fn check(
    rule: impl Fn(&Submission) -> Result<(), Reason>,
    submission: &mut Submission,
    repairs: &[Repair],
) {
    for (code, repair) in repairs {
        assert_eq!(rule(submission).map_err(Reason::code), Err(*code));
        repair(submission);
    }
    assert_eq!(rule(submission), Ok(()));
}

#[test]
fn the_first_reason_of_an_event_decides_in_the_order_of_the_contract() {
    let mut submission = bad();
    let items: [Repair; 5] = [
        ("EMPTY_ITEMS", |submission| {
            submission.lines = vec![
                Line {
                    name: "",
                    quantity: 0
                };
                101
            ]
        }),
        ("TOO_MANY_ITEMS", |submission| submission.lines.truncate(1)),
        ("INVALID_ITEM", |submission| {
            submission.lines[0].name = "No Such Book"
        }),
        ("INVALID_QUANTITY", |submission| {
            submission.lines[0].quantity = 1
        }),
        ("UNKNOWN_BOOK", |submission| {
            submission.lines[0].name = "Book A"
        }),
    ];
    check(verify_items, &mut submission, &items);
    let user: [Repair; 4] = [
        ("INVALID_USER_NAME", |submission| {
            submission.name = "John Doe"
        }),
        ("INVALID_USER_CONTACT", |submission| {
            submission.contact = "john.doe@example.com"
        }),
        ("INVALID_ADDRESS", |submission| submission.address = None),
        ("TERMS_NOT_ACCEPTED", |submission| {
            submission.terms_accepted = true
        }),
    ];
    check(verify_user, &mut submission, &user);
    let this_month = Month {
        year: 2026,
        month: 11,
    };
    let card: [Repair; 4] = [
        ("INVALID_CARD_NUMBER", |submission| {
            submission.card.number = "4111111111111111"
        }),
        ("INVALID_EXPIRY", |submission| {
            submission.card.expiration_date = "10/26"
        }),
        ("CARD_EXPIRED", |submission| {
            submission.card.expiration_date = "11/26"
        }),
        ("INVALID_CVV", |submission| submission.card.cvv = "123"),
    ];
    check(
        |submission| card::verify(&submission.card, this_month),
        &mut submission,
        &card,
    );
}

#[test]
fn a_rejection_names_the_service_and_says_what_to_do() {
    let Verdict::Rejected(rejection) = verdict(Err(Reason::InvalidCvv)) else {
        panic!("a reason rejects");
    };
    assert_eq!(rejection.service, SERVICE.name());
    assert_eq!(rejection.code, "INVALID_CVV");
    assert_eq!(verdict(Ok(())), Verdict::Accepted);
}
