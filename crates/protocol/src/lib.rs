//! Plain data and the traits between the rooms of shammah.
//!
//! Nothing here does I/O, knows a tensor, an actor or a wire format. `actors` drives an [`Engine`] that it was handed,
//! `engine` implements it, `wire` translates HTTP bodies into a [`Request`] and [`TurnEvent`]s back.

pub mod codec;
pub mod conversation;
pub mod engine;
pub mod error;
#[cfg(debug_assertions)]
pub mod fault;
pub mod id;
pub mod job;
pub mod model;
pub mod pulse;
pub mod request;
pub mod sampling;
pub mod status;
pub mod store;
pub mod turn;

pub use codec::{Codec, CodecError};
pub use conversation::{Conversation, Message, Role, ToolCall, ToolSpec};
pub use engine::{
    Admission, Engine, EngineError, EngineFactory, Incarnation, LoadError, LoadProgress, LoadedModel, ModelSource, Output, PageUsage,
};
pub use error::TurnError;
pub use id::{Correlation, JobId, MessageId, ModelId, OwnerId, RequestId, SessionId, TurnId};
pub use job::{Finish, Job, Piece, Reject, TokenId};
pub use model::ModelCard;
pub use pulse::{Halted, Pulse};
pub use request::{Request, SessionChoice};
pub use sampling::{Sampling, SamplingOverrides};
pub use store::{Change, SessionHead, SessionRecord, Store, StoreError, StoreFactory};
pub use turn::{FinishReason, TurnEvent, TurnStart, Usage};
