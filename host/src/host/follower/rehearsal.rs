//! A value before it is taken up: whether this host could run it.

use super::{Follower, Unfit};
use crate::config::{self, Config};
use crate::host::{listening, parts};
use crate::os::listeners::Listeners;
use crate::services::Services;
use crate::supervisor::{self, chain};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Follower {
    /// Compiles what is not compiled yet, and loads and links all services, those of other hosts too, while this one serves.
    pub(super) async fn rehearse(&self, config: Config) -> Result<(), Unfit> {
        self.try_addresses(&config)?;
        let config = Arc::new(config);
        let engine = |error: String| Unfit::Engine(error);
        // Made for the limits of the new services.
        let (for_these, _ticker) =
            parts::engine(&config, &self.host, &self.log).map_err(|error| engine(chain(&error)))?;
        let slots = parts::slots(&config, &self.host, &BTreeMap::new(), &self.log, &self.os);
        let rehearsal = supervisor::Options {
            config,
            host: self.host.clone(),
            engine: for_these,
            compiler: self.compiler.clone(),
            services: Arc::new(Services::new(slots)),
            log: self.log.clone(),
            os: self.os.clone(),
        };
        let failed = supervisor::rehearse(rehearsal).await;
        let failed = failed.map_err(|error| engine(format!("{error:#}")))?;
        let misfits = self.supervisor.misfits().await?;
        let is_new = |(name, _): &(Arc<str>, String)| !misfits.contains(name);
        let said = failed.into_iter().filter(is_new);
        let said: Vec<String> = said
            .map(|(name, reason)| format!("service {name}: {reason}"))
            .collect();
        if said.is_empty() {
            return Ok(());
        }
        Err(Unfit::Services(said))
    }

    /// Whether this host can listen where it does not listen yet.
    fn try_addresses(&self, config: &Config) -> Result<(), Unfit> {
        let name = self.host.as_str();
        let (Some(now), Some(next)) = (self.config.host(name), config.host(name)) else {
            return Ok(());
        };
        let addresses = |host: &config::Host| {
            [
                ("http", host.http),
                ("peer", host.peer),
                ("api", host.api),
                ("admin", host.admin),
            ]
        };
        let own = addresses(now).map(|(_, address)| address);
        let others = addresses(next);
        let others = others.iter().filter(|(_, address)| !own.contains(address));
        for (key, address) in others {
            // Closed again at once.
            let mut held = Listeners::default();
            listening::listen(&self.os, name, key, *address, &mut held).map_err(Box::new)?;
        }
        Ok(())
    }
}
