//! Everything in shammah that has a mailbox.
//!
//! This crate knows actors and plain data. It knows no HTTP, no tensors and no SQL: those come in as `Arc<dyn …>` from
//! [`shammah_protocol`]. `docs/actors.md` tells who owns what, and what dies with whom.

#[cfg(panic = "abort")]
compile_error!("supervision needs unwinding: a crash must end an actor, not the process");

mod address;
mod background;
mod catalogue;
mod doorbell;
mod front;
mod generator;
mod lane;
mod ledger;
mod limits;
mod loader;
mod memory_store;
mod meters;
mod monitor;
mod router;
mod sessions;
mod shutdown;
mod store;
mod supervisor;
mod system;
mod tally;
mod timer;
mod turn;

pub use address::{Address, CallError, Envelope, Slot};
pub use catalogue::{Catalogue, Entry, EntryState};
pub use front::{Door, Serve};
pub use limits::Limits;
pub use memory_store::MemoryStoreFactory;
pub use meters::{Meters, QueryLabels};
pub use router::{RouterSnapshot, Unknown};
pub use sessions::{SessionView, SessionsMessage};
pub use shutdown::Shutdown;
pub use supervisor::{
    Board, Budget, Charge, ChildSpec, ChildStatus, Crash, Importance, Policy, Strategy, Supervisor, SupervisorMessage, SupervisorSpec,
    Verdict,
};
pub use system::{Blueprint, Ending, Handles, Parts, System};
pub use turn::{Answer, Asker, Permit, Turns};
