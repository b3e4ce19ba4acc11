//! `bookshop-host certs`: the cluster's certificate authority, and the certificates of its hosts and clients.
//!
//! Works on the folder alone: the cluster file is read for names and for where the folder is, and no host is asked.

use crate::certificates::{
    self, CertificateError, DAYS_DEFAULT, DAYS_MAX, Entry, Identity, Kind, Registrar, Role, State,
    Written,
};
use crate::cli::check;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Paint, Style};
use crate::cli::table::{Cell, Table};
use crate::config::{Config, HostName};
use crate::os::clock::sleep;
use crate::os::{Os, console};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Running hosts look at their files every second. After this long all of them have followed.
const HOSTS_WAIT: Duration = Duration::from_secs(3);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the cluster's authority, and a certificate for each host of the file
    #[command(
        after_help = "The key of the authority stays in the folder. Copy to each other machine: authority.pem, revoked.pem if\nthere is one, HOST.pem and HOST-key.pem of its host.\n\nExample:\n  bookshop-host certs init config/cluster.toml"
    )]
    Init(Init),
    /// Issue the certificate of one host or client
    #[command(
        after_help = "Examples:\n  bookshop-host certs issue config/cluster.toml delta\n  bookshop-host certs issue config/cluster.toml reports --client --days 90"
    )]
    Issue(Issue),
    /// Replace certificates and keys; running hosts follow within two seconds
    #[command(
        after_help = "An old certificate stays valid until it ends. If its key may be known to others, revoke it first.\nWith --authority, copy authority.pem to every other machine before the certificates it signed.\n\nExamples:\n  bookshop-host certs rotate config/cluster.toml\n  bookshop-host certs rotate config/cluster.toml alpha beta --days 90\n  bookshop-host certs rotate config/cluster.toml --authority && bookshop-host certs retire config/cluster.toml"
    )]
    Rotate(Rotate),
    /// Trust only the newest authority from now on
    #[command(after_help = "Example:\n  bookshop-host certs retire config/cluster.toml")]
    Retire(Retire),
    /// Revoke the current certificate of a host or client
    #[command(
        after_help = "Examples:\n  bookshop-host certs revoke config/cluster.toml beta\n  bookshop-host certs revoke config/cluster.toml reports --client"
    )]
    Revoke(Revoke),
    /// Show the certificates: of whom, until when, signed by whom
    #[command(
        after_help = "Examples:\n  bookshop-host certs show config/cluster.toml\n  bookshop-host certs show config/cluster.toml --json"
    )]
    Show(Show),
}

/// Which folder.
#[derive(Debug, Args)]
struct Place {
    /// The cluster file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keep everything here instead of where the cluster file says, as in `run`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How long.
#[derive(Debug, Args)]
struct Life {
    /// Days until the certificates end, at most as long as the authority lives
    #[arg(long, value_name = "DAYS", default_value_t = DAYS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    days: u32,
}

#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    life: Life,
}

#[derive(Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    place: Place,
    /// The host of the file, or with --client any name
    #[arg(value_name = "NAME", value_parser = str::parse::<HostName>)]
    name: HostName,
    /// For a program outside the cluster, which may use the api addresses
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    life: Life,
}

#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    place: Place,
    /// Only these; otherwise all hosts of the file, or with --client all clients
    #[arg(value_name = "NAME", value_parser = str::parse::<HostName>)]
    names: Vec<HostName>,
    /// Clients instead of hosts
    #[arg(long)]
    client: bool,
    /// Make a new authority first; the old ones stay trusted until `certs retire`
    #[arg(long)]
    authority: bool,
    #[command(flatten)]
    life: Life,
}

#[derive(Debug, Args)]
pub struct Retire {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    place: Place,
    /// The host or client
    #[arg(value_name = "NAME", value_parser = str::parse::<HostName>)]
    name: HostName,
    /// A client instead of a host
    #[arg(long)]
    client: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    place: Place,
    /// Print the certificates as JSON
    #[arg(long)]
    json: bool,
}

