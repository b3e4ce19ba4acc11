//! `bookshop-host chaos …`: faults on the links of a running cluster.
//!
//! What is typed becomes one request; the host that is asked knows the names and passes it on. What can be judged without
//! them is judged here.

use crate::admin::chaos::{Healing, Injection, Link, Place};
use crate::chaos::Percent;
use crate::cli::admin::Admin;
use crate::cli::control::DRAIN_WAIT;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{HostName, ServiceName, duration};
use crate::os::Os;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sides::Side;
use std::time::Duration;

mod show;
mod sides;

#[cfg(test)]
mod tests;

/// The host that is asked gives the others two seconds.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Cut hosts off from others: no message passes between the two groups, in either direction
    #[command(
        after_help = "Examples:\n  bookshop-host chaos partition alpha beta,gamma\n  bookshop-host chaos partition alpha beta,gamma --for 10s"
    )]
    Partition(Partition),
    /// Let a share of the messages between hosts vanish
    #[command(
        after_help = "A share of 0% ends it.\n\nExamples:\n  bookshop-host chaos drop alpha beta 20%\n  bookshop-host chaos drop alpha beta,gamma 0.5% --one-way --for 10s"
    )]
    Drop(Loss),
    /// Let messages between hosts wait before they leave
    #[command(
        after_help = "A delay of 0ms ends it.\n\nExamples:\n  bookshop-host chaos delay alpha beta 50ms --jitter 20ms\n  bookshop-host chaos delay alpha beta 2s --one-way --for 1min"
    )]
    Delay(Wait),
    /// Stop a service on one host and leave it alone on the others
    #[command(
        after_help = "`chaos heal` does not start it again, `chaos start-service` does.\n\nExample:\n  bookshop-host chaos stop-service fraud-detection beta"
    )]
    StopService(Service),
    /// Start a service on one host
    #[command(after_help = "Example:\n  bookshop-host chaos start-service fraud-detection beta")]
    StartService(Service),
    /// End all drops, delays and partitions, or those between the hosts that are named
    #[command(
        after_help = "Examples:\n  bookshop-host chaos heal\n  bookshop-host chaos heal alpha beta,gamma"
    )]
    Heal(Heal),
    /// Show the links that have a fault
    #[command(
        after_help = "Examples:\n  bookshop-host chaos show\n  bookshop-host chaos show --json"
    )]
    Show(show::Arguments),
}

