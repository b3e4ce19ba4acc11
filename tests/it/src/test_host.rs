//! One host in this process, with the services a test needs, and the questions tests ask it.

use crate::cluster::until;
use crate::paths;
use bookshop_host::admin;
use bookshop_host::certificates;
use bookshop_host::client::{CallOptions, Client, ClientError};
use bookshop_host::config::Config;
use bookshop_host::host::{self, Host, StartError};
use bookshop_host::os::Os;
use bookshop_host::os::network::TcpStream;
use bookshop_host::parent::Parent;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest that any answer of a host in a test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host, the outside it sees, and a client of it.
pub struct TestHost {
    pub host: Host,
    pub os: Os,
    pub client: Client,
    /// Where it keeps what lasts.
    folder: PathBuf,
}

/// The answer of a call: results as WAVE text, or the code and message of the failure.
pub type Called = Result<Vec<String>, Failure>;

/// Why a call, or a request to the admin interface, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

impl Failure {
    /// What the host answered. That it did not answer is not what tests are about.
    #[track_caller]
    pub fn of(error: ClientError) -> Self {
        match error {
            ClientError::Refused(error) => Self {
                code: error.code().to_owned(),
                message: error.to_string(),
            },
            ClientError::Rejected { code, message } => Self { code, message },
            ClientError::Connect { .. }
            | ClientError::Lost { .. }
            | ClientError::Timeout { .. }
            | ClientError::Arguments(_)
            | ClientError::Protocol { .. } => panic!("the host answers: {error}"),
        }
    }
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

/// Starts a host of a whole cluster file and asks it nothing.
pub async fn start(name: &str, file: &str) -> Result<(Host, Os), StartError> {
    let config = Config::parse(Path::new("test.toml"), file).expect("the configuration is right");
    let os = Os::real();
    certificates::prepare(&config, &os)?;
    let options = host::Options {
        config: Arc::new(config),
        name: name.to_owned(),
        program: paths::program(),
        parent: Parent::none(),
        restart: host::Restart::refused(),
        os: os.clone(),
    };
    Ok((host::start(options).await?, os))
}

impl TestHost {
    /// Starts a host with these sections.
    pub async fn start(services: &str) -> Self {
        Self::try_start(&paths::unique("host"), services)
            .await
            .expect("the host starts")
    }

    /// Starts a host that may fail to.
    pub async fn try_start(name: &str, services: &str) -> Result<Self, StartError> {
        Self::try_start_file(name, &cluster_file(name, services)).await
    }

    /// Starts a host of a whole cluster file, which may fail.
    pub async fn try_start_file(name: &str, file: &str) -> Result<Self, StartError> {
        let (host, os) = start(name, file).await?;
        let client = Client::connect(host.api, &os).await;
        Ok(Self {
            client: client.expect("the host listens"),
            host,
            os,
            folder: paths::data().join(name),
        })
    }

    /// One request to the admin interface.
    pub async fn admin(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, value) =
            admin::client::request(&self.os, self.host.admin, path, body, PATIENCE)
                .await
                .expect("the admin interface answers");
        if status.is_success() {
            return Ok(value);
        }
        let text = |key: &str| {
            value["error"][key]
                .as_str()
                .expect("errors have a code and a message")
                .to_owned()
        };
        Err(Failure {
            code: text("code"),
            message: text("message"),
        })
    }

    /// Calls a function, `TARGET.FUNCTION`, with arguments as WAVE text.
    pub async fn call(&self, function: &str, arguments: &[&str]) -> Called {
        self.call_with(function, arguments, &CallOptions::default())
            .await
    }

    /// [`call`](Self::call) with options.
    pub async fn call_with(
        &self,
        function: &str,
        arguments: &[&str],
        options: &CallOptions,
    ) -> Called {
        let (target, function) = function.rsplit_once('.').expect("TARGET.FUNCTION");
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let called = self
            .client
            .call_wave(target, function, &arguments, options)
            .await;
        let results = called.map_err(Failure::of)?;
        Ok(results.into_iter().map(|result| result.wave).collect())
    }

