//! S2: what one call adds within one process.

use crate::Outcome;
use crate::callees::Callees;
use crate::in_process::InProcess;
use crate::pair::Pair;
use crate::report::Report;
use crate::scale::Scale;

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
            let mut pair = Pair::prepare(what, base, with).await?;
            for _ in 0..scale.paired_rounds {
                pair.round(scale.calls_per_round).await?;
            }
            report.row(&pair.row().0);
        }
        host.stop().await;
        Ok(())
    })
}
