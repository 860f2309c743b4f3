//! A member of a classic group.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::request::{JoinGroup, Protocol, RequestId};

/// A member, under its id in the group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) instance: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    /// The ways of assignment that it knows, the most wanted first; no name twice.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// Its JoinGroup, while it waits for the round to end.
    pub(super) joining: Option<RequestId>,
    /// Its SyncGroup, while it waits for the leader.
    pub(super) syncing: Option<RequestId>,
    /// Whether it has not been answered since it came.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn new(request: &JoinGroup) -> Self {
        Self {
            instance: request.instance.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            protocols: distinct(&request.protocols),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
        }
    }

    /// Takes over what a later JoinGroup says.
    pub(super) fn update(&mut self, request: &JoinGroup) {
        self.protocols = distinct(&request.protocols);
        self.session_timeout = request.session_timeout;
        self.rebalance_timeout = request.rebalance_timeout;
    }

    /// Whether a JoinGroup says what is known already.
    pub(super) fn says(&self, request: &JoinGroup) -> bool {
        self.protocols == distinct(&request.protocols)
    }

    pub(super) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|known| &*known.name == protocol)
    }

    /// What it says about a way of assignment.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|known| &*known.name == protocol);
        known.map(|known| known.metadata.clone()).unwrap_or_default()
    }
}

/// The protocols without those whose name came before.
fn distinct(protocols: &[Protocol]) -> Vec<Protocol> {
    let is_first = |index: usize, name: &Arc<str>| protocols[..index].iter().all(|before| before.name != *name);
    let firsts = protocols.iter().enumerate().filter(|(index, protocol)| is_first(*index, &protocol.name));
    firsts.map(|(_, protocol)| protocol.clone()).collect()
}
