//! `bookshop-host check`: the cluster file and its components, loaded and linked as a host would, without starting anything.

use crate::cli::build;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::progress::Console;
use crate::cli::table::{Cell, Table};
use crate::compile::Compiler;
use crate::component::short_digest;
use crate::component::{self, Loaded};
use crate::config::{Config, ConfigError, Problem};
use crate::control::code;
use crate::dispatch::ServiceId;
use crate::engine;
use crate::host::COMPILED_FOLDER;
use crate::interface;
use crate::linker::{Exporter, Exporters, ServiceLinker};
use crate::os::{Os, process};
use crate::supervisor::chain;
use clap::Args;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use wasmtime::Engine;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster file
    #[arg(default_value = "config/cluster.toml")]
    config: PathBuf,
    /// Build what is stale first
    #[arg(long)]
    build: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// All that was found out.
#[derive(Debug, Serialize)]
struct Findings<'a> {
    ok: bool,
    problems: &'a [Problem],
    services: &'a [Finding],
}

/// What was found out about one service.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    ok: bool,
    /// Why the component is not what its sources say: it can run, but is an older one.
    stale: Option<String>,
    digest: Option<String>,
    bytes: Option<usize>,
    exports: Vec<String>,
    error: Option<String>,
}

/// Reads the cluster file.
///
/// # Errors
/// It cannot be read, or something in it is wrong.
pub fn read(path: &Path, os: &Os) -> Result<Config, ConfigError> {
    Config::read(path, |path| {
        os.disk.read(path).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        })
    })
}

/// Checks everything and prints what it found.
///
/// # Errors
/// The configuration is wrong, or a service cannot run.
pub async fn run(arguments: Arguments, os: &Os) -> Result<(), Failure> {
    let config = match read(&arguments.config, os) {
        Ok(config) => config,
        Err(error) if arguments.json => {
            output::json(&Findings {
                ok: false,
                problems: error.problems(),
                services: &[],
            })?;
            return Err(Failure::reported(true));
        }
        Err(error) => return Err(error.into()),
    };
    if arguments.build {
        // What fails here is found again below, with its service.
        build::build(
            &config,
            &build::target(&config),
            None,
            os,
            &Console::default(),
        )
        .await?;
    }
    let findings = check(&config, os).await?;
    let is_ok = findings.iter().all(|finding| finding.ok);
    if arguments.json {
        output::json(&Findings {
            ok: is_ok,
            problems: &[],
            services: &findings,
        })?;
    } else {
        output::line(&text(&config, &findings, Style::of_stdout()))?;
    }
    if is_ok {
        Ok(())
    } else {
        Err(Failure::reported(false))
    }
}

async fn check(config: &Config, os: &Os) -> Result<Vec<Finding>, Failure> {
    let engine = engine::compiler()
        .map_err(|error| Failure::failed(format!("cannot start the engine: {error:#}")))?;
    let linker = ServiceLinker::new(&engine)
        .map_err(|error| Failure::failed(format!("cannot start the engine: {error:#}")))?;
    let program = process::current_program().map_err(|error| Failure::operation(&error))?;
    let compiler = Compiler::new(
        program,
        config.cluster.data.join(COMPILED_FOLDER),
        os.clone(),
    );
    code::write(config, os).map_err(|error| Failure::operation(&error))?;
    let target = build::target(config);
    let mut loaded: Vec<Result<Loaded, String>> = Vec::new();
    for service in &config.services {
        let component = component::load(&service.wasm_path(&target), &engine, &compiler, os).await;
        loaded.push(component.map_err(|error| chain(&error)));
    }
    let exporters = exporters(config, &loaded, &engine);
    let findings = config.services.iter().zip(loaded).map(|(service, loaded)| {
        let result = match &loaded {
            Ok(loaded) => linker
                .link(service, loaded, &exporters)
                .map(drop)
                .map_err(|error| chain(&error)),
            Err(reason) => Err(reason.clone()),
        };
        let loaded = loaded.as_ref().ok();
        Finding {
            name: service.name.to_string(),
            ok: result.is_ok(),
            stale: build::staleness(config, service, os).map(|reason| reason.to_string()),
            digest: loaded.map(|loaded| loaded.digest.clone()),
            bytes: loaded.map(|loaded| loaded.bytes),
            exports: loaded
                .map(|loaded| loaded.exported_interfaces(&engine))
                .unwrap_or_default(),
            error: result.err(),
        }
    });
    Ok(findings.collect())
}

