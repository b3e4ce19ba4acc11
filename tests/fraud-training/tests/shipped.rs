//! What ships is what the training makes, and does what the documents say.

use fraud_detection::model::{Logistic, Model, THRESHOLD, Trees, assess};
use fraud_training::dataset::{Example, Split};
use fraud_training::demo::DEMOS;
use fraud_training::metrics::Metrics;

#[test]
fn training_again_writes_the_same_bytes() {
    for artefact in fraud_training::artefacts() {
        let shipped = std::fs::read_to_string(artefact.location()).unwrap();
        assert!(
            shipped == artefact.text,
            "{} is not what the training writes: run `cargo run --release -p fraud-training`",
            artefact.path
        );
    }
}

/// Precision, recall and area of a model that ships.
fn figures<M: Model>(held_out: &[Example]) -> [f64; 3] {
    let metrics = Metrics::of(held_out, M::log_odds, THRESHOLD);
    [metrics.precision(), metrics.recall(), metrics.area]
}

#[test]
fn the_report_has_the_figures_of_the_models_that_ship() {
    let held_out = Split::HeldOut.examples();
    let report = include_str!("../REPORT.md");
    for (version, [precision, recall, area]) in [
        ("1, logistic regression", figures::<Logistic>(&held_out)),
        ("2, boosted trees", figures::<Trees>(&held_out)),
    ] {
        let line =
            format!("| {version} | {THRESHOLD} | {precision:.4} | {recall:.4} | {area:.4} |");
        assert!(report.contains(&line), "{line}");
    }
}

#[test]
fn the_models_are_good_and_the_second_is_better() {
    let held_out = Split::HeldOut.examples();
    let (one, two) = (figures::<Logistic>(&held_out), figures::<Trees>(&held_out));
    for (at_least, found) in [0.93, 0.40, 0.95].into_iter().zip(one) {
        assert!(found >= at_least, "{one:?}");
    }
    for (at_least, found) in [0.97, 0.65, 0.975].into_iter().zip(two) {
        assert!(found >= at_least, "{two:?}");
    }
    assert!(one.into_iter().zip(two).all(|(one, two)| one < two));
}

#[test]
fn the_versions_decide_the_documented_orders_as_documented() {
    let document = include_str!("../differences.md");
    for demo in &DEMOS {
        assert!(document.contains(&demo.json()), "{}", demo.title);
        for hour_utc in 0..24 {
            for recent_orders in [0, 1, 2, 3, 5, 8, 12, 1000] {
                let signals = demo.signals(hour_utc, recent_orders);
                let scores = [
                    assess::<Logistic>(&signals).score,
                    assess::<Trees>(&signals).score,
                ];
                let rejected = scores.map(|score| score >= THRESHOLD);
                assert_eq!(
                    rejected, demo.rejected,
                    "{}: {scores:?} at {hour_utc} h after {recent_orders} orders",
                    demo.title
                );
            }
        }
    }
}

#[test]
fn the_tables_are_small() {
    assert!(size_of_val(Logistic::WEIGHTS) < 20_000);
    assert!(size_of_val(Trees::TREES) < 20_000);
}
