//! Identifiers. Each is a newtype, so that one is never taken for another.

use std::fmt;
use std::sync::Arc;

use rand::Rng;
use serde::{Deserialize, Serialize};

/// How many random characters follow the prefix of a generated id: 24 of base 62 are 142 bits.
const RANDOM_LENGTH: usize = 24;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident $(, $prefix:literal)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            $(
                /// A fresh random id with this kind's prefix.
                pub fn random() -> Self {
                    Self(random_text($prefix).into())
                }
            )?

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// One HTTP request; stands in the response headers and in every log line of it.
    RequestId, "req_"
);
text_id!(
    /// One conversation. Made by us, or chosen by the client (1–128 characters).
    SessionId, "sess_"
);
text_id!(
    /// One answer in the making.
    TurnId, "turn_"
);
text_id!(
    /// One answer as the client knows it, without a prefix: each protocol has its own (`msg_`, `chatcmpl-`).
    MessageId, ""
);
text_id!(
    /// Whose key made a request. Without keys there is one owner, [`OwnerId::local`].
    OwnerId
);
text_id!(
    /// A model of the catalogue.
    ModelId
);

impl OwnerId {
    /// The only owner where no keys are configured.
    pub fn local() -> Self {
        Self::from("local")
    }
}

impl SessionId {
    /// The longest id that a client may choose, in characters.
    pub const MAX_LENGTH: usize = 128;

    /// Takes an id that a client chose; `None` if it is empty, too long or holds control characters.
    pub fn chosen(text: &str) -> Option<Self> {
        let length = text.chars().count();
        ((1..=Self::MAX_LENGTH).contains(&length) && !text.chars().any(char::is_control)).then(|| Self::from(text))
    }
}

/// One attempt of a turn on an engine. A turn that is resumed keeps its [`TurnId`] and gets a new job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(u64);

impl JobId {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(rand::rng().random())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "job_{:016x}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// The ids that travel with everything done for one request: in messages between actors, in logs and in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation {
    pub owner: OwnerId,
    pub request: RequestId,
    pub session: SessionId,
    pub turn: TurnId,
}

fn random_text(prefix: &str) -> String {
    let mut rng = rand::rng();
    let random = (0..RANDOM_LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    prefix.chars().chain(random).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_carry_their_prefix_and_differ() {
        let (a, b) = (SessionId::random(), SessionId::random());
        assert!(a.as_str().starts_with("sess_"));
        assert_eq!(a.as_str().len(), "sess_".len() + RANDOM_LENGTH);
        assert_ne!(a, b);
    }

    #[test]
    fn chosen_session_ids_are_bounded() {
        assert!(SessionId::chosen("my session").is_some());
        assert!(SessionId::chosen(&"ü".repeat(128)).is_some());
        for refused in ["", "a\nb", &"x".repeat(129)] {
            assert!(SessionId::chosen(refused).is_none(), "{refused:?}");
        }
    }
}
