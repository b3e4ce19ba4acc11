//! Makes the components of a cluster file: wasm by cargo where the file says so, then machine code for all.
//!
//! `bookshop-host build` is its command; the launcher calls [`prepare`] before it starts hosts. Nothing here links or runs a component.
//! What is up to date costs a look at the times of its files.

use crate::cli::failure::Failure;
use crate::cli::progress::{Console, Progress};
use crate::cli::{check, output};
use crate::compile::Compiler;
use crate::config::{Config, ServiceConfig};
use crate::consensus::Engines;
use crate::control::code;
use crate::engine;
use crate::host::COMPILED_FOLDER;
use crate::os::process;
use crate::os::{Os, console};
use crate::supervisor::chain;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

mod cargo;
mod error;
mod machine;
mod report;
mod stale;

#[cfg(test)]
mod tests;

pub use error::BuildError;
pub use report::BuildReport;
pub use stale::Reason;

/// What follows `build` on the command line.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster file
    #[arg(default_value = "config/cluster.toml")]
    config: PathBuf,
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Carries out the command.
///
/// # Errors
/// The configuration is wrong, or something cannot be built or compiled.
pub async fn run(arguments: Arguments, os: &Os) -> Result<(), Failure> {
    let config = check::read(&arguments.config, os)?;
    let services = (!arguments.services.is_empty()).then_some(arguments.services.as_slice());
    let report = build(&config, &target(&config), services, os, &Console::default()).await?;
    let style = output::Style::of_stderr();
    for (service, reason) in &report.failed {
        console::line(&format!("{} {service}: {reason}", style.bad("error:")));
    }
    output::line(&report.summary())?;
    if report.unbuilt.is_empty() && report.failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::reported(false))
    }
}

/// Builds and compiles everything a cluster needs before it starts. Says nothing if everything is up to date.
///
/// A component that cargo built and the engine refuses is left to the hosts: they run all the others.
///
/// # Errors
/// Cargo cannot build a component: its author is at work, and an older one would only mislead.
pub async fn prepare(config: &Config, os: &Os) -> Result<(), BuildError> {
    let report = build(config, &target(config), None, os, &Console::default()).await?;
    if !report.unbuilt.is_empty() {
        return Err(BuildError::Components(report.unbuilt.join(", ")));
    }
    for (service, reason) in &report.failed {
        console::line(&format!("warning: {service}: {reason}"));
    }
    if !report.built.is_empty() || report.compiled > 0 {
        console::line(&report.summary());
    }
    Ok(())
}

/// Why the component of `service` has to be built before it is what its sources say; `None` if it is that, or is made elsewhere.
pub fn staleness(config: &Config, service: &ServiceConfig, os: &Os) -> Option<Reason> {
    service.build.as_ref()?;
    stale::reason(
        os.disk.as_ref(),
        &service.wasm_path(&target(config)),
        &config.workspace(),
    )
}

/// When something that the component of `service` is made from was last changed; of one that is made elsewhere, when it was made itself.
pub fn changed(config: &Config, service: &ServiceConfig, os: &Os) -> Option<SystemTime> {
    let (disk, wasm) = (os.disk.as_ref(), service.wasm_path(&target(config)));
    match &service.build {
        Some(_) => stale::newest_input(disk, &wasm, &config.workspace()),
        None => disk.modified(&wasm).ok(),
    }
}

/// Where cargo builds the workspace of `config`.
pub fn target(config: &Config) -> PathBuf {
    config.cargo_target(process::variable("CARGO_TARGET_DIR"))
}

/// Builds what is stale of `services` (all by default) into cargo's folder `target`, then compiles what has no machine code.
/// One component that fails keeps no other from being built: the report has them all.
///
/// # Errors
/// Nothing could be built at all.
pub async fn build(
    config: &Config,
    target: &Path,
    services: Option<&[String]>,
    os: &Os,
    progress: &dyn Progress,
) -> Result<BuildReport, BuildError> {
    let started = os.clock.monotonic();
    let chosen = choose(config, services)?;
    code::write(config, os)?;
    let mut report = BuildReport {
        services: chosen.len(),
        ..BuildReport::default()
    };
    wasm(config, target, &chosen, &mut report, os, progress).await?;
    machine_code(config, target, &chosen, &mut report, os, progress).await?;
    report.took = os.clock.monotonic().saturating_sub(started);
    Ok(report)
}