fn exporters(config: &Config, loaded: &[Result<Loaded, String>], engine: &Engine) -> Exporters {
    let exporter = |((index, service), loaded): (
        (u32, &crate::config::ServiceConfig),
        &Result<Loaded, String>,
    )| {
        let functions = loaded.as_ref().ok()?.exports(engine);
        Some((
            ServiceId(index),
            Exporter {
                name: service.name.to_string(),
                functions,
            },
        ))
    };
    (0..)
        .zip(&config.services)
        .zip(loaded)
        .filter_map(exporter)
        .collect()
}

fn text(config: &Config, findings: &[Finding], style: Style) -> String {
    let mut table = Table::new(&["SERVICE", "STATE", "SHA-256", ">SIZE", "EXPORTS"]);
    for finding in findings {
        let state = match (finding.ok, &finding.stale) {
            (true, None) => Cell::new(Paint::Good, "ok"),
            (true, Some(_)) => Cell::new(Paint::Warn, "ok, stale"),
            (false, _) => Cell::new(Paint::Bad, "wrong"),
        };
        let digest = finding.digest.as_deref().map(short_digest).unwrap_or("-");
        let size = finding
            .bytes
            .map_or_else(|| "-".to_owned(), |bytes| output::size(bytes as u64));
        table.row([
            finding.name.as_str().into(),
            state,
            digest.into(),
            size.into(),
            exports(&finding.exports).into(),
        ]);
    }
    let mut lines = table.lines(style);
    for Finding {
        name, stale, error, ..
    } in findings
    {
        if let Some(error) = error {
            lines.push(format!("{} {name}: {error}", style.bad("error:")));
        } else if let Some(reason) = stale {
            lines.push(format!(
                "{} {name} is stale: {reason}; run `bookshop-host build`",
                style.paint(Paint::Warn, "warning:")
            ));
        }
    }
    let able = findings.iter().filter(|finding| finding.ok).count();
    let (hosts, services) = (
        output::count(config.hosts.len(), "host"),
        output::count(findings.len(), "service"),
    );
    lines.push(format!(
        "{}: {hosts}, {able} of {services} can run",
        config.path.display()
    ));
    lines.join("\n")
}

/// Exported interfaces without what every reader knows.
fn exports(names: &[String]) -> String {
    if names.is_empty() {
        "-".to_owned()
    } else {
        names
            .iter()
            .map(|name| interface::without_version(name))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_line_for_each_service_and_the_errors_below() {
        let config = Config::parse(
            Path::new("config/shop.toml"),
            r#"
            [cluster]
            name = "shop"
            [[host]]
            name = "alpha"
            http = "127.0.0.1:1"
            peer = "127.0.0.1:2"
            api = "127.0.0.1:3"
            admin = "127.0.0.1:4"
            "#,
        )
        .expect("a configuration");
        let findings = [
            Finding {
                name: "payment".into(),
                ok: true,
                stale: Some("lib.rs changed".into()),
                digest: Some("00112233445566778899".into()),
                bytes: Some(62_694),
                exports: vec!["bookshop:shop/payment@0.1.0".into()],
                error: None,
            },
            Finding {
                name: "audit".into(),
                ok: false,
                stale: None,
                digest: None,
                bytes: None,
                exports: vec![],
                error: Some("cannot read component audit.wasm".into()),
            },
        ];
        expect![[r#"
            SERVICE  STATE      SHA-256           SIZE  EXPORTS
            payment  ok, stale  001122334455  61.2 KiB  bookshop:shop/payment
            audit    wrong      -                    -  -
            warning: payment is stale: lib.rs changed; run `bookshop-host build`
            error: audit: cannot read component audit.wasm
            config/shop.toml: 1 host, 1 of 2 services can run"#]]
        .assert_eq(&text(&config, &findings, Style::PLAIN));
    }
}
