//! `bench NAME…`: runs measurements and prints their tables. See README.md.

use bench::report::Report;
use bench::scale::Scale;
use bench::{
    Outcome, calls, checkout, child, hello, hop, memory, noise, paths, remote, replicas,
    replicas_failover, spread, start, state, swap, upgrade,
};
use bookshop_host::supervisor::chain;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures the host. Builds nothing: `cargo build --release -p bookshop-host` and `cargo xtask build-guests` come first.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(required = true)]
    names: Vec<Name>,
    /// JSON lines on standard output, tables on standard error.
    #[arg(long)]
    json: bool,
    /// Everything short and seldom: shows that it works, not how fast.
    #[arg(long)]
    quick: bool,
    /// How many leaders `failover` kills, and cuts off.
    #[arg(long)]
    kills: Option<usize>,
    /// How long the link of `elections` flaps.
    #[arg(long)]
    minutes: Option<u64>,
    /// How often runs under load are repeated.
    #[arg(long)]
    rounds: Option<usize>,
    /// The host to measure [default: target/release/bookshop-host].
    #[arg(long)]
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Everything below.
    All,
    /// What one in-process hop adds, against the engine alone (S2).
    Hop,
    /// Calls per second in one process, fresh and pooled.
    Calls,
    /// Cold start to the first approved checkout (S5).
    Start,
    /// Memory idle and after work, and of one more service (S6).
    Memory,
    /// The shop over HTTP, fresh and pooled, beside native processes (S1).
    Checkout,
    /// What one hop to another host adds, beside a loopback round trip and tonic (S4).
    Remote,
    /// Replicated services: commands, queries, checkpoints, start, memory.
    State,
    /// Services with three replicas, beside etcd and JetStream (R1 to R4).
    Replicas,
    /// How long writes wait when the leader is killed, or cut off (R5).
    Failover,
    /// Elections that nobody needs (R6).
    Elections,
    /// The shop over HTTP on three hosts, spread over them and all on each.
    Spread,
    /// What customers feel of a swap of a component, and of a restart in place (C1).
    Swap,
    /// What writers feel of an upgrade of a service with three replicas (C2).
    Upgrade,
    /// Hello world over HTTP, beside `wasmtime serve` (S3).
    Hello,
    /// The machine alone.
    Noise,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report::new(arguments.json);
    match run(&arguments, &mut report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let program = match &arguments.program {
        Some(program) => program.canonicalize()?,
        None => paths::program()?,
    };
    let scale = if arguments.quick {
        Scale::quick(program)
    } else {
        Scale::full(program)
    };
    let scale = Scale {
        kills: arguments.kills.unwrap_or(scale.kills),
        flapping: arguments
            .minutes
            .map_or(scale.flapping, |minutes| Duration::from_secs(60 * minutes)),
        rounds: arguments.rounds.unwrap_or(scale.rounds),
        ..scale
    };
    let names = if arguments.names.contains(&Name::All) {
        &Name::value_variants()[1..]
    } else {
        &arguments.names[..]
    };
    child::stop_with_this_process()?;
    report.note(&noise::machine());
    if arguments.quick {
        report.note("Quick: too short to be quoted.");
    }
    noise::measure("before", report)?;
    let mut failed = 0;
    for name in names {
        if let Err(error) = one(*name, &scale, report) {
            // The others may well work, and some take minutes.
            let name = name.to_possible_value();
            let name = name.as_ref().map_or("", |name| name.get_name());
            eprintln!("error: {name}: {}", chain(error.as_ref()));
            failed += 1;
        }
    }
    noise::measure("after", report)?;
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} of {} measurements failed", names.len()).into())
    }
}

fn one(name: Name, scale: &Scale, report: &mut Report) -> Outcome {
    match name {
        Name::Hop => hop::measure(scale, report),
        Name::Calls => calls::measure(scale, report),
        Name::Start => start::measure(scale, report),
        Name::Memory => memory::measure(scale, report),
        Name::Checkout => checkout::measure(scale, report),
        Name::Remote => remote::measure(scale, report),
        Name::State => state::measure(scale, report),
        Name::Replicas => replicas::measure(scale, report),
        Name::Failover => replicas_failover::failover(scale, report),
        Name::Elections => replicas_failover::elections(scale, report),
        Name::Spread => spread::measure(scale, report),
        Name::Swap => swap::measure(scale, report),
        Name::Upgrade => upgrade::measure(scale, report),
        Name::Hello => hello::measure(scale, report),
        // Taken before and after everything else anyway.
        Name::Noise | Name::All => Ok(()),
    }
}