fn choose<'a>(
    config: &'a Config,
    services: Option<&[String]>,
) -> Result<Vec<&'a ServiceConfig>, BuildError> {
    let Some(names) = services else {
        return Ok(config.services.iter().collect());
    };
    let find = |name: &String| {
        config.service(name).ok_or_else(|| {
            let known = config
                .services
                .iter()
                .map(|service| service.name.to_string())
                .collect::<Vec<_>>()
                .join(", ");
            BuildError::UnknownService {
                name: name.clone(),
                known,
            }
        })
    };
    names.iter().map(find).collect()
}

async fn wasm(
    config: &Config,
    target: &Path,
    services: &[&ServiceConfig],
    report: &mut BuildReport,
    os: &Os,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let workspace = config.workspace();
    let disk = os.disk.as_ref();
    let stale: Vec<(&ServiceConfig, &str, Reason)> = services
        .iter()
        .filter_map(|service| {
            let package = service.build.as_ref()?.cargo.as_str();
            Some((
                *service,
                package,
                stale::reason(disk, &service.wasm_path(target), &workspace)?,
            ))
        })
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = stale
        .iter()
        .map(|(service, _, reason)| format!("  {}: {reason}", service.name))
        .collect();
    progress.say(&format!(
        "building {} of {} components\n{}",
        stale.len(),
        services.len(),
        reasons.join("\n")
    ));
    cargo::prepare(&workspace, os, progress).await?;
    // Two services may run the same package.
    let mut outcomes: BTreeMap<&str, bool> = BTreeMap::new();
    for (service, package, reason) in stale {
        let (wasm, name) = (service.wasm_path(target), service.name.to_string());
        // What is edited while cargo runs is newer than this, and so stale again.
        let started = os.clock.wall();
        let is_built = match outcomes.get(package) {
            Some(is_built) => *is_built,
            None => cargo::build(&workspace, target, package).await?,
        };
        outcomes.insert(package, is_built);
        match stale::reason(disk, &wasm, &workspace) {
            _ if !is_built => report.unbuilt.push(name),
            None => report.built.push((name, reason)),
            Some(Reason::Missing) => {
                let message = format!(
                    "cargo built the package {package}, but no {}; wasm has to be the file that cargo writes: the package's name with _ for -, and .wasm",
                    wasm.display()
                );
                report.failed.push((name, message));
            }
            // Cargo looked and left it as it is: what changed does not matter to this component. Noted, or every start would ask cargo again.
            Some(Reason::Changed(_) | Reason::NoRecord | Reason::Removed(_)) => {
                // Without the note the next start is slower, and nothing else.
                let _ = disk.set_modified(&wasm, UNIX_EPOCH + started);
                report.built.push((name, reason));
            }
        }
    }
    Ok(())
}

async fn machine_code(
    config: &Config,
    target: &Path,
    services: &[&ServiceConfig],
    report: &mut BuildReport,
    os: &Os,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let engine = engine::compiler().map_err(|error| BuildError::Engine(format!("{error:#}")))?;
    let program =
        process::current_program().map_err(|error| BuildError::Engine(error.to_string()))?;
    let compiler = Compiler::new(
        program,
        config.cluster.data.join(COMPILED_FOLDER),
        os.clone(),
    );
    if services.iter().any(|service| service.replicated.is_some()) {
        // Hosts that start together would each compile it otherwise.
        Engines::kept(&compiler).map_err(|error| BuildError::Engine(error.to_string()))?;
    }
    let is_reported = |service: &ServiceConfig| {
        let name = service.name.as_str();
        report.unbuilt.iter().any(|unbuilt| unbuilt == name)
            || report.failed.iter().any(|(failed, _)| failed == name)
    };
    let mut files: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for service in services.iter().filter(|service| !is_reported(service)) {
        files
            .entry(service.wasm_path(target))
            .or_default()
            .push(service.name.to_string());
    }
    let paths: Vec<PathBuf> = files.keys().cloned().collect();
    let (compiled, failures) = machine::compile(&paths, &engine, &compiler, os, progress).await;
    report.compiled = compiled;
    for failure in failures {
        let services = files.remove(&failure.wasm).unwrap_or_default();
        report.failed.extend(
            services
                .into_iter()
                .map(|service| (service, chain(&failure.error))),
        );
    }
    Ok(())
}
