//! S2: what one call adds, measured in pairs that take turns, so that the machine's moods meet both sides.

use crate::Outcome;
use crate::callees::{Callee, Callees};
use crate::in_process::InProcess;
use crate::report::{Report, Row};
use crate::scale::Scale;
use crate::statistics::Samples;
use std::time::Duration;

/// Calls before the first that counts.
const WARM_UP_CALLS: usize = 500;

/// Compares the host with the engine alone, and two services with one.
///
/// # Errors
/// Something is not built, or a call fails.
pub fn measure(scale: &Scale, report: &mut Report) -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    runtime.block_on(async {
        let host = InProcess::start(&scale.program).await?;
        let callees = Callees::prepare(&host).await?;
        report.begin(
            "hop",
            "Added by one in-process hop (S2), one call at a time",
        );
        for (what, base, with) in [
            (
                "hand an order over: engine alone → host, fresh instance",
                &callees.bare_fresh,
                &callees.init,
            ),
            (
                "hand an order over: engine alone → host, pooled",
                &callees.bare_reused,
                &callees.init_pooled,
            ),
            (
                "one service → a service that calls it, fresh instances",
                &callees.one_service,
                &callees.two_services,
            ),
            (
                "one service → a service that calls it, pooled",
                &callees.one_service_pooled,
                &callees.two_services_pooled,
            ),
        ] {
            report.row(&compare(what, base, with, scale).await?);
        }
        host.stop().await;
        Ok(())
    })
}

async fn compare(what: &str, base: &Callee, with: &Callee, scale: &Scale) -> Outcome<Row> {
    for callee in [base, with] {
        sample(callee, WARM_UP_CALLS).await?;
    }
    let (mut all_base, mut all_with, mut differences) =
        (Samples::default(), Samples::default(), Samples::default());
    for round in 0..scale.paired_rounds {
        // Who goes first alternates, since the second finds warmer caches.
        let (of_base, of_with) = if round % 2 == 0 {
            let of_base = sample(base, scale.calls_per_round).await?;
            (of_base, sample(with, scale.calls_per_round).await?)
        } else {
            let of_with = sample(with, scale.calls_per_round).await?;
            (sample(base, scale.calls_per_round).await?, of_with)
        };
        let median = |samples: &[f64]| {
            samples
                .iter()
                .copied()
                .collect::<Samples>()
                .sorted()
                .median()
        };
        differences.add(median(&of_with) - median(&of_base));
        all_base.extend(of_base);
        all_with.extend(of_with);
    }
    let (base, with, differences) = (all_base.sorted(), all_with.sorted(), differences.sorted());
    let row = Row::new(what).count("calls each", scale.paired_rounds * scale.calls_per_round);
    let row = row.number("before p50 µs", base.median(), 1).number(
        "before p99 µs",
        base.percentile(99.0),
        1,
    );
    let row = row.number("after p50 µs", with.median(), 1).number(
        "after p99 µs",
        with.percentile(99.0),
        1,
    );
    let row = row.number("added p50 µs", differences.median(), 1);
    Ok(row
        .number("added p10 µs", differences.percentile(10.0), 1)
        .number("added p90 µs", differences.percentile(90.0), 1))
}

async fn sample(callee: &Callee, calls: usize) -> Outcome<Vec<f64>> {
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        samples.push(microseconds(callee.run().await?.0));
    }
    Ok(samples)
}

/// A duration as the tables show it.
#[must_use]
pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