/// Does what one of the commands says.
///
/// # Errors
/// The cluster file is wrong, a name is not in it, or the folder does not allow it.
pub async fn run(command: Command, os: &Os) -> Result<(), Failure> {
    match command {
        Command::Init(arguments) => init(&arguments, os),
        Command::Issue(arguments) => issue(&arguments, os),
        Command::Rotate(arguments) => rotate(&arguments, os).await,
        Command::Retire(arguments) => retire(&arguments, os).await,
        Command::Revoke(arguments) => revoke(&arguments, os),
        Command::Show(arguments) => show(&arguments, os),
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::ReservedName { .. } => Self::usage(error.to_string()),
            error => Self::operation(&error),
        }
    }
}

impl Place {
    fn config(&self, os: &Os) -> Result<Config, Failure> {
        let mut config = check::read(&self.file, os)?;
        if let Some(data) = &self.data {
            config.keep_in(data);
        }
        Ok(config)
    }
}

fn registrar(config: &Config, os: &Os) -> Result<Registrar, Failure> {
    let folder = config.cluster.certificates_folder();
    Ok(Registrar::open(&folder, &config.cluster.name, os)?)
}

/// A host of the file or a client; a host that is not in the file is a mistake.
fn holder(config: &Config, name: &HostName, is_client: bool) -> Result<Identity, Failure> {
    let cluster = &config.cluster.name;
    if is_client {
        return Ok(Identity::client(cluster, name));
    }
    if config.host(name.as_str()).is_none() {
        let known: Vec<&str> = names(config).collect();
        return Err(Failure::usage(format!(
            "{} has no host {name}; it has {}; write --client for a program outside the cluster",
            config.path.display(),
            known.join(", ")
        )));
    }
    Ok(Identity::host(cluster, name))
}

fn names(config: &Config) -> impl Iterator<Item = &str> {
    config.hosts.iter().map(|host| host.name.as_str())
}

fn init(arguments: &Init, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let hosts: Vec<HostName> = config.hosts.iter().map(|host| host.name.clone()).collect();
    let folder = config.cluster.certificates_folder();
    Registrar::create(&folder, &config.cluster.name, os)?.init(&hosts, arguments.life.days)?;
    let known: Vec<&str> = names(&config).collect();
    Ok(output::line(&format!(
        "made an authority for cluster {} in {}, and certificates for {}",
        config.cluster.name,
        folder.display(),
        known.join(", ")
    ))?)
}

fn issue(arguments: &Issue, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let who = holder(&config, &arguments.name, arguments.client)?;
    let written = registrar(&config, os)?.issue(&who, arguments.life.days)?;
    report(&who, &written)
}

async fn rotate(arguments: &Rotate, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let holders = holders_to_rotate(arguments, &config, os)?;
    if arguments.authority {
        let name = registrar(&config, os)?.add_authority()?;
        output::line(&format!(
            "made {name}; the older authorities stay trusted until `bookshop-host certs retire {}`",
            config.path.display()
        ))?;
        console::line("waiting until running hosts trust it");
        // A host that already shows a certificate of the new authority must not meet one that does not trust it yet.
        sleep(os.clock.as_ref(), HOSTS_WAIT).await;
    }
    let registrar = registrar(&config, os)?;
    for who in &holders {
        report(who, &registrar.renew(who, arguments.life.days)?)?;
    }
    Ok(())
}

/// Known before anything is changed, so that a wrong name changes nothing.
fn holders_to_rotate(
    arguments: &Rotate,
    config: &Config,
    os: &Os,
) -> Result<Vec<Identity>, Failure> {
    let all_hosts = || config.hosts.iter().map(|host| host.name.clone()).collect();
    let clients = if arguments.client {
        registrar(config, os)?.holders(Role::Client)?
    } else {
        Vec::new()
    };
    let names: Vec<HostName> = match (arguments.names.is_empty(), arguments.client) {
        (false, _) => arguments.names.clone(),
        (true, false) => all_hosts(),
        (true, true) => return Ok(clients),
    };
    let mut holders = Vec::new();
    for name in &names {
        let who = holder(config, name, arguments.client)?;
        if arguments.client && !clients.contains(&who) {
            return Err(Failure::usage(format!(
                "client {name} has no certificate yet; run `bookshop-host certs issue {} {name} --client`",
                config.path.display()
            )));
        }
        holders.push(who);
    }
    Ok(holders)
}

