//! Writes `differences.md`: orders on which the two versions decide differently.

use crate::dataset::Example;
use crate::demo::DEMOS;
use fraud_detection::model::{Assessment, Features, Shipping, THRESHOLD, assess_features};
use std::fmt::Write as _;

/// Orders of each sort that are shown.
const SHOWN: usize = 5;

/// A way to ask a model.
pub type LogOdds<'model> = &'model dyn Fn(&Features) -> f64;

/// The whole document.
pub fn document(held_out: &[Example], models: [LogOdds<'_>; 2]) -> String {
    let mut text = String::from(
        "# Where the two versions differ

Written by `cargo run --release -p fraud-training`; a test compares it with the models that ship. A score of 0.8 or more rejects.

## Orders to send
Each is decided so at any hour of the day and however often it is sent; the scores are those at noon, sent for the first time. Send one with `curl localhost:8080/checkout -d @order.json`.
",
    );
    for demo in &DEMOS {
        let features = Features::of(&demo.signals(12, 0));
        let [one, two] = models.map(|model| assess_features(model, &features));
        add(
            &mut text,
            format_args!(
                "\n### {}\nVersion 1: {}. Version 2: {}.\n```json\n{}\n```\n",
                demo.title,
                in_words(&one),
                in_words(&two),
                demo.json()
            ),
        );
    }
    text.push_str(
        "
## Orders of the held-out set
Of all orders on which the versions disagree, those with the most different scores. Version 2 is right more often, not always.
Here only the models decide: the rules that go before them (test cards, disposable addresses) are left out.
",
    );
    for (rejects, is_fraud, title) in [
        (1, true, "Fraud that only version 2 rejects"),
        (0, false, "Honest orders that only version 1 rejects"),
        (0, true, "Fraud that only version 1 rejects"),
        (1, false, "Honest orders that only version 2 rejects"),
    ] {
        add_table(&mut text, held_out, models, (rejects, is_fraud, title));
    }
    text
}

fn in_words(assessment: &Assessment) -> String {
    let codes: Vec<&str> = assessment.reasons().map(|reason| reason.code()).collect();
    let reasons = if codes.is_empty() {
        "nothing unusual".to_owned()
    } else {
        codes.join(", ")
    };
    let decision = if assessment.score >= THRESHOLD {
        "rejected"
    } else {
        "approved"
    };
    format!("{decision} with {:.2} ({reasons})", assessment.score)
}

/// One sort of order: which model rejects it, whether it is fraud, and what to call it.
fn add_table(
    text: &mut String,
    held_out: &[Example],
    models: [LogOdds<'_>; 2],
    (rejects, is_fraud, title): (usize, bool, &str),
) {
    let mut found: Vec<(&Example, [Assessment; 2])> = held_out
        .iter()
        .filter(|example| example.profile.is_fraud == is_fraud)
        .map(|example| {
            let assessments = models.map(|model| assess_features(model, &example.features));
            (example, assessments)
        })
        .filter(|(_, assessments)| {
            assessments[rejects].score >= THRESHOLD && assessments[1 - rejects].score < THRESHOLD
        })
        .collect();
    let distance =
        |assessments: &[Assessment; 2]| (assessments[0].score - assessments[1].score).abs();
    found.sort_by(|left, right| distance(&right.1).total_cmp(&distance(&left.1)));
    add(
        text,
        format_args!(
            "\n### {title}: {} of {}\n| who | order | version 1 | version 2 | reasons of who rejects |\n|---|---|---|---|---|\n",
            found.len(),
            held_out.len()
        ),
    );
    for (example, assessments) in found.iter().take(SHOWN) {
        let [one, two] = assessments.map(|assessment| assessment.score);
        let codes: Vec<&str> = assessments[rejects]
            .reasons()
            .map(|reason| reason.code())
            .collect();
        add(
            text,
            format_args!(
                "| {} | {} | {one:.2} | {two:.2} | {} |\n",
                example.profile.name,
                describe(example),
                codes.join(", ")
            ),
        );
    }
}

fn describe(example: &Example) -> String {
    let order = example.order.signals();
    let mut parts = vec![
        format!("{}, {}", order.name, order.contact),
        format!("card {}…", &order.card_number[..9]),
        order.country.map_or("no address".to_owned(), |country| {
            format!("billed in {country}")
        }),
        format!(
            "{} of {} for {}.{:02}",
            counted(order.copies, "copy", "copies"),
            counted(order.titles.into(), "title", "titles"),
            order.amount_cents / 100,
            order.amount_cents % 100
        ),
        match order.shipping {
            Shipping::Standard => "standard",
            Shipping::Express => "express",
            Shipping::NextDay => "next day",
        }
        .to_owned(),
        format!("{:02} h UTC", order.hour_utc),
    ];
    if order.recent_orders > 0 {
        let orders = counted(order.recent_orders.into(), "order", "orders");
        parts.push(format!("{orders} within an hour before"));
    }
    if order.gift_wrapping {
        parts.push("gift".to_owned());
    }
    if order.has_discount {
        parts.push("discount".to_owned());
    }
    parts.push(match (order.has_device, order.language) {
        (false, _) => "no device".to_owned(),
        (true, None) => "device".to_owned(),
        (true, Some(language)) => format!("device in {language}"),
    });
    parts.join("; ")
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a string takes any text");
}
