//! Writes `REPORT.md`: what the data assume and how good the models are on orders that neither has seen.

use crate::dataset::{Example, Split};
use crate::differences::LogOdds;
use crate::metrics::Metrics;
use crate::profile::{PROFILES, Profile};
use fraud_detection::model::{THRESHOLD, probability};
use std::fmt::Write as _;

/// What the versions are called.
const NAMES: [&str; 2] = ["1, logistic regression", "2, boosted trees"];

/// Thresholds that are shown; the second is the one that ships.
const THRESHOLDS: [f64; 3] = [0.5, THRESHOLD, 0.9];

/// The whole document.
pub fn document(held_out: &[Example], models: [LogOdds<'_>; 2]) -> String {
    let mut text = String::from(
        "# Models of fraud: data and figures

Written by `cargo run --release -p fraud-training`, which takes about a second and writes the same bytes on every machine; tests compare
them with the models that ship. Nothing here was measured on real orders: the data are generated, so the figures compare the two
models with each other and say nothing about real fraud.

## Data
Each order is drawn from one of these kinds of customers (`src/profile.rs`), with names, addresses, cards and hours made up (`src/order.rs`),
and goes through the very code that looks at a checkout. Every single sign of fraud is found with honest customers too.

",
    );
    for split in [Split::Training, Split::Validation, Split::HeldOut] {
        let purpose = match split {
            Split::Training => "training: the models learn from it",
            Split::Validation => {
                "validation: penalty of version 1 and number of trees of version 2"
            }
            Split::HeldOut => "held out: the figures below, and nothing else",
        };
        add(
            &mut text,
            format_args!(
                "- {} orders, seed {}: {purpose}\n",
                split.size(),
                split.seed()
            ),
        );
    }
    add_profiles(&mut text);
    add_figures(&mut text, held_out, models);
    add_kinds(&mut text, held_out, models);
    text
}

/// The rows that describe a kind of customer, with how to read them off.
type Row = (&'static str, fn(&Profile) -> String);

fn add_profiles(text: &mut String) {
    let rows: [Row; 20] = [
        ("fraud", |one| {
            if one.is_fraud { "yes" } else { "no" }.to_owned()
        }),
        ("share of all orders", |one| percent(one.share)),
        ("different titles", |one| range(one.titles)),
        ("copies of each", |one| range(one.copies)),
        ("price of a copy, in cents", |one| range(one.price_cents)),
        ("has ordered in the last hour", |one| percent(one.repeats)),
        ("and then so often", |one| range(one.recent)),
        ("at night (0 to 5 h)", |one| percent(one.night)),
        ("disposable e-mail address", |one| percent(one.disposable)),
        ("cheap e-mail domain", |one| percent(one.cheap)),
        ("digits in the address", |one| percent(one.digits)),
        ("name in the address", |one| percent(one.named)),
        ("card from another country", |one| percent(one.abroad)),
        ("language of another country", |one| percent(one.foreign)),
        ("billing address given", |one| percent(one.address)),
        ("device described", |one| percent(one.device)),
        ("gift", |one| percent(one.gift)),
        ("express", |one| percent(one.express)),
        ("next day", |one| percent(one.next_day)),
        ("discount code", |one| percent(one.discount)),
    ];
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    add(
        text,
        format_args!(
            "\n| | {} |\n|---|{}\n",
            names.join(" | "),
            "---|".repeat(names.len())
        ),
    );
    for (title, cell) in rows {
        let cells: Vec<String> = PROFILES.iter().map(cell).collect();
        add(text, format_args!("| {title} | {} |\n", cells.join(" | ")));
    }
    text.push_str("\nWithin a range small numbers are more frequent: every order of magnitude is as likely.\n");
}

fn percent(share: f64) -> String {
    // Shares have at most three digits behind the point; more are rounding.
    format!("{} %", (share * 1000.0).round() / 10.0)
}

fn range((low, high): (u64, u64)) -> String {
    if low == high {
        low.to_string()
    } else {
        format!("{low} to {high}")
    }
}

fn add_figures(text: &mut String, held_out: &[Example], models: [LogOdds<'_>; 2]) {
    text.push_str(
        "
## Figures on the held-out set
Of the models alone: the rules that go before them in the component (test cards, disposable addresses) are left out.
Precision: frauds among the rejected orders. Recall: rejected ones among the frauds. AUC: how likely a fraud scores higher than an honest order.

| version | threshold | precision | recall | AUC | log loss | frauds rejected | frauds approved | honest rejected | honest approved |
|---|---|---|---|---|---|---|---|---|---|
",
    );
    for (name, model) in NAMES.into_iter().zip(models) {
        for threshold in THRESHOLDS {
            let metrics = Metrics::of(held_out, model, threshold);
            add(text, format_args!("{}\n", row(name, threshold, &metrics)));
        }
    }
}

/// One line of the table of figures.
fn row(name: &str, threshold: f64, metrics: &Metrics) -> String {
    format!(
        "| {name} | {threshold} | {:.4} | {:.4} | {:.4} | {:.4} | {} | {} | {} | {} |",
        metrics.precision(),
        metrics.recall(),
        metrics.area,
        metrics.log_loss,
        metrics.caught,
        metrics.missed,
        metrics.offended,
        metrics.served
    )
}

fn add_kinds(text: &mut String, held_out: &[Example], models: [LogOdds<'_>; 2]) {
    add(
        text,
        format_args!(
            "\n## Orders that are rejected, by kind of customer\nAt the threshold of {THRESHOLD}.\n\n| customer | fraud | orders | version 1 | version 2 |\n|---|---|---|---|---|\n"
        ),
    );
    for profile in &PROFILES {
        let orders: Vec<&Example> = held_out
            .iter()
            .filter(|example| example.profile.name == profile.name)
            .collect();
        let [one, two] = models.map(|model| {
            let is_rejected =
                |example: &&&Example| probability(model(&example.features)) >= THRESHOLD;
            orders.iter().filter(is_rejected).count() as f64 / orders.len() as f64
        });
        add(
            text,
            format_args!(
                "| {} | {} | {} | {:.1} % | {:.1} % |\n",
                profile.name,
                if profile.is_fraud { "yes" } else { "no" },
                orders.len(),
                one * 100.0,
                two * 100.0
            ),
        );
    }
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a string takes any text");
}