async fn retire(arguments: &Retire, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    registrar(&config, os)?.retirable()?;
    console::line("waiting until running hosts show their newest certificates");
    // A host that still shows one of an old authority must not meet one that gave that authority up.
    sleep(os.clock.as_ref(), HOSTS_WAIT).await;
    let retired = registrar(&config, os)?.retire()?;
    Ok(output::line(&format!(
        "no longer trusted: {}",
        retired.join(", ")
    ))?)
}

fn revoke(arguments: &Revoke, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    // A host may have been taken out of the file before it is revoked, so any name will do.
    let cluster = &config.cluster.name;
    let who = if arguments.client {
        Identity::client(cluster, &arguments.name)
    } else {
        Identity::host(cluster, &arguments.name)
    };
    let is_new = registrar(&config, os)?.revoke(&who)?;
    let folder = config.cluster.certificates_folder();
    Ok(output::line(&if is_new {
        format!(
            "revoked the certificate of {who}; copy {} to every other machine",
            folder.join("revoked.pem").display()
        )
    } else {
        format!("the certificate of {who} was revoked before")
    })?)
}

fn report(who: &Identity, written: &Written) -> Result<(), Failure> {
    let Written { path, ends } = written;
    Ok(output::line(&format!(
        "issued {} to {who}, until {ends}",
        path.display()
    ))?)
}

fn show(arguments: &Show, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let folder = config.cluster.certificates_folder();
    let hosts: Vec<HostName> = config.hosts.iter().map(|host| host.name.clone()).collect();
    let entries = certificates::list(&folder, &config.cluster.name, &hosts, os)?;
    if arguments.json {
        return Ok(output::json(&entries)?);
    }
    Ok(output::line(&text(&folder, &entries, Style::of_stdout()))?)
}

fn text(folder: &Path, entries: &[Entry], style: Style) -> String {
    let mut table = Table::new(&["NAME", "ROLE", "NOT AFTER", "STATE", "SIGNED BY"]);
    for entry in entries {
        let paint = match entry.state {
            State::Good => Paint::Good,
            State::EndsSoon | State::Missing => Paint::Warn,
            State::Ended | State::Revoked | State::Untrusted | State::Unusable => Paint::Bad,
        };
        let unsigned = match entry.kind {
            Kind::Authority => "itself",
            Kind::Host | Kind::Client => "-",
        };
        table.row([
            entry.name.as_str().into(),
            entry.kind.name().into(),
            entry.not_after.as_deref().unwrap_or("-").into(),
            Cell::new(paint, entry.state.name()),
            entry.authority.as_deref().unwrap_or(unsigned).into(),
        ]);
    }
    let mut lines = table.lines(style);
    lines.push(format!("folder: {}", folder.display()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn entry(name: &str, kind: Kind, state: State) -> Entry {
        let is_signed = kind != Kind::Authority && state != State::Missing;
        Entry {
            name: name.into(),
            kind,
            not_after: (state != State::Missing).then(|| "2027-01-31".into()),
            authority: is_signed.then(|| "authority 0badcafe".into()),
            state,
        }
    }

    #[test]
    fn a_line_for_each_certificate() {
        let entries = [
            entry("authority 0badcafe", Kind::Authority, State::Good),
            entry("alpha", Kind::Host, State::EndsSoon),
            entry("beta", Kind::Host, State::Missing),
            entry("reports", Kind::Client, State::Revoked),
        ];
        expect![[r#"
            NAME                ROLE       NOT AFTER   STATE      SIGNED BY
            authority 0badcafe  authority  2027-01-31  good       itself
            alpha               host       2027-01-31  ends soon  authority 0badcafe
            beta                host       -           missing    -
            reports             client     2027-01-31  revoked    authority 0badcafe
            folder: data/certs"#]]
        .assert_eq(&text(Path::new("data/certs"), &entries, Style::PLAIN));
    }

    #[test]
    fn scripts_get_words_that_do_not_change() {
        let json = serde_json::to_string(&entry("reports", Kind::Client, State::EndsSoon));
        expect![[r#"{"name":"reports","role":"client","not_after":"2027-01-31","authority":"authority 0badcafe","state":"ends-soon"}"#]]
            .assert_eq(&json.expect("json"));
    }
}
