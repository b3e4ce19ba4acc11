//! Decides: the rules, and the model's score against the threshold.

use crate::SERVICE;
use crate::email;
use crate::model::{self, Model};
use crate::reason::Reason;
use crate::subject::{Circumstances, Subject};
use checkout::bindings::bookshop::shop::types::{Assessment, Rejection, Verdict};

/// Event d: what the user shows.
pub fn of_user(subject: &Subject) -> Verdict {
    if email::is_disposable(subject.contact) {
        rejected(Reason::DisposableEmail, &[])
    } else {
        Verdict::Accepted
    }
}

/// Event e: what the card shows, and what the model makes of it all. How many copies are ordered is no rule: that is for the
/// stock to decide.
pub fn of_card<M: Model>(
    subject: &Subject,
    circumstances: Circumstances,
    threshold: f64,
) -> (Verdict, Assessment) {
    let assessed = model::assess::<M>(&subject.signals(circumstances));
    let assessment = Assessment {
        score: assessed.score,
        reasons: assessed
            .reasons()
            .map(|reason| reason.to_string())
            .collect(),
    };
    let verdict = if subject.is_test_card {
        rejected(Reason::TestCard, &[])
    } else if assessment.score >= threshold {
        rejected(Reason::Suspected, &assessment.reasons)
    } else {
        Verdict::Accepted
    };
    (verdict, assessment)
}

fn rejected(reason: Reason, observations: &[String]) -> Verdict {
    Verdict::Rejected(Rejection {
        code: reason.code().into(),
        message: reason.message(observations),
        service: SERVICE.name().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Logistic, THRESHOLD, Trees};
    use checkout::bindings::bookshop::shop::types::ShippingMethod;

    const DAY: Circumstances = Circumstances {
        hour_utc: 12,
        recent_orders: 0,
    };

    /// The order that the page is filled in with, by the shortest program.
    fn clean() -> Subject<'static> {
        Subject {
            name: "John Doe",
            contact: "john.doe@example.com",
            issuer: "411111111".into(),
            is_test_card: false,
            country: None,
            language: None,
            shipping: ShippingMethod::Standard,
            gift_wrapping: false,
            has_discount: false,
            has_device: false,
            amount_cents: 1_000,
            copies: 1,
            titles: 1,
        }
    }

    fn code(verdict: Verdict) -> Option<String> {
        match verdict {
            Verdict::Accepted => None,
            Verdict::Rejected(rejection) => Some(rejection.code),
        }
    }

    #[track_caller]
    fn check(subject: &Subject, circumstances: Circumstances, expected: [Option<&str>; 3]) {
        let card = [
            of_card::<Logistic>(subject, circumstances, THRESHOLD),
            of_card::<Trees>(subject, circumstances, THRESHOLD),
        ];
        let [logistic, trees] = card.map(|(verdict, _)| code(verdict));
        let actual = [code(of_user(subject)), logistic, trees];
        assert_eq!(actual.each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn a_clean_order_is_accepted_by_both_versions() {
        check(&clean(), DAY, [None, None, None]);
    }

    #[test]
    fn many_clean_orders_of_one_customer_are_accepted_at_any_hour() {
        for hour_utc in 0..24 {
            let circumstances = Circumstances {
                hour_utc,
                recent_orders: u32::MAX,
            };
            check(&clean(), circumstances, [None, None, None]);
        }
    }

    #[test]
    fn a_disposable_address_is_refused_before_the_card_is_looked_at() {
        let subject = Subject {
            contact: "john.doe@mailinator.com",
            ..clean()
        };
        assert_eq!(
            code(of_user(&subject)).as_deref(),
            Some("FRAUD_DISPOSABLE_EMAIL")
        );
    }

    #[test]
    fn a_test_card_is_refused_whatever_the_score() {
        let subject = Subject {
            is_test_card: true,
            ..clean()
        };
        let code = Some("FRAUD_TEST_CARD");
        check(&subject, DAY, [None, code, code]);
    }

    #[test]
    fn an_order_full_of_signs_is_suspected_and_told_why() {
        let subject = Subject {
            contact: "x8814920@cards.xyz",
            issuer: "620000000".into(),
            country: Some("USA"),
            shipping: ShippingMethod::NextDay,
            amount_cents: 240_000,
            copies: 40,
            titles: 8,
            ..clean()
        };
        let night = Circumstances {
            hour_utc: 8,
            recent_orders: 6,
        };
        let code = Some("FRAUD_SUSPECTED");
        check(&subject, night, [None, code, code]);
        let (verdict, assessment) = of_card::<Logistic>(&subject, night, THRESHOLD);
        let Verdict::Rejected(rejection) = verdict else {
            panic!("it is rejected");
        };
        assert_eq!(assessment.reasons.len(), 3);
        let why = assessment.reasons.join(" ");
        assert_eq!(
            rejection.message,
            format!("The order looks like fraud. {why}")
        );
    }

    #[test]
    fn the_threshold_decides() {
        let (verdict, assessment) = of_card::<Logistic>(&clean(), DAY, 0.0);
        assert_eq!(code(verdict).as_deref(), Some("FRAUD_SUSPECTED"));
        assert!(assessment.score > 0.0 && assessment.score < THRESHOLD);
    }
}
