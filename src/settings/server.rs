//! `[server]`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::ByteSize;
use super::models::UnknownName;

/// The front door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub enabled: bool,
    pub bind_address: SocketAddr,
    pub max_sessions: usize,
    pub session_timeout_minutes: u64,
    #[serde(with = "duration")]
    pub session_cleanup_interval: Duration,
    pub auth_enabled: bool,
    #[serde(deserialize_with = "read_keys")]
    pub api_keys: Vec<ApiKey>,
    pub max_connections: usize,
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    pub body_limit: ByteSize,
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    #[serde(with = "duration")]
    pub ping_interval: Duration,
}

impl Server {
    /// How long a session may be idle.
    pub fn session_timeout(&self) -> Duration {
        Duration::from_secs(self.session_timeout_minutes.saturating_mul(60))
    }

    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        self.bind_address.ip().is_loopback()
    }

    /// What `models.unknown` comes to at this address: never [`UnknownName::Auto`].
    pub fn resolve(&self, unknown: UnknownName) -> UnknownName {
        match unknown {
            UnknownName::Auto if self.is_loopback() => UnknownName::Default,
            UnknownName::Auto => UnknownName::Refuse,
            decided => decided,
        }
    }
}

/// A secret: neither shown nor written.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ApiKey(String);

impl ApiKey {
    const MASK: &str = "********";

    /// The key itself, to be compared or hashed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::MASK)
    }
}

impl Serialize for ApiKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::MASK)
    }
}

/// A list, or one text with commas: the environment and flags have no lists.
fn read_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ApiKey>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of texts")]
    enum Keys {
        List(Vec<ApiKey>),
        Line(String),
    }
    Ok(match Keys::deserialize(deserializer)? {
        Keys::List(keys) => keys,
        Keys::Line(line) => line.split(',').map(str::trim).filter(|key| !key.is_empty()).map(|key| ApiKey(key.to_owned())).collect(),
    })
}
