use super::*;
use clap::Parser;
use expect_test::{Expect, expect};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn parse(line: &str) -> Result<Command, String> {
    Cli::try_parse_from(std::iter::once("chaos").chain(line.split_whitespace()))
        .map(|cli| cli.command)
        .map_err(|error| error.to_string())
}

/// The request that a line becomes, or the first line of what is said of it.
#[track_caller]
fn check(line: &str, expected: Expect) {
    let request = |command| match command {
        Command::Partition(partition) => partition.request().map(|request| json!(request)),
        Command::Drop(loss) => loss.request().map(|request| json!(request)),
        Command::Delay(wait) => wait.request().map(|request| json!(request)),
        Command::Heal(heal) => heal.request().map(|request| json!(request)),
        Command::StopService(service) | Command::StartService(service) => {
            Ok(json!([service.service, service.host]))
        }
        Command::Show(_) => Ok(json!("show")),
    };
    let actual = match parse(line).map(request) {
        Ok(Ok(request)) => compact(&request),
        Ok(Err(failure)) => format!(
            "{} (exit code {})",
            failure.messages().join("\n"),
            failure.code()
        ),
        Err(error) => error.lines().next().unwrap_or_default().to_owned(),
    };
    expected.assert_eq(&actual);
}

/// Without what was left out, and links as arrows.
fn compact(request: &serde_json::Value) -> String {
    let mut parts = Vec::new();
    let Some(fields) = request.as_object() else {
        return request.to_string();
    };
    for link in fields["links"].as_array().into_iter().flatten() {
        let name = |end: &str| link[end].as_str().unwrap_or_default().to_owned();
        parts.push(format!("{}>{}", name("from"), name("to")));
    }
    let others = fields
        .iter()
        .filter(|(key, value)| *key != "links" && !value.is_null());
    parts.extend(others.map(|(key, value)| format!("{key}={value}")));
    parts.join(" ")
}

#[test]
fn a_partition_cuts_both_directions_between_the_sides_and_nothing_within() {
    check(
        "partition alpha beta,gamma --for 10s",
        expect!["alpha>beta beta>alpha alpha>gamma gamma>alpha drop_percent=100.0 for_ms=10000"],
    );
    check(
        "partition alpha beta",
        expect!["alpha>beta beta>alpha drop_percent=100.0"],
    );
}

#[test]
fn drops_and_delays_go_both_ways_unless_one_way() {
    check(
        "drop alpha beta 20%",
        expect!["alpha>beta beta>alpha drop_percent=20.0"],
    );
    check(
        "drop alpha beta 0.5% --one-way --for 1min --admin :9102",
        expect!["alpha>beta drop_percent=0.5 for_ms=60000"],
    );
    check(
        "delay alpha beta 50ms",
        expect!["alpha>beta beta>alpha delay_ms=50 jitter_ms=0"],
    );
    check(
        "delay alpha beta 50ms --jitter 20ms --one-way --for 500ms",
        expect!["alpha>beta delay_ms=50 for_ms=500 jitter_ms=20"],
    );
}

#[test]
fn healing_is_everywhere_or_between_two_sides() {
    check("heal", expect![""]);
    check("heal alpha beta", expect!["alpha>beta beta>alpha"]);
    check(
        "heal alpha",
        expect!["error: the following required arguments were not provided:"],
    );
    check(
        "heal alpha alpha",
        expect![
            "alpha is on both sides, and a host has no link to itself; name different hosts (exit code 2)"
        ],
    );
}

#[test]
fn services_are_stopped_on_one_host() {
    check(
        "stop-service fraud-detection beta",
        expect![[r#"["fraud-detection","beta"]"#]],
    );
    check(
        "start-service fraud-detection beta --admin 9102",
        expect![[r#"["fraud-detection","beta"]"#]],
    );
    check(
        "stop-service fraud-detection",
        expect!["error: the following required arguments were not provided:"],
    );
    check("show --json", expect![[r#""show""#]]);
}

#[test]
fn mistakes_say_what_to_write() {
    check(
        "drop alpha beta 20",
        expect![[
            r#"error: invalid value '20' for '<SHARE>': "20" is not a share of messages; write a number with a percent sign, for example 20%"#
        ]],
    );
    check(
        "drop alpha beta 101%",
        expect![
            "error: invalid value '101%' for '<SHARE>': 101% is out of range; write a share from 0% to 100%"
        ],
    );
    check(
        "delay alpha beta 50",
        expect![[
            r#"error: invalid value '50' for '<TIME>': "50" is not a duration; write a number with us, ms, s, min or h, for example "250ms""#
        ]],
    );
    check(
        "delay alpha beta 1500us",
        expect![[
            r#"error: invalid value '1500us' for '<TIME>': "1500us" is finer than a millisecond, and timers are not; write whole ones, for example "2ms""#
        ]],
    );
    check(
        "drop alpha alpha 20%",
        expect![
            "alpha is on both sides, and a host has no link to itself; name different hosts (exit code 2)"
        ],
    );
    check(
        "partition alpha,beta gamma,beta",
        expect![
            "beta is on both sides, and a host has no link to itself; name different hosts (exit code 2)"
        ],
    );
    check(
        "partition alpha beta,beta",
        expect!["error: invalid value 'beta,beta' for '<HOSTS>': beta is named twice; remove one"],
    );
    check(
        "partition alpha beta,,gamma",
        expect![[
            r#"error: invalid value 'beta,,gamma' for '<HOSTS>': "" is not a name; write lower-case letters, digits and single hyphens, a letter first, at most 63 characters, for example "fraud-detection""#
        ]],
    );
}
