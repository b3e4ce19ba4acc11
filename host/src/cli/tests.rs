use super::*;
use clap::{CommandFactory, error::ErrorKind};
use expect_test::{Expect, expect};

#[track_caller]
fn refused(line: &str, expected: Expect) {
    let error = Cli::try_parse_from(line.split_whitespace()).expect_err("refused");
    assert_eq!(error.exit_code(), 2, "{line}");
    expected.assert_eq(error.to_string().lines().next().unwrap_or_default());
}

#[track_caller]
fn accepted(line: &str) -> Command {
    match Cli::try_parse_from(line.split_whitespace()) {
        Ok(cli) => cli.command,
        Err(error) => panic!("{line}: {error}"),
    }
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example() {
    let below = |path: &str, command: &clap::Command| {
        let named =
            |command: &clap::Command| (format!("{path} {}", command.get_name()), command.clone());
        command.get_subcommands().map(named).collect::<Vec<_>>()
    };
    let mut commands = below("bookshop-host", &Cli::command());
    while let Some((path, command)) = commands.pop() {
        commands.extend(below(&path, &command));
        if command.has_subcommands() || command.is_hide_set() {
            continue;
        }
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(help.contains("Example") && help.contains(&path), "{path}");
    }
}

#[test]
fn what_a_person_types_is_understood() {
    let Command::Run(run) =
        accepted("bookshop-host run config/cluster.toml --host alpha --data /tmp/d --no-restart")
    else {
        panic!("not run")
    };
    assert_eq!(
        (run.host.as_deref(), run.no_restart, run.supervised),
        (Some("alpha"), true, false)
    );
    for line in [
        "bookshop-host build",
        "bookshop-host build config/cluster.toml payment audit",
        "bookshop-host check --json",
        "bookshop-host call suggestions.suggest -5 --timeout 250ms --api :7202",
        "bookshop-host call suggestions.suggest --cluster config/cluster.toml --host beta --as reports",
        "bookshop-host inspect a.wasm --json",
        "bookshop-host status --json --admin localhost:9102",
        "bookshop-host logs -f -n 5 payment",
        "bookshop-host logs host",
        "bookshop-host stop payment",
        "bookshop-host start-host beta",
        "bookshop-host restart-host beta --admin :9102",
        "bookshop-host call bookshop:shop/database.get \"k\" --stale-ok",
        "bookshop-host apply config/cluster.toml --dry-run --json --admin :9102",
        "bookshop-host apply config/cluster.toml --yes --accept-data-loss",
        "bookshop-host apply --revision 3 --no-wait",
        "bookshop-host control --json",
        "bookshop-host control --file 3",
        "bookshop-host swap fraud-detection v2.wasm --wait 30s --json",
        "bookshop-host rollback fraud-detection --no-wait",
        "bookshop-host versions fraud-detection --json",
        "bookshop-host group members database --json",
        "bookshop-host group transfer database --to gamma",
        "bookshop-host chaos partition alpha beta,gamma --for 10s",
        "bookshop-host chaos show --json --admin :9102",
        "bookshop-host wit sync --check",
        "bookshop-host certs init config/cluster.toml --data d --days 90",
        "bookshop-host certs issue config/cluster.toml reports --client",
        "bookshop-host certs rotate config/cluster.toml alpha beta --authority",
        "bookshop-host certs retire config/cluster.toml",
        "bookshop-host certs revoke config/cluster.toml beta",
        "bookshop-host certs show config/cluster.toml --json",
        "bookshop-host storage check config/cluster.toml --host beta --data d --json",
        "bookshop-host storage dump config/cluster.toml --host beta --service order-queue --entries --limit 5 --json",
        "bookshop-host config-keys limits",
        "bookshop-host compile-component a.wasm 00 a.cwasm",
    ] {
        accepted(line);
    }
}

#[test]
fn mistakes_are_usage_errors() {
    refused(
        "bookshop-host run",
        expect!["error: the following required arguments were not provided:"],
    );
    refused(
        "bookshop-host statu",
        expect!["error: unrecognized subcommand 'statu'"],
    );
    refused(
        "bookshop-host run a.toml --supervised",
        expect!["error: the following required arguments were not provided:"],
    );
    refused(
        "bookshop-host call suggest",
        expect![
            "error: invalid value 'suggest' for '<TARGET.FUNCTION>': write an interface or a service, a dot and a function, for example suggestions.suggest"
        ],
    );
    refused(
        "bookshop-host call a.b --timeout 5",
        expect![[
            r#"error: invalid value '5' for '--timeout <TIME>': "5" is not a duration; write a number with us, ms, s, min or h, for example "250ms""#
        ]],
    );
    refused(
        "bookshop-host stop Payment",
        expect![[
            r#"error: invalid value 'Payment' for '<SERVICE>': "Payment" is not a name; write lower-case letters, digits and single hyphens, a letter first, at most 63 characters, for example "payment""#
        ]],
    );
    refused(
        "bookshop-host certs issue c.toml alpha --days 0",
        expect!["error: invalid value '0' for '--days <DAYS>': 0 is not in 1..=3650"],
    );
    refused(
        "bookshop-host storage dump c.toml",
        expect!["error: the following required arguments were not provided:"],
    );
    refused(
        "bookshop-host status --admin alpha",
        expect![
            "error: invalid value 'alpha' for '--admin <ADDR>': write IP:PORT, for example 127.0.0.1:9101"
        ],
    );
}

#[test]
fn help_is_no_mistake() {
    let error = Cli::try_parse_from(["bookshop-host", "--help"]).expect_err("help");
    assert_eq!(
        (error.kind(), error.exit_code()),
        (ErrorKind::DisplayHelp, 0)
    );
}
