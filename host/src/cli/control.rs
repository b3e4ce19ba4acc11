//! `bookshop-host stop`, `start`, `stop-host`, `start-host` and `restart-host`.

use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{HostName, ServiceName};
use crate::os::Os;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// A drain may take as long as `cluster.drain-timeout` allows, which is at most an hour, and then some for the answer.
pub const DRAIN_WAIT: Duration = Duration::from_secs(3660);

#[derive(Debug, Args)]
pub struct Service {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    name: ServiceName,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Host {
    /// The host
    #[arg(value_name = "NAME", value_parser = str::parse::<HostName>)]
    name: HostName,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Deserialize)]
struct Done {
    message: String,
}

impl Service {
    /// Lets the service take no more calls.
    ///
    /// # Errors
    /// No host answers, or it refuses.
    pub async fn stop(self, os: &Os) -> Result<(), Failure> {
        post(&self.admin, &format!("/v1/services/{}/stop", self.name), os).await
    }

    /// Loads the service again.
    ///
    /// # Errors
    /// No host answers, or it refuses.
    pub async fn start(self, os: &Os) -> Result<(), Failure> {
        post(
            &self.admin,
            &format!("/v1/services/{}/start", self.name),
            os,
        )
        .await
    }
}

impl Host {
    /// Lets the host drain and end.
    ///
    /// # Errors
    /// No host answers, or it refuses.
    pub async fn stop(self, os: &Os) -> Result<(), Failure> {
        post(&self.admin, &format!("/v1/hosts/{}/stop", self.name), os).await
    }

    /// Starts the host.
    ///
    /// # Errors
    /// No host answers, or it refuses.
    pub async fn start(self, os: &Os) -> Result<(), Failure> {
        post(&self.admin, &format!("/v1/hosts/{}/start", self.name), os).await
    }

    /// Lets the host drain and begin anew in the same process.
    ///
    /// # Errors
    /// No host answers, or it refuses.
    pub async fn restart(self, os: &Os) -> Result<(), Failure> {
        post(&self.admin, &format!("/v1/hosts/{}/restart", self.name), os).await
    }
}

async fn post(admin: &Admin, path: &str, os: &Os) -> Result<(), Failure> {
    let done: Done = admin.post(os, path, &json!({}), DRAIN_WAIT).await?;
    Ok(output::line(&done.message)?)
}