    /// What `status` says of a service.
    pub async fn service(&self, name: &str) -> Value {
        let status = self
            .admin("/v1/status", None)
            .await
            .expect("status answers");
        let services = status["services"].as_array().expect("services are a list");
        services
            .iter()
            .find(|service| service["name"] == name)
            .expect("the service is configured")
            .clone()
    }

    /// Lines of the log of a service.
    pub async fn log(&self, service: &str) -> Vec<String> {
        let log = self
            .admin(&format!("/v1/logs?service={service}"), None)
            .await
            .expect("the log answers");
        let lines = log["lines"].as_array().expect("lines are a list");
        lines
            .iter()
            .map(|line| {
                line["message"]
                    .as_str()
                    .expect("lines have a message")
                    .to_owned()
            })
            .collect()
    }

    /// Calls of a service that run, and that wait, on this host.
    pub async fn under_way(&self, service: &str) -> (u64, u64) {
        let status = self
            .admin("/v1/status?scope=host", None)
            .await
            .expect("status answers");
        let services = status["services"].as_array().expect("services are a list");
        let service = services
            .iter()
            .find(|part| part["name"] == service)
            .expect("the service is configured");
        let count = |key: &str| service[key].as_u64().expect("a count");
        (count("running"), count("waiting"))
    }

    /// Waits until so many calls of a service run and so many wait.
    pub async fn until_under_way(&self, service: &str, running: u64, waiting: u64) {
        let what = format!("{running} calls of {service} run and {waiting} wait");
        until(&what, async || {
            (self.under_way(service).await == (running, waiting)).then_some(())
        })
        .await;
    }

    /// Waits until a service is in a state; returns what `status` says of it.
    pub async fn until_state(&self, service: &str, state: &str) -> Value {
        let what = format!("{service} is {state}");
        until(&what, async || {
            Some(self.service(service).await).filter(|found| found["state"] == state)
        })
        .await
    }

    /// A connection to the HTTP side.
    pub async fn connect(&self) -> TcpStream {
        self.os
            .network
            .connect(self.host.http)
            .await
            .expect("the host listens")
    }

    /// Sends these bytes to the HTTP side and reads until the host closes. A reset is a close.
    pub async fn send_raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.expect("the host reads");
        read_raw(&mut stream).await
    }

    /// Sends these bytes to the HTTP side and reads the answer.
    pub async fn send(&self, request: &[u8]) -> Reply {
        Reply::parse(&self.send_raw(request).await)
    }

    /// `GET` of a path.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(
            format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await
    }

    /// Drains and stops. What the host kept is gone then.
    pub async fn stop(self) {
        assert_eq!(self.host.stop().await, 0, "no call was cut off");
        paths::remove_kept(&self.folder);
    }
}

async fn read_raw(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // What came before a reset is what counts.
    let _ = read.expect("the host answers in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An HTTP answer as it came over the wire.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    /// Chunks are left as they are.
    pub body: String,
}

impl Reply {
    /// Reads until the host closes.
    pub async fn read(stream: &mut TcpStream) -> Self {
        Self::parse(&read_raw(stream).await)
    }

    #[track_caller]
    fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.expect("a status line"),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// Code and message of an error.
    #[track_caller]
    pub fn error(&self) -> (String, String) {
        assert!(
            self.head.contains("content-type: application/json"),
            "{self:?}"
        );
        let value: Value =
            serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let text = |key: &str| {
            value["error"][key]
                .as_str()
                .expect("errors have a code and a message")
                .to_owned()
        };
        (text("code"), text("message"))
    }
}

/// A file with the component of a text file under tests/fixtures.
pub fn text_guest(name: &str) -> PathBuf {
    let text = paths::repository()
        .join("tests/fixtures")
        .join(format!("{name}.wat"));
    written(
        &format!("{name}.wasm"),
        &wat::parse_file(&text).expect("the fixture is valid"),
    )
}

/// A file of this test's own with these bytes.
pub fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = paths::data().join("guests");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(paths::unique("guest") + "-" + name);
    std::fs::write(&path, bytes).expect("the file can be written");
    path
}
