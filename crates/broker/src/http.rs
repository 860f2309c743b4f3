//! The HTTP port for those who watch the broker: `/metrics`, `/health`, `/ready`. Nothing can be changed through it.
//!
//! It opens with the other ports, before anything is recovered, so that a long start can be told from a dead process. Its
//! connections are few and do not count among those of Kafka's listeners.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ottla_runtime::{Lane, Listener, Runtime, Socket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::metrics::scrape;
use crate::node::Node;

/// Connections that are served at a time; further ones wait.
const CONNECTIONS_MAX: usize = 32;
/// How long a peer may take for the head of a request, or leave its connection idle.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long accepting rests after it failed.
const REST: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
/// What Prometheus expects.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked; empty until the broker has started.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<OnceLock<Arc<Node>>>);

impl Watched {
    /// The broker has started.
    pub(crate) fn started(&self, node: Arc<Node>) {
        let first = self.0.set(node).is_ok();
        debug_assert!(first, "a broker starts once");
    }
}

/// Serves until `stop`.
pub(crate) async fn serve(listener: Box<dyn Listener>, watched: Watched, runtime: Runtime, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                let (watched, stop) = (watched.clone(), stop.clone());
                runtime.spawn(Lane::Data, async move {
                    let _permit = permit;
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = connection(socket, watched) => {}
                    }
                });
            }
            Err(error) => {
                debug!(%error, "cannot accept an HTTP connection");
                runtime.clock.sleep_until(runtime.clock.now() + REST).await;
            }
        }
    }
}

async fn connection(socket: Box<dyn Socket>, watched: Watched) {
    let answer = service_fn(|request: Request<Incoming>| {
        let watched = watched.clone();
        async move { Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &watched).await) }
    });
    let mut http = http1::Builder::new();
    let served =
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).serve_connection(TokioIo::new(socket), answer);
    if let Err(error) = served.await {
        debug!(%error, "an HTTP connection ended");
    }
}

async fn answer(method: &Method, path: &str, watched: &Watched) -> Response<Full<Bytes>> {
    let node = watched.0.get();
    if *method != Method::GET && *method != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
    }
    match (path, node) {
        ("/metrics", Some(node)) => response(StatusCode::OK, EXPOSITION, scrape(node).await),
        ("/metrics" | "/ready", None) => unavailable("starting"),
        ("/health", None) => response(StatusCode::OK, TEXT, "starting\n".to_owned()),
        ("/health", Some(node)) => match failure(node) {
            None => response(StatusCode::OK, TEXT, "ok\n".to_owned()),
            Some(why) => unavailable(&why),
        },
        ("/ready", Some(node)) if node.stop.is_cancelled() => unavailable("stopping"),
        ("/ready", Some(node)) => match failure(node) {
            None => response(StatusCode::OK, TEXT, "ok\n".to_owned()),
            Some(why) => unavailable(&why),
        },
        _ => response(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /health and /ready\n".to_owned()),
    }
}

/// Why the broker cannot go on.
fn failure(node: &Node) -> Option<String> {
    node.quorum.watch().borrow().stopped.as_ref().map(|fault| format!("the metadata quorum has stopped: {fault}"))
}

fn unavailable(why: &str) -> Response<Full<Bytes>> {
    response(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
