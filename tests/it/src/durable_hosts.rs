//! Hosts as processes of this test's own, without one that starts them again: killed and started when the test says so.

use crate::cluster::{Addresses, LINES_SHOWN, PATIENCE, kill, until, write_config_with};
use crate::paths;
use bookshop_host::admin;
use bookshop_host::call_error::CallError;
use bookshop_host::certificates;
use bookshop_host::client::{CallOptions, Client, ClientError};
use bookshop_host::config::Config;
use bookshop_host::os::Os;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Found again at once, also after a kill; and a checkpoint every second, so that kills meet some.
pub const KEYS: &str = "workers = 1\ndrain-timeout = \"5s\"\nprobe-interval = \"50ms\"\nprobe-timeout = \"2s\"\ncheckpoint-interval = \"1s\"\n";

/// The hosts of a cluster file.
pub struct Hosts {
    pub file: PathBuf,
    pub addresses: Vec<Addresses>,
    pub os: Os,
    processes: BTreeMap<&'static str, Child>,
    /// How often a host was killed.
    pub kills: u32,
}

/// What the hosts said belongs to a test that failed.
impl Drop for Hosts {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for host in &self.addresses {
            let log = self.log(host.name);
            let lines: Vec<&str> = log.lines().collect();
            let first = lines.len().saturating_sub(LINES_SHOWN);
            eprintln!("{} said:\n{}", host.name, lines[first..].join("\n"));
        }
    }
}

impl Hosts {
    /// Starts hosts with these names and services, and waits until all of them serve.
    pub async fn start(names: &[&'static str], sections: &str) -> Self {
        let mut hosts = Self::prepare(names, KEYS, sections);
        for name in names {
            hosts.launch(name);
        }
        for name in names {
            hosts.serves(name).await;
        }
        hosts
    }

    /// Everything that hosts with these names, keys and services need to be started.
    pub fn prepare(names: &[&'static str], keys: &str, sections: &str) -> Self {
        let (file, addresses) = write_config_with(names, keys, sections);
        let hosts = Self {
            file,
            addresses,
            os: Os::real(),
            processes: BTreeMap::new(),
            kills: 0,
        };
        let config = std::fs::read_to_string(&hosts.file).expect("it was written");
        let config = Config::parse(&hosts.file, &config).expect("the configuration is right");
        certificates::prepare(&config, &hosts.os).expect("certificates can be made");
        hosts
    }

    /// Starts a host, and does not wait.
    pub fn launch(&mut self, name: &'static str) {
        self.launch_with(name, &[]);
    }

    /// The same with flags.
    pub fn launch_with(&mut self, name: &'static str, flags: &[&str]) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file(name));
        let process = Command::new(paths::program())
            .arg("run")
            .arg(&self.file)
            .args(["--host", name])
            .args(flags)
            .stdin(Stdio::null())
            .stderr(log.expect("the folder is there"))
            .kill_on_drop(true)
            .spawn();
        let process = process.expect("the program starts");
        let earlier = self.processes.insert(name, process);
        assert!(earlier.is_none(), "{name} runs already");
    }

    /// Waits until a host runs all its services.
    pub async fn serves(&self, name: &str) {
        until(&format!("{name} serves"), async || {
            let status = self.status(name).await?;
            let services = status["services"].as_array()?;
            let is_up = |service: &Value| {
                matches!(service["state"].as_str(), Some("running" | "elsewhere"))
            };
            services.iter().all(is_up).then_some(())
        })
        .await;
    }

    /// What a host says of itself; none if it does not answer.
    pub async fn status(&self, name: &str) -> Option<Value> {
        let admin = self.address(name).admin;
        let path = "/v1/status?scope=host";
        let answer = admin::client::request(&self.os, admin, path, None, PATIENCE).await;
        answer.ok().map(|(_, status)| status)
    }

    /// Ends a host as a loss of power would end it, as far as its process goes.
    pub async fn kill(&mut self, name: &str) {
        let mut process = self.processes.remove(name).expect("the host runs");
        process.kill().await.expect("it can be killed");
        self.kills += 1;
    }

    /// The process of a host.
    pub fn pid(&self, name: &str) -> u32 {
        let process = self.processes.get(name).and_then(Child::id);
        process.expect("the host runs")
    }

    /// Whether a host was started here, and neither killed nor stopped since.
    pub fn runs(&self, name: &str) -> bool {
        self.processes.contains_key(name)
    }

    /// Kills a host and starts it again.
    pub async fn restart(&mut self, name: &'static str) {
        self.kill(name).await;
        self.launch(name);
        self.serves(name).await;
    }

    /// Lets a host finish what it does, and end.
    pub async fn stop(&mut self, name: &str) {
        let mut process = self.processes.remove(name).expect("the host runs");
        kill(process.id().expect("the host runs"), "TERM").await;
        let ended = tokio::time::timeout(PATIENCE, process.wait()).await;
        let status = ended
            .expect("it drains in time")
            .expect("it can be waited for");
        assert!(status.success(), "{name}: {status}: {}", self.log(name));
    }

    /// Stops all that run, and removes what hosts kept.
    pub async fn stop_all(mut self) {
        let running: Vec<&str> = self.processes.keys().copied().collect();
        for name in running {
            self.stop(name).await;
        }
        for host in &self.addresses {
            paths::remove_kept(&self.folder(host.name));
        }
    }

    /// Waits for a host that ends by itself; what it said last.
    pub async fn ended(&mut self, name: &str) -> String {
        let mut process = self.processes.remove(name).expect("the host was started");
        let ended = tokio::time::timeout(PATIENCE, process.wait()).await;
        let status = ended.expect("it ends").expect("it can be waited for");
        assert!(!status.success(), "{name} ended well: {}", self.log(name));
        let log = self.log(name);
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// The addresses of a host.
    pub fn address(&self, name: &str) -> &Addresses {
        let found = self.addresses.iter().find(|host| host.name == name);
        found.expect("the host is in the file")
    }

    /// The folder with what a host keeps.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.file.with_file_name("data").join(name)
    }

    /// Everything that the processes of a host said.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_file(name)).unwrap_or_default()
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.file.with_file_name(format!("{name}.txt"))
    }

    /// Calls `SERVICE.FUNCTION` at a host, which answers.
    pub async fn call(
        &self,
        at: &str,
        function: &str,
        arguments: &Value,
    ) -> Result<Value, CallError> {
        self.call_with(at, function, arguments, &CallOptions::default())
            .await
    }

    /// The same with options.
    pub async fn call_with(
        &self,
        at: &str,
        function: &str,
        arguments: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        match self.try_call(at, function, arguments, options).await {
            Ok(value) => Ok(value),
            Err(ClientError::Refused(error)) => Err(error),
            Err(error) => panic!("{at} did not answer: {error}\n{}", self.log(at)),
        }
    }

    /// The same at a host that may not be there.
    pub async fn try_call(
        &self,
        at: &str,
        function: &str,
        arguments: &Value,
        options: &CallOptions,
    ) -> Result<Value, ClientError> {
        let (service, function) = function.split_once('.').expect("SERVICE.FUNCTION");
        let client = Client::connect(self.address(at).api, &self.os).await?;
        client
            .call_json(service, function, arguments, options)
            .await
    }
}

/// Options of a call that has an idempotency key.
pub fn with_key(key: &str) -> CallOptions {
    CallOptions {
        idempotency_key: Some(key.into()),
        ..CallOptions::default()
    }
}
