//! S2 under criterion: compares each number with its own last run, where `bench hop` compares both sides within one run.

use bench::callees::{Callee, Callees};
use bench::in_process::InProcess;
use bench::{Outcome, paths};
use criterion::Criterion;
use std::time::Duration;
use tokio::runtime::Runtime;

fn main() -> Outcome {
    let runtime = bookshop_host::os::task::runtime()?;
    let host = runtime.block_on(InProcess::start(&paths::program()?))?;
    let callees = runtime.block_on(Callees::prepare(&host))?;
    let mut criterion = Criterion::default().configure_from_args();
    for (name, callee) in [
        ("init/engine alone, fresh", &callees.bare_fresh),
        ("init/host, fresh", &callees.init),
        ("init/engine alone, reused", &callees.bare_reused),
        ("init/host, pooled", &callees.init_pooled),
        ("hop/one service, fresh", &callees.one_service),
        ("hop/two services, fresh", &callees.two_services),
        ("hop/one service, pooled", &callees.one_service_pooled),
        ("hop/two services, pooled", &callees.two_services_pooled),
        ("checkout/five services, fresh", &callees.checkout),
        ("checkout/five services, pooled", &callees.checkout_pooled),
    ] {
        measure(&mut criterion, &runtime, name, callee);
    }
    criterion.final_summary();
    runtime.block_on(host.stop());
    Ok(())
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, callee: &Callee) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            runtime.block_on(async {
                let mut took = Duration::ZERO;
                for _ in 0..calls {
                    let call = callee.run().await;
                    took += call.expect("the call was answered when it was prepared").0;
                }
                took
            })
        });
    });
}
