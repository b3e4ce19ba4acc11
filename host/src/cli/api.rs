//! Talks to the api endpoint of a host on behalf of a command.

use crate::certificates::{self, Identity};
use crate::cli::admin::address;
use crate::cli::check;
use crate::cli::failure::Failure;
use crate::client::Client;
use crate::config::HostName;
use crate::os::Os;
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Which host to call through.
#[derive(Debug, Clone, Args)]
pub struct Api {
    /// Api address of the host to call through, on this machine
    #[arg(long = "api", value_name = "ADDR", default_value = "127.0.0.1:7201", value_parser = address)]
    address: SocketAddr,
    /// Cluster file, to call through a host of it on another machine
    #[arg(long, value_name = "FILE", requires_all = ["host", "client"], conflicts_with = "address")]
    cluster: Option<PathBuf>,
    /// That host
    #[arg(long, value_name = "NAME", requires = "cluster", value_parser = str::parse::<HostName>)]
    host: Option<HostName>,
    /// Whose certificate to show: a client's, made with `certs issue FILE NAME --client`
    #[arg(long = "as", id = "client", value_name = "NAME", requires = "cluster", value_parser = str::parse::<HostName>)]
    client: Option<HostName>,
}

impl Api {
    /// A connection to it.
    ///
    /// # Errors
    /// No host answers, or it is not to be trusted, or does not trust us.
    pub async fn connect(&self, os: &Os) -> Result<Client, Failure> {
        match (&self.cluster, &self.host, &self.client) {
            (Some(file), Some(host), Some(client)) => certified(file, host, client, os).await,
            (_, _, _) => Ok(Client::connect(self.address, os).await?),
        }
    }
}

async fn certified(
    file: &Path,
    host: &HostName,
    client: &HostName,
    os: &Os,
) -> Result<Client, Failure> {
    let config = check::read(file, os)?;
    let index = config
        .host_index(host.as_str())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let (cluster, address) = (&config.cluster.name, config.hosts[index].api);
    let tls =
        certificates::client_config(&config.cluster.certificates_folder(), cluster, client, os)
            .map_err(|error| Failure::operation(&error))?;
    let name = Identity::host(cluster, host).server_name();
    Ok(Client::connect_tls(address, tls, name, os).await?)
}
