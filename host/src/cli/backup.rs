//! `bookshop-host backup`: the state of replicated services into one file, while they serve.

use crate::admin::groups::GroupPart;
use crate::admin::groups::snapshots::{ChunkAsked, ChunkPart, Kept};
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::progress::{Console, Progress};
use crate::config::ServiceName;
use crate::groups::backup::{BackupError, FORMAT, Header, Pairs, Section, Total, Writer};
use crate::os::Os;
use crate::os::clock::sleep;
use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A host asks another one for a state, which waits for a majority.
const WITHIN: Duration = Duration::from_secs(15);
/// How often a service is begun again that has no leader, or whose leader goes away at that moment: an election takes less.
const TRIES_MAX: u32 = 5;
const TRY_PAUSE: Duration = Duration::from_millis(500);
/// How often it is said how far a large service is, in bytes.
const SAY_EVERY: u64 = 64 << 20;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The file to write; there must be none
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only these services; otherwise all that are replicated
    #[arg(value_name = "SERVICE", value_parser = str::parse::<ServiceName>)]
    services: Vec<ServiceName>,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Deserialize)]
struct Status {
    cluster: String,
    #[serde(default)]
    groups: Vec<GroupPart>,
}

/// What was written of a service.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    #[serde(flatten)]
    pub section: Section,
    #[serde(flatten)]
    pub total: Total,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Self::operation(&error)
    }
}

/// Writes it.
///
/// # Errors
/// No host answers, a service has no leader, or the file cannot be written.
pub async fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let status: Status = arguments.admin.get(os, "/v1/status", WITHIN).await?;
    let known = status.groups.into_iter().map(|group| group.service);
    let services: Vec<String> = if arguments.services.is_empty() {
        known.collect()
    } else {
        arguments.services.iter().map(ToString::to_string).collect()
    };
    if services.is_empty() {
        return Err(Failure::failed(
            "no service of the cluster keeps a replicated state",
        ));
    }
    if os.blocks.open(&arguments.file).is_ok() {
        return Err(Failure::usage(format!(
            "{} is there already; name another file",
            arguments.file.display()
        )));
    }
    let header = Header {
        format: FORMAT,
        cluster: status.cluster,
        begun_ms: u64::try_from(os.clock.wall().as_millis()).unwrap_or(u64::MAX),
        services,
    };
    // Under another name until it is whole.
    let part = part_of(&arguments.file);
    // What is left of one that was broken off.
    let _ = os.blocks.remove(&part);
    let written = write_all(&part, &header, arguments, os).await;
    let (bytes, written) = written.inspect_err(|_| {
        let _ = os.blocks.remove(&part);
    })?;
    let folder = arguments.file.parent().unwrap_or(Path::new("."));
    let renamed = os.blocks.rename(&part, &arguments.file);
    let renamed = renamed.and_then(|()| os.blocks.sync_folder(folder));
    renamed.map_err(|error| {
        let file = arguments.file.display();
        Failure::failed(format!("cannot give {file} its name: {error}"))
    })?;
    if arguments.json {
        return Ok(output::json(&json!({
            "file": arguments.file,
            "cluster": header.cluster,
            "bytes": bytes,
            "services": written,
        }))?);
    }
    Ok(output::line(&format!(
        "{} has {} in {bytes} bytes",
        arguments.file.display(),
        header.services.join(", ")
    ))?)
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

async fn write_all(
    part: &Path,
    header: &Header,
    arguments: &Arguments,
    os: &Os,
) -> Result<(u64, Vec<Written>), Failure> {
    let mut writer = Writer::create(os.blocks.as_ref(), part, header)?;
    let console = Console::default();
    let mut written = Vec::new();
    for service in &header.services {
        let one = write(&mut writer, service, arguments, &console, os).await?;
        console.say(&format!(
            "{service}: {} keys and values as of entry {}",
            one.total.pairs, one.section.index
        ));
        written.push(one);
    }
    Ok((writer.finish()?, written))
}

/// Writes one service, all of it as of one entry.
async fn write(
    writer: &mut Writer,
    service: &str,
    arguments: &Arguments,
    console: &Console,
    os: &Os,
) -> Result<Written, Failure> {
    let mut tries = 0;
    // Until the first part is there another state does as well.
    let (kept, mut part) = loop {
        match begin(service, arguments, os).await {
            Ok(begun) => break begun,
            Err(failure) if tries >= TRIES_MAX => return Err(failure),
            Err(_) => {
                tries += 1;
                sleep(os.clock.as_ref(), TRY_PAUSE).await;
            }
        }
    };
    let section = Section {
        service: service.to_owned(),
        index: kept.index,
        term: kept.term,
        members: kept.members.clone(),
    };
    writer.section(&section)?;
    let (mut bytes, mut said) = (0, 0);
    loop {
        let pairs = decode(&part, service)?;
        let after = pairs.last().map(|(key, _)| hex::encode(key));
        let lengths = pairs.iter().map(|(key, value)| key.len() + value.len());
        bytes += lengths.sum::<usize>() as u64;
        writer.pairs(&pairs)?;
        if part.is_last {
            break;
        }
        if bytes - said >= SAY_EVERY {
            said = bytes;
            console.say(&format!("{service}: {} MiB", bytes >> 20));
        }
        part = chunk(service, &kept, after, arguments, os).await?;
    }
    let total = writer.total()?;
    Ok(Written { section, total })
}

async fn begin(
    service: &str,
    arguments: &Arguments,
    os: &Os,
) -> Result<(Kept, ChunkPart), Failure> {
    let path = format!("/v1/groups/{service}/backup");
    let kept: Kept = arguments.admin.post(os, &path, &json!({}), WITHIN).await?;
    let part = chunk(service, &kept, None, arguments, os).await?;
    Ok((kept, part))
}

async fn chunk(
    service: &str,
    kept: &Kept,
    after: Option<String>,
    arguments: &Arguments,
    os: &Os,
) -> Result<ChunkPart, Failure> {
    let path = format!("/v1/groups/{service}/chunk");
    let asked: Value = json!(ChunkAsked {
        host: kept.host.clone(),
        index: kept.index,
        after,
    });
    arguments.admin.post(os, &path, &asked, WITHIN).await
}

fn decode(part: &ChunkPart, service: &str) -> Result<Pairs, Failure> {
    let pair = |(key, value): &(String, String)| -> Result<(Bytes, Bytes), hex::FromHexError> {
        Ok((hex::decode(key)?.into(), hex::decode(value)?.into()))
    };
    let pairs: Result<Pairs, _> = part.pairs.iter().map(pair).collect();
    pairs.map_err(|error| {
        Failure::failed(format!(
            "the host sent a part of {service} that cannot be read: {error}"
        ))
    })
}
