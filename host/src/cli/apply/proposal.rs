//! A cluster file with its components, which may take the place of what is in force.

use crate::admin::registry::{Apply, Candidate, Done, Fits, Kept, Missing, Wanted};
use crate::cli::admin::Admin;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::{build, check};
use crate::component::Digest;
use crate::config::Config;
use crate::control::components::digests;
use crate::control::difference::{Change, Losses, Side, difference, refusals, summary};
use crate::control::registry::{Application, Component, Value};
use crate::os::{Os, console, process};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The host asks the leader, who may have to be elected, several things, and other hosts for each component.
const WITHIN: Duration = Duration::from_secs(60);
/// The largest component, and a disk that is slow to make it last.
const COMPONENT_WITHIN: Duration = Duration::from_secs(60);
/// What the registry keeps of a summary.
const SUMMARY_BYTES_MAX: usize = 2 << 10;
/// What it keeps of a name.
const BY_BYTES_MAX: usize = 128;

/// A file with the components that it names.
pub struct Proposal {
    /// The file, read.
    pub config: Config,
    text: String,
    components: Vec<Component>,
    /// Where components are that hosts may lack.
    files: BTreeMap<Digest, PathBuf>,
}

impl Proposal {
    /// The file at `path`, with the components that are built now.
    ///
    /// # Errors
    /// The file is wrong, or a component is missing.
    pub fn read(path: &Path, os: &Os) -> Result<Self, Failure> {
        let config = check::read(path, os)?;
        let bytes = os.disk.read(path);
        let bytes = bytes
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("{} is not UTF-8 text", path.display())))?;
        let target = build::target(&config);
        let components = digests(&config, &target, os);
        let components = components.map_err(|error| Failure::operation(&error))?;
        let path_of = |component: &Component| {
            let service = config.service(&component.service)?;
            Some((component.digest.clone(), service.wasm_path(&target)))
        };
        let files = components.iter().filter_map(path_of).collect();
        Ok(Self {
            config,
            text,
            components,
            files,
        })
    }

    /// What was in force before, with the components of then, which hosts keep.
    ///
    /// # Errors
    /// This version cannot read it.
    pub fn again(value: Value) -> Result<Self, Failure> {
        let path = PathBuf::from(format!("revision {}", value.revision));
        Ok(Self {
            config: Config::parse(&path, &value.config)?,
            text: value.config,
            components: value.components,
            files: BTreeMap::new(),
        })
    }

    /// What is in force with another component of one service, or another canary; `file` has the one with that digest, unless hosts have it.
    ///
    /// # Errors
    /// This version cannot read what is in force.
    pub fn with_component(
        value: Value,
        component: Component,
        file: Option<(Digest, PathBuf)>,
    ) -> Result<Self, Failure> {
        let mut proposal = Self::again(value)?;
        proposal.files.extend(file);
        let mut components = proposal.components.iter_mut();
        if let Some(before) = components.find(|it| it.service == component.service) {
            *before = component;
        }
        Ok(proposal)
    }

    /// Whether this says the same as what is in force, or was.
    #[must_use]
    pub fn is(&self, value: &Value) -> bool {
        self.text == value.config && self.components == value.components
    }

    /// What becomes another, if all of it can.
    ///
    /// # Errors
    /// Something cannot be changed while the cluster runs; each such thing with its place in the file.
    pub fn changes(&self, value: &Value, losses: Losses) -> Result<Vec<Change>, Failure> {
        // Read as if it were in the same place, so that relative paths mean the same.
        let before = Config::parse(&self.config.path, &value.config).map_err(|error| {
            Failure::failed(format!(
                "this version cannot read the file in force, revision {}; use the version that applied it: {error}",
                value.revision
            ))
        })?;
        let problems = refusals(&before, &self.config, &self.text, losses);
        if !problems.is_empty() {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(Failure::usage(lines.join("\n")));
        }
        let before = Side {
            config: &before,
            components: &value.components,
        };
        let after = Side {
            config: &self.config,
            components: &self.components,
        };
        Ok(difference(before, after))
    }

    /// Hands a host the components that it lacks; it passes them on.
    ///
    /// # Errors
    /// It does not take them, or one changed since this was read.
    async fn hand_over(&self, admin: &Admin, os: &Os) -> Result<(), Failure> {
        let named = self.components.iter().flat_map(Component::named);
        let digests: Vec<Digest> = named.map(|it| it.digest).collect();
        let path = "/v1/control/components/missing";
        let wanted = json!(Wanted { digests });
        let Missing { missing } = admin.post(os, path, &wanted, WITHIN).await?;
        for digest in &missing {
            // What is in no file here, other hosts may have; if not, the host says so.
            let Some(file) = self.files.get(digest) else {
                continue;
            };
            let bytes = os.disk.read(file).map_err(|error| {
                Failure::failed(format!("cannot read {}: {error}", file.display()))
            })?;
            let size = output::size(bytes.len() as u64);
            console::line(&format!("sending {} ({size})", file.display()));
            let kept: Kept = admin
                .hand_over(os, Bytes::from(bytes), COMPONENT_WITHIN)
                .await?;
            if kept.digest != *digest {
                return Err(Failure::failed(format!(
                    "{} changed meanwhile; nothing was applied, try again",
                    file.display()
                )));
            }
        }
        Ok(())
    }

    /// Hands the components over, and asks the host whether each that is another than in `current` could take the place of that one, if nothing else differs:
    /// what is more is tried as a whole.
    ///
    /// # Errors
    /// One could not, and why; or no host answers.
    pub async fn check_fits(&self, current: &Value, admin: &Admin, os: &Os) -> Result<(), Failure> {
        self.hand_over(admin, os).await?;
        let others = self
            .components
            .iter()
            .filter(|it| !current.components.contains(it));
        let others: Vec<&Component> = others.collect();
        if let ([other], true) = (others.as_slice(), self.text == current.config)
            && let Some(newest) = other.named().last()
        {
            let candidate = json!(Candidate {
                service: newest.service,
                digest: newest.digest,
            });
            let path = "/v1/control/fits";
            let _: Fits = admin.post(os, path, &candidate, WITHIN).await?;
        }
        Ok(())
    }

    /// Hands the components over and puts it in force in place of revision `base`; returns its own.
    ///
    /// # Errors
    /// No host answers, or it refuses.
    pub async fn put_in_force(
        self,
        base: u64,
        changes: &[Change],
        losses: Losses,
        admin: &Admin,
        os: &Os,
    ) -> Result<u64, Failure> {
        self.hand_over(admin, os).await?;
        let summary = match base {
            0 => "the first file".into(),
            _ => summary(changes, SUMMARY_BYTES_MAX),
        };
        let apply = Apply {
            application: Application {
                base,
                config: self.text,
                components: self.components,
                by: who(),
                summary,
            },
            accept_data_loss: losses == Losses::Accepted,
        };
        let path = "/v1/control/apply";
        let done: Done = admin.post(os, path, &json!(apply), WITHIN).await?;
        Ok(done.revision)
    }
}

/// The name of the user, for the history.
fn who() -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(process::variable);
    let name = named.unwrap_or_else(|| "operator".into());
    name[..name.floor_char_boundary(BY_BYTES_MAX)].to_owned()
}
