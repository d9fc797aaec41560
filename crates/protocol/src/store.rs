//! What lasts: sessions and their messages.

use std::fmt::Debug;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::conversation::Message;
use crate::id::{ModelId, OwnerId, SessionId};

/// The head of a session, without its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionHead {
    pub id: SessionId,
    pub owner: OwnerId,
    pub created_at: Timestamp,
    pub last_activity: Timestamp,
    /// Who answered last.
    pub model: Option<ModelId>,
    /// Made for a request that named none; goes first when room is needed.
    pub implicit: bool,
}

/// A session and what was said in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub head: SessionHead,
    pub messages: Vec<Message>,
}

/// One change of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Writes the head, cuts the messages to the first `keep`, then appends `append`.
    Write {
        head: SessionHead,
        keep: usize,
        append: Vec<Message>,
    },
    Delete {
        owner: OwnerId,
        id: SessionId,
    },
}

/// Why the store failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("the store takes no more changes for now")]
    Full,
    #[error("the store cannot be reached")]
    Unreachable,
    #[error("the store failed: {0}")]
    Failed(String),
}

/// A place where records last. Used by one thread; calls may block on a disk.
pub trait Store: Send {
    /// All sessions.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn sessions(&mut self) -> Result<Vec<SessionRecord>, StoreError>;

    /// Applies all changes in order, or none. They have been committed when this returns.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; the store is as it was.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;
}

/// Opens the same store again and again, each time after the last one is gone.
pub trait StoreFactory: Send + Sync + Debug {
    /// Opens it.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn open(&self) -> Result<Box<dyn Store>, StoreError>;
}
