//! What a supervisor knows of a child: how to start it, and how it fares.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, Message, SpawnErr};
use shammah_protocol::status::{ActorReport, ActorState};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::policy::{Budget, Charge};
use crate::address::{Envelope, Slot};
use crate::tally::Tally;

/// Whether the tree can do without a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Giving it up ends its parent.
    Critical,
    /// Given up, it is `failed` and tried again now and then.
    Optional,
}

/// How to run one child.
#[derive(Clone)]
pub struct ChildSpec {
    pub(super) name: String,
    pub(super) importance: Importance,
    pub(super) budget: Budget,
    pub(super) grace: Duration,
    pub(super) start: Arc<dyn Start>,
}

impl ChildSpec {
    /// A child made by `make` for each incarnation, reached through `slot`. It gets `grace` to stop before it is killed.
    pub fn new<A, M>(
        name: impl Into<String>,
        importance: Importance,
        budget: Budget,
        grace: Duration,
        slot: &Arc<Slot<M>>,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self
    where
        A: Actor<Msg = Envelope<M>>,
        M: Message,
    {
        Self { name: name.into(), importance, budget, grace, start: Arc::new(Recipe { slot: Arc::clone(slot), make }) }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChildSpec").field("name", &self.name).field("importance", &self.importance).finish_non_exhaustive()
    }
}

/// An actor's own end, with what it should cost. Any other error costs one restart.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct Crash {
    pub charge: Charge,
    pub reason: String,
}

impl Crash {
    /// What the end of an actor by `error` costs its budget.
    pub(super) fn charge_of(error: &ActorProcessingErr) -> Charge {
        error.downcast_ref::<Self>().map_or(Charge::Counted, |crash| crash.charge)
    }
}

type Started = (ActorCell, JoinHandle<()>);

/// Starts incarnations of one child, whatever its type.
pub(super) trait Start: Send + Sync {
    fn start(&self, supervisor: ActorCell) -> Pin<Box<dyn Future<Output = Result<Started, SpawnErr>> + Send + '_>>;
    fn clear(&self);
    fn waiting(&self) -> Tally;
}

struct Recipe<M: Message, F> {
    slot: Arc<Slot<M>>,
    make: F,
}

impl<A, M, F> Start for Recipe<M, F>
where
    A: Actor<Msg = Envelope<M>>,
    M: Message,
    F: Fn() -> (A, A::Arguments) + Send + Sync,
{
    fn start(&self, supervisor: ActorCell) -> Pin<Box<dyn Future<Output = Result<Started, SpawnErr>> + Send + '_>> {
        Box::pin(async move {
            let (actor, arguments) = (self.make)();
            let (actor, join) = A::spawn_linked(None, actor, arguments, supervisor).await?;
            self.slot.fill(actor.clone());
            Ok((actor.get_cell(), join))
        })
    }

    fn clear(&self) {
        self.slot.clear();
    }

    fn waiting(&self) -> Tally {
        self.slot.waiting()
    }
}

/// How a child fares, as its supervisor publishes it.
#[derive(Clone)]
pub struct ChildStatus {
    pub(super) name: String,
    pub(super) state: ActorState,
    pub(super) restarts: u64,
    pub(super) last_error: Option<String>,
    pub(super) started: Instant,
    pub(super) cell: Option<ActorCell>,
    waiting: Tally,
}

impl ChildStatus {
    pub(super) fn new(spec: &ChildSpec) -> Self {
        Self {
            name: spec.name.clone(),
            state: ActorState::Starting,
            restarts: 0,
            last_error: None,
            started: Instant::now(),
            cell: None,
            waiting: spec.start.waiting(),
        }
    }

    /// The report of this child, under the path of its parent.
    pub fn report(&self, parent: &str) -> ActorReport {
        let running = self.cell.as_ref().filter(|_| self.state == ActorState::Running);
        ActorReport {
            name: if parent.is_empty() { self.name.clone() } else { format!("{parent}/{}", self.name) },
            id: running.map(|cell| cell.get_id().to_string()),
            state: self.state,
            restarts: self.restarts,
            last_error: self.last_error.clone(),
            mailbox: self.waiting.count(),
            uptime_seconds: running.map_or(0.0, |_| self.started.elapsed().as_secs_f64()),
        }
    }

    /// The child's name under its parent.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The incarnation that runs now.
    pub fn id(&self) -> Option<ActorId> {
        self.cell.as_ref().map(ActorCell::get_id)
    }

    /// Kills the incarnation that runs now, in tests.
    #[cfg(debug_assertions)]
    pub fn kill(&self) {
        if let Some(cell) = &self.cell {
            cell.kill();
        }
    }
}

impl fmt::Debug for ChildStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChildStatus").field("name", &self.name).field("state", &self.state).finish_non_exhaustive()
    }
}
