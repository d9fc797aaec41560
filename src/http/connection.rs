//! One connection: HTTP/1.1 with limits on time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use shammah_actors::{Handles, Serve, Shutdown};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::stall::StallGuard;
use crate::settings::Settings;

/// What the system buffers for a client that does not read: little, so that the turn notices.
const SEND_BUFFER: usize = 64 * 1024;

/// Speaks HTTP on the connections that the front door accepts.
#[derive(Debug)]
pub struct Http {
    routes: Router,
    shutdown: Shutdown,
    header_timeout: Duration,
    slow_client: Duration,
}

impl Http {
    /// HTTP as the settings say, in front of a tree.
    pub fn new(settings: &Settings, handles: Handles) -> Self {
        Self {
            shutdown: handles.shutdown.clone(),
            routes: super::routes(settings, handles),
            header_timeout: settings.server.header_timeout,
            slow_client: settings.turn.slow_client,
        }
    }
}

impl Serve for Http {
    fn serve(&self, stream: TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // Best effort: without it events are later or buffers larger, no more.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        let (routes, shutdown) = (self.routes.clone(), self.shutdown.clone());
        let (header_timeout, slow_client) = (self.header_timeout, self.slow_client);
        Box::pin(async move {
            let stream = TokioIo::new(StallGuard::new(stream, slow_client));
            let service = TowerToHyperService::new(routes);
            let mut protocol = http1::Builder::new();
            protocol.timer(TokioTimer::new()).header_read_timeout(header_timeout);
            let mut connection = pin!(protocol.serve_connection(stream, service));
            // One that comes while the server drains is served until the end: it is told so, or asks how far that is.
            let end = async {
                match shutdown.is_draining() {
                    true => shutdown.aborted().await,
                    false => shutdown.draining().await,
                }
            };
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = end => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        })
    }
}
