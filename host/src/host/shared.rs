//! What every thread of a host that makes or takes calls is made with.

use super::parts;
use super::serving::Doors;
use crate::api::Api;
use crate::certificates::Credentials;
use crate::chaos::Chaos;
use crate::config::{Config, HostName};
use crate::depot::SharedDepot;
use crate::dispatch::{Dispatch, FunctionName};
use crate::http::Front;
use crate::os::Os;
use crate::os::network::Accepted;
use crate::router::Router;
use crate::services::Services;
use crate::telemetry::Log;
use crate::transport::Refusals;
use crate::transport::incoming::Incoming;
use crate::transport::outgoing::Outgoing;
use crate::transport::peers::Peers;
use crate::transport::probe::Introducer;
use crate::transport::replicas::{self, Sources};
use crate::transport::wire::Wire;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;
/// What every thread that makes or takes calls shares with the others.
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) host: HostName,
    pub(super) services: Arc<Services>,
    pub(super) peers: Arc<Peers>,
    pub(super) credentials: Credentials,
    pub(super) chaos: Chaos,
    pub(super) introducer: Arc<Introducer>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) handle: Arc<FunctionName>,
    pub(super) replicas: Option<Sources>,
    pub(super) components: Option<SharedDepot>,
    pub(super) log: Log,
    pub(super) os: Os,
}

impl Shared {
    /// A router with connections of its own, for one thread.
    pub(super) fn router(&self) -> (Arc<Wire>, Arc<dyn Dispatch>) {
        let wire = Arc::new(Wire::new(
            Arc::clone(&self.peers),
            self.credentials.clone(),
            self.chaos.clone(),
            self.os.clone(),
        ));
        let outgoing = Outgoing::new(Arc::clone(&self.peers), Arc::clone(&wire), self.os.clone());
        let router = Router::new(Arc::clone(&self.services), outgoing, self.os.clone());
        (wire, Arc::new(router))
    }

    /// What connections of other hosts need on one thread, whose router is behind `dispatch`.
    pub(super) fn incoming(&self, dispatch: Arc<dyn Dispatch>) -> Arc<Incoming> {
        Arc::new(Incoming {
            services: Arc::clone(&self.services),
            dispatch,
            handle: Arc::clone(&self.handle),
            peers: Arc::clone(&self.peers),
            credentials: self.credentials.clone(),
            chaos: self.chaos.clone(),
            introducer: Arc::clone(&self.introducer),
            replicas: self.replicas.clone(),
            components: self.components.clone(),
            refusals: Arc::clone(&self.refusals),
            os: self.os.clone(),
        })
    }

    /// What the ways to other replicas are made with, on the thread of the groups, whose connections are `wire`.
    pub(super) fn replicas(
        &self,
        wire: Arc<Wire>,
        accepted: mpsc::Receiver<Accepted>,
        mut partners: BTreeSet<HostName>,
    ) -> replicas::Parts {
        partners.extend(replicas::partners(&self.config, &self.host));
        replicas::Parts {
            peers: Arc::clone(&self.peers),
            partners: partners.into_iter().collect(),
            wire,
            accepted,
            cluster: self.config.cluster.name.clone(),
            credentials: self.credentials.clone(),
            chaos: self.chaos.clone(),
            refusals: Arc::clone(&self.refusals),
            log: self.log.clone(),
            os: self.os.clone(),
        }
    }

    /// What one serving thread needs.
    pub(super) fn doors(&self) -> Doors {
        let (_, dispatch) = self.router();
        Doors {
            front: Arc::new(Front::new(
                parts::routes(&self.config, &self.host),
                Arc::clone(&dispatch),
                self.config.cluster.hops_max,
                self.os.clone(),
            )),
            api: Arc::new(Api::new(
                Arc::clone(&self.config),
                self.host.clone(),
                Arc::clone(&self.services),
                Arc::clone(&dispatch),
                self.os.clone(),
            )),
            incoming: self.incoming(dispatch),
            credentials: self.credentials.clone(),
            refusals: Arc::clone(&self.refusals),
            os: self.os.clone(),
        }
    }
}
