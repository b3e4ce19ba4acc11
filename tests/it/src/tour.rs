//! The tour of the README, typed as it stands there.
//!
//! Uses the ports of config/cluster.toml, so it does not run beside a bookshop that is already up.

use crate::cluster::until;
use crate::paths;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// One line of a shell block and what its output has to contain.
struct Step {
    command: String,
    expected: Option<String>,
}

/// Commands of the ```sh blocks between the tour's heading and the next one.
fn steps(readme: &str) -> Vec<Step> {
    let tour = readme
        .split("## A five-minute tour")
        .nth(1)
        .expect("the README has a tour");
    let tour = tour.split("\n## ").next().expect("the tour ends");
    let blocks = tour
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap_or_default());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.is_empty());
    let step = |line: &str| match line.split_once("  # → ") {
        Some((command, expected)) => Step {
            command: command.to_owned(),
            expected: Some(expected.to_owned()),
        },
        None => Step {
            command: line.to_owned(),
            expected: None,
        },
    };
    lines.map(step).collect()
}

/// The last lines of a file.
fn end_of(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[tokio::test]
async fn every_command_of_the_tour_does_what_the_readme_says() {
    let root = paths::repository();
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    assert!(readme.contains("cargo run --release -- run config/cluster.toml"));
    let steps = steps(&readme);
    assert!(steps.len() >= 10, "the tour has {} commands", steps.len());
    let path = format!(
        "{}:{}",
        paths::target().join("release").display(),
        std::env::var("PATH").expect("there is a path")
    );
    // What the hosts say is shown if a step fails, and then only its end.
    let log = paths::target().join("tour.log");
    let stdout = std::fs::File::create(&log).expect("a file can be made");
    let stderr = stdout.try_clone().expect("it is open");
    // What `cargo run --release --` runs, without asking cargo to build in the middle of its own test.
    let mut host = Command::new(paths::program())
        .args(["run", "config/cluster.toml"])
        .current_dir(&root)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let shell = async |command: &str| {
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(&root)
            .env("PATH", &path)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), output)
            .await
            .expect("it ends");
        output.expect("bash is a program")
    };
    until("the bookshop is up", async || {
        shell("curl -sf localhost:8080/ localhost:8081/ localhost:8082/")
            .await
            .status
            .success()
            .then_some(())
    })
    .await;
    for step in steps {
        let command = step.command.replace(
            "target/wasm32-wasip2",
            &paths::target().join("wasm32-wasip2").display().to_string(),
        );
        let output = shell(&command).await;
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let hosts = || end_of(&log);
        let status = output.status;
        assert!(status.success(), "{command}\n{status}\n{said}\n{}", hosts());
        if let Some(expected) = &step.expected {
            assert!(
                said.contains(expected),
                "{command}\nhas no {expected:?} in\n{said}\n{}",
                hosts()
            );
        }
    }
    crate::cluster::kill(host.id().expect("it runs"), "TERM").await;
    assert!(host.wait().await.expect("it ends").success());
}
