//! One host in this process, with the services a test needs, and the questions tests ask it.

use crate::paths;
use bookshop_host::admin::client;
use bookshop_host::config::Config;
use bookshop_host::host::{self, Host, StartError};
use bookshop_host::os::Os;
use bookshop_host::parent::Parent;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest that any answer of a host in a test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host and the outside it sees.
pub struct TestHost {
    pub host: Host,
    pub os: Os,
}

/// The answer of a call: results as WAVE text, or the code and message of the failure.
pub type Called = Result<Vec<String>, Failure>;

/// Why a request to the admin interface failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// A cluster file with one host named `name` on free ports.
pub fn cluster_file(name: &str, services: &str) -> String {
    format!(
        r#"
[cluster]
name = "test"
data = "{}"
workers = 1
drain-timeout = "2s"

[[host]]
name = "{name}"
http = "127.0.0.1:0"
peer = "127.0.0.1:0"
api = "127.0.0.1:0"
admin = "127.0.0.1:0"

{services}
"#,
        paths::data().display()
    )
}

/// A service section. `more` is further keys of it.
pub fn service(name: &str, wasm: &Path, more: &str) -> String {
    format!("[service.{name}]\nwasm = \"{}\"\n{more}\n", wasm.display())
}

impl TestHost {
    /// Starts a host with these sections.
    pub async fn start(services: &str) -> Self {
        Self::try_start(&paths::unique("host"), services).await.expect("the host starts")
    }

    /// Starts a host that may fail to.
    pub async fn try_start(name: &str, services: &str) -> Result<Self, StartError> {
        let config = Config::parse(Path::new("test.toml"), &cluster_file(name, services)).expect("the configuration is right");
        let os = Os::real();
        let options = host::Options { config: Arc::new(config), name: name.to_owned(), program: paths::program(), parent: Parent::none(), os: os.clone() };
        Ok(Self { host: host::start(options).await?, os })
    }

    /// One request to the admin interface.
    pub async fn admin(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, value) = client::request(&self.os, self.host.admin, path, body, PATIENCE).await.expect("the admin interface answers");
        if status.is_success() {
            return Ok(value);
        }
        let text = |key: &str| value["error"][key].as_str().expect("errors have a code and a message").to_owned();
        Err(Failure { code: text("code"), message: text("message") })
    }

    /// Calls a function with arguments as WAVE text.
    pub async fn call(&self, function: &str, arguments: &[&str]) -> Called {
        let answer = self.admin("/v1/call", Some(&json!({ "function": function, "arguments": arguments }))).await?;
        let results = answer["results"].as_array().expect("results are a list");
        Ok(results.iter().map(|result| result["wave"].as_str().expect("results are text").to_owned()).collect())
    }

    /// What `status` says of a service.
    pub async fn service(&self, name: &str) -> Value {
        let status = self.admin("/v1/status", None).await.expect("status answers");
        let services = status["services"].as_array().expect("services are a list");
        services.iter().find(|service| service["name"] == name).expect("the service is configured").clone()
    }

    /// Lines of the log of a service.
    pub async fn log(&self, service: &str) -> Vec<String> {
        let log = self.admin(&format!("/v1/logs?service={service}"), None).await.expect("the log answers");
        let lines = log["lines"].as_array().expect("lines are a list");
        lines.iter().map(|line| line["message"].as_str().expect("lines have a message").to_owned()).collect()
    }

    /// Drains and stops.
    pub async fn stop(self) {
        assert_eq!(self.host.stop().await, 0, "no call was cut off");
    }
}

/// A file with the component of a text file under tests/fixtures.
pub fn text_guest(name: &str) -> PathBuf {
    let text = paths::repository().join("tests/fixtures").join(format!("{name}.wat"));
    written(&format!("{name}.wasm"), &wat::parse_file(&text).expect("the fixture is valid"))
}

/// A file of this test's own with these bytes.
pub fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = paths::data().join("guests");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(paths::unique("guest") + "-" + name);
    std::fs::write(&path, bytes).expect("the file can be written");
    path
}