#[derive(Debug, Args)]
pub struct Partition {
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    lasting: Lasting,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Loss {
    #[command(flatten)]
    between: Between,
    /// The share of messages, for example 20% or 0.5%
    #[arg(value_name = "SHARE", value_parser = str::parse::<Percent>)]
    share: Percent,
    /// Only messages from the first to the second
    #[arg(long)]
    one_way: bool,
    #[command(flatten)]
    lasting: Lasting,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Wait {
    #[command(flatten)]
    between: Between,
    /// How long, at most 60s with the jitter
    #[arg(value_name = "TIME", value_parser = milliseconds)]
    time: u64,
    /// How much longer or shorter a message may wait, at random
    #[arg(long, value_name = "TIME", value_parser = milliseconds, default_value = "0ms")]
    jitter: u64,
    /// Only messages from the first to the second
    #[arg(long)]
    one_way: bool,
    #[command(flatten)]
    lasting: Lasting,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Service {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    service: ServiceName,
    /// The host
    #[arg(value_name = "HOST", value_parser = str::parse::<HostName>)]
    host: HostName,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
pub struct Heal {
    /// A host, or several with commas between them; everywhere if left out
    #[arg(value_name = "HOSTS", value_parser = str::parse::<Side>, requires = "other")]
    one: Option<Side>,
    /// The hosts at the other ends
    #[arg(value_name = "HOSTS", value_parser = str::parse::<Side>)]
    other: Option<Side>,
    #[command(flatten)]
    admin: Admin,
}

/// The links between two groups of hosts.
#[derive(Debug, Args)]
pub struct Between {
    /// A host, or several with commas between them
    #[arg(value_name = "HOSTS", value_parser = str::parse::<Side>)]
    one: Side,
    /// The hosts at the other ends
    #[arg(value_name = "HOSTS", value_parser = str::parse::<Side>)]
    other: Side,
}

#[derive(Debug, Args)]
pub struct Lasting {
    /// End it after this time; without it, it lasts until `chaos heal`
    #[arg(long = "for", value_name = "TIME", value_parser = milliseconds)]
    for_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Done {
    message: String,
}

/// Carries out the command.
///
/// # Errors
/// No host answers, or it refuses; what was typed makes no sense.
pub async fn run(command: &Command, os: &Os) -> Result<(), Failure> {
    match command {
        Command::Partition(partition) => {
            post(&partition.admin, os, "/v1/chaos", &partition.request()?).await
        }
        Command::Drop(loss) => post(&loss.admin, os, "/v1/chaos", &loss.request()?).await,
        Command::Delay(wait) => post(&wait.admin, os, "/v1/chaos", &wait.request()?).await,
        Command::StopService(service) => service.post(os, "stop").await,
        Command::StartService(service) => service.post(os, "start").await,
        Command::Heal(heal) => post(&heal.admin, os, "/v1/chaos/heal", &heal.request()?).await,
        Command::Show(arguments) => show::run(arguments, os).await,
    }
}

impl Partition {
    fn request(&self) -> Result<Injection, Failure> {
        Ok(Injection {
            drop_percent: Some(Percent::ALL),
            ..injection(self.between.links(false)?, &self.lasting)
        })
    }
}

impl Loss {
    fn request(&self) -> Result<Injection, Failure> {
        Ok(Injection {
            drop_percent: Some(self.share),
            ..injection(self.between.links(self.one_way)?, &self.lasting)
        })
    }
}

impl Wait {
    fn request(&self) -> Result<Injection, Failure> {
        Ok(Injection {
            delay_ms: Some(self.time),
            jitter_ms: Some(self.jitter),
            ..injection(self.between.links(self.one_way)?, &self.lasting)
        })
    }
}

impl Heal {
    fn request(&self) -> Result<Healing, Failure> {
        let links = match (&self.one, &self.other) {
            (Some(one), Some(other)) => Some(sides::links(one, other, false)?),
            // The parser lets nobody name one side only.
            (None | Some(_), _) => None,
        };
        Ok(Healing { links })
    }
}

impl Between {
    fn links(&self, is_one_way: bool) -> Result<Vec<Link>, Failure> {
        sides::links(&self.one, &self.other, is_one_way)
    }
}

impl Service {
    async fn post(&self, os: &Os, verb: &str) -> Result<(), Failure> {
        let path = format!("/v1/chaos/services/{}/{verb}", self.service);
        let place = Place {
            host: self.host.to_string(),
        };
        let done: Done = self
            .admin
            .post(os, &path, &json!(place), DRAIN_WAIT)
            .await?;
        Ok(output::line(&done.message)?)
    }
}

fn injection(links: Vec<Link>, lasting: &Lasting) -> Injection {
    Injection {
        links,
        drop_percent: None,
        delay_ms: None,
        jitter_ms: None,
        for_ms: lasting.for_ms,
    }
}

/// A length of time as the admin interface takes it.
fn milliseconds(text: &str) -> Result<u64, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    if time.subsec_nanos() % 1_000_000 > 0 {
        let example = duration::format(Duration::from_millis(crate::chaos::milliseconds(time)));
        return Err(format!(
            "{text:?} is finer than a millisecond, and timers are not; write whole ones, for example {example:?}"
        ));
    }
    // What is too long for the number is refused as too long anyway.
    Ok(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

async fn post(admin: &Admin, os: &Os, path: &str, request: &impl Serialize) -> Result<(), Failure> {
    let done: Done = admin.post(os, path, &json!(request), WITHIN).await?;
    Ok(output::line(&done.message)?)
}
