//! The running daemon, over HTTP.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use shammah_protocol::ModelId;
use shammah_protocol::status::{ModelState, StatusReport};

use super::question::Question;
use super::reply::Reply;
use crate::identity::Running;
use crate::settings::Server;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Status and liveness take no permit: they answer at once or not at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a model that is loading is looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// A client of one daemon.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    http: reqwest::Client,
    key: Option<String>,
}

impl Client {
    /// A client of the daemon, with the first key of the settings if keys are required.
    ///
    /// # Errors
    /// If the system has no means for connections.
    pub(super) fn new(running: &Running, server: &Server) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT);
        let key = server.api_keys.first().filter(|_| server.auth_enabled).map(|key| key.expose().to_owned());
        Ok(Self { address: reachable(running.address), http: http.build()?, key })
    }

    /// Whether anyone answers at all.
    pub(super) async fn is_alive(&self) -> bool {
        self.sent(self.http.get(self.url("/livez")).timeout(PATIENCE)).await.is_ok()
    }

    /// `GET /v1/status` as it came.
    pub(super) async fn status_text(&self) -> anyhow::Result<String> {
        let response = self.answered(self.http.get(self.url("/v1/status")).timeout(PATIENCE)).await?;
        response.text().await.map_err(|error| self.lost(&error))
    }

    /// `GET /v1/status`.
    pub(super) async fn status(&self) -> anyhow::Result<StatusReport> {
        read_status(&self.status_text().await?)
    }

    /// Whether this model answers by default. Waits while the daemon loads its own.
    pub(super) async fn answers_with(&self, model: &ModelId) -> anyhow::Result<bool> {
        loop {
            let status = self.status().await?;
            match status.model {
                Some(own) => return Ok(own.id == model.as_str()),
                None if status.state == ModelState::Failed => return Ok(false),
                None => tokio::time::sleep(PERIOD).await,
            }
        }
    }

    /// Asks the question. Returns when the answer begins.
    pub(super) async fn ask(&self, question: &Question) -> anyhow::Result<Reply> {
        // Without a timeout: the daemon has its own for every wait.
        let request = self.http.post(self.url("/v1/chat/completions")).json(&question.body());
        Ok(Reply::new(self.answered(request).await?))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn answered(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = self.sent(request).await?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(refusal(response).await) }
    }

    async fn sent(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        request.send().await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &reqwest::Error) -> anyhow::Error {
        anyhow!("the daemon at http://{} does not answer: {}", self.address, cause(error))
    }
}

/// Reads `GET /v1/status`.
pub(super) fn read_status(text: &str) -> anyhow::Result<StatusReport> {
    serde_json::from_str(text).context("the daemon's status cannot be read; is the daemon of another version?")
}

/// What an error comes from: errors of connections name only their surroundings.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A daemon that listens on every address is reached on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The daemon's own words for an error.
async fn refusal(response: Response) -> anyhow::Error {
    let status = response.status();
    let body = response.json::<Value>().await.unwrap_or_default();
    match body.pointer("/error/message").and_then(Value::as_str) {
        Some(message) => anyhow!("{message}"),
        None => anyhow!("the daemon answers with HTTP status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_on_this_machine() {
        for (bound, reached) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.7:80", "10.0.0.7:80")] {
            assert_eq!(reachable(bound.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
