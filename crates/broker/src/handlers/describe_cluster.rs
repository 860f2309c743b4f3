//! `DescribeCluster` (key 60): the cluster's id, its brokers and its controller (KIP-700).
//!
//! - v1: brokers or controllers (KIP-919). v2: fenced brokers, if they are asked for (KIP-1073).
//!
//! Errors: MISMATCHED_ENDPOINT_TYPE for controllers, which are not told apart from brokers here, as by Kafka's brokers;
//! UNSUPPORTED_ENDPOINT_TYPE for anything else.

use ottla_protocol::ApiKey;
use ottla_protocol::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use ottla_types::ErrorCode;

use super::Api;
use super::seen::{CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::DescribeCluster,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body, &request.listener))
        })
    },
};

/// The endpoints of brokers.
const BROKERS: i8 = 1;
/// The endpoints of controllers.
const CONTROLLERS: i8 = 2;

fn handle(node: &Node, body: &DescribeClusterRequest, listener: &str) -> DescribeClusterResponse {
    match body.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refused(ErrorCode::MismatchedEndpointType, "this is an endpoint of a broker, not of a controller");
        }
        _ => return refused(ErrorCode::UnsupportedEndpointType, "endpoints are of type 1, brokers, or 2, controllers"),
    }
    let image = node.image();
    let shown = image.brokers().filter(|broker| !broker.fenced || body.include_fenced_brokers);
    let brokers: Vec<_> = shown
        .filter_map(|broker| {
            let endpoint = broker.endpoint(listener)?;
            Some(DescribeClusterBroker {
                broker_id: broker.id.0,
                host: endpoint.host.clone(),
                port: i32::from(endpoint.port),
                rack: broker.rack.clone(),
                is_fenced: broker.fenced,
            })
        })
        .collect();
    let controller_id = node.config().node_id.0;
    let is_shown = brokers.iter().any(|broker| broker.broker_id == controller_id);
    let asked = body.include_cluster_authorized_operations;
    DescribeClusterResponse {
        cluster_id: image.cluster_id().unwrap_or_default().to_owned(),
        controller_id: if is_shown { controller_id } else { -1 },
        brokers,
        cluster_authorized_operations: if asked { CLUSTER_OPERATIONS } else { OPERATIONS_NOT_ASKED },
        ..DescribeClusterResponse::default()
    }
}

fn refused(error: ErrorCode, message: &str) -> DescribeClusterResponse {
    let error_message = Some(message.to_owned());
    DescribeClusterResponse { error_code: error.raw(), error_message, ..DescribeClusterResponse::default() }
}
