//! The actor that keeps its children running.
//!
//! It matches children by [`ActorId`](ractor::ActorId), never by name; treats a killed child as a crash; awaits the real death of
//! an incarnation before the next one starts; and restarts by timer, so that a pause never blocks it.

mod child;
mod policy;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use shammah_protocol::status::ActorState;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub use child::{ChildSpec, ChildStatus, Crash, Importance};
pub use policy::{Budget, Charge, Policy, Strategy, Verdict};

use crate::address::Envelope;
use crate::timer::Timer;

/// How long the supervisor waits for the state of a dead child to be dropped.
const BURIAL: Duration = Duration::from_secs(5);

/// Where a supervisor publishes how its children fare. It outlives the supervisor, so counts go on.
pub type Board = watch::Sender<Vec<ChildStatus>>;

/// What a supervisor is made of.
#[derive(Clone, Debug)]
pub struct SupervisorSpec {
    /// For logs: the path in the tree.
    pub path: &'static str,
    pub strategy: Strategy,
    /// In the order of their start; they stop in reverse.
    pub children: Vec<ChildSpec>,
    /// How long an optional child stays given up before it is tried again.
    pub retry_failed: Duration,
    pub board: Arc<Board>,
}

/// The supervisor actor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Supervisor;

/// What a supervisor tells itself.
#[derive(Debug)]
pub enum SupervisorMessage {
    /// Time to start these children, if nothing has happened to the first of them since.
    Respawn { children: Range<usize>, epoch: u64 },
}

#[derive(Debug)]
struct Child {
    spec: ChildSpec,
    policy: Policy,
    running: Option<(ActorCell, JoinHandle<()>)>,
    /// Changes with every end, so that a timer of an earlier one is recognised as stale.
    epoch: u64,
    respawn: Option<Timer>,
}

/// The state of a supervisor.
#[derive(Debug)]
pub struct Family {
    path: &'static str,
    strategy: Strategy,
    retry_failed: Duration,
    children: Vec<Child>,
    board: Arc<Board>,
}

impl Actor for Supervisor {
    type Msg = Envelope<SupervisorMessage>;
    type State = Family;
    type Arguments = SupervisorSpec;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, spec: SupervisorSpec) -> Result<Family, ActorProcessingErr> {
        let mut family = Family::new(spec);
        family.start(&myself, 0..family.children.len()).await?;
        Ok(family)
    }

    async fn handle(&self, myself: ActorRef<Self::Msg>, message: Self::Msg, family: &mut Family) -> Result<(), ActorProcessingErr> {
        match message.open() {
            SupervisorMessage::Respawn { children, epoch } => {
                if family.children[children.start].epoch == epoch {
                    family.start(&myself, children).await?;
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        family: &mut Family,
    ) -> Result<(), ActorProcessingErr> {
        let (who, charge, reason) = match event {
            SupervisionEvent::ActorFailed(who, error) => (who, Crash::charge_of(&error), error.to_string()),
            SupervisionEvent::ActorTerminated(who, state, reason) => {
                drop(state);
                (who, Charge::Counted, reason.unwrap_or_else(|| "it stopped unasked".to_owned()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        };
        match family.find(&who) {
            Some(index) => family.on_end(&myself, index, charge, reason).await,
            None => Ok(()),
        }
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, family: &mut Family) -> Result<(), ActorProcessingErr> {
        family.stop(0..family.children.len(), ActorState::Stopped).await;
        Ok(())
    }
}

impl Family {
    fn new(spec: SupervisorSpec) -> Self {
        let known = spec.board.borrow().clone();
        let statuses = spec.children.iter().enumerate().map(|(index, child)| {
            let mut status = ChildStatus::new(child);
            if let Some(earlier) = known.get(index) {
                status.restarts = earlier.restarts + 1;
                status.last_error = Some(format!("its supervisor {} was lost", spec.path));
            }
            status
        });
        spec.board.send_replace(statuses.collect());
        let children =
            spec.children.into_iter().map(|spec| Child { policy: Policy::new(spec.budget), spec, running: None, epoch: 0, respawn: None });
        Self { path: spec.path, strategy: spec.strategy, retry_failed: spec.retry_failed, children: children.collect(), board: spec.board }
    }

    fn find(&self, who: &ActorCell) -> Option<usize> {
        let runs = |child: &Child| child.running.as_ref().is_some_and(|(cell, _)| cell.get_id() == who.get_id());
        self.children.iter().position(runs)
    }

    async fn start(&mut self, myself: &ActorRef<Envelope<SupervisorMessage>>, range: Range<usize>) -> Result<(), ActorProcessingErr> {
        for index in range {
            let child = &mut self.children[index];
            child.respawn = None;
            match child.spec.start.start(myself.get_cell()).await {
                Ok((cell, join)) => {
                    tracing::debug!(supervisor = self.path, child = child.spec.name, actor = %cell.get_id(), "child started");
                    let shown = cell.clone();
                    child.running = Some((cell, join));
                    self.publish(index, |status| {
                        status.state = ActorState::Running;
                        status.started = Instant::now();
                        status.cell = Some(shown);
                    });
                }
                Err(error) => {
                    self.on_end(myself, index, Charge::Counted, error.to_string()).await?;
                    if self.is_base(index) {
                        // The others start with it, when its pause is over.
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the others build on this child.
    fn is_base(&self, index: usize) -> bool {
        self.strategy == Strategy::FirstForAll && index == 0
    }

    /// Buries a child that ended, and decides what comes next.
    async fn on_end(
        &mut self,
        myself: &ActorRef<Envelope<SupervisorMessage>>,
        index: usize,
        charge: Charge,
        reason: String,
    ) -> Result<(), ActorProcessingErr> {
        let child = &mut self.children[index];
        child.spec.start.clear();
        child.epoch += 1;
        if let Some((_, join)) = child.running.take()
            && timeout(BURIAL, join).await.is_err()
        {
            tracing::warn!(supervisor = self.path, child = child.spec.name, "the state of a dead child is still in use");
        }
        let verdict = child.policy.on_exit(charge, Instant::now().into_std());
        let (name, importance) = (child.spec.name.clone(), child.spec.importance);
        tracing::warn!(supervisor = self.path, child = name, reason, ?verdict, "child ended");
        self.publish(index, |status| {
            status.last_error = Some(reason.clone());
            status.cell = None;
        });
        match (verdict, importance) {
            (Verdict::Restart { after }, _) => {
                self.publish(index, |status| {
                    status.state = ActorState::Restarting;
                    status.restarts += 1;
                });
                let last = if self.is_base(index) { self.children.len() } else { index + 1 };
                self.stop(index + 1..last, ActorState::Restarting).await;
                self.respawn_after(myself, index..last, after);
                Ok(())
            }
            (Verdict::GiveUp, Importance::Optional) => {
                self.publish(index, |status| status.state = ActorState::Failed);
                self.children[index].policy.reset();
                self.respawn_after(myself, index..index + 1, self.retry_failed);
                Ok(())
            }
            (Verdict::GiveUp, Importance::Critical) => {
                self.publish(index, |status| status.state = ActorState::Failed);
                Err(Crash { charge: Charge::Counted, reason: format!("{name} was given up: {reason}") }.into())
            }
            (Verdict::Fatal, _) => {
                self.publish(index, |status| status.state = ActorState::Failed);
                Err(Crash { charge: Charge::Fatal, reason }.into())
            }
        }
    }

    fn respawn_after(&mut self, myself: &ActorRef<Envelope<SupervisorMessage>>, children: Range<usize>, after: Duration) {
        let child = &mut self.children[children.start];
        let epoch = child.epoch;
        child.respawn = Some(Timer::once(myself, after, move || SupervisorMessage::Respawn { children, epoch }));
    }

    /// Stops children in reverse order, each within its grace.
    async fn stop(&mut self, range: Range<usize>, state: ActorState) {
        for index in range.rev() {
            let child = &mut self.children[index];
            child.epoch += 1;
            child.respawn = None;
            if let Some((cell, mut join)) = child.running.take() {
                cell.stop(None);
                if timeout(child.spec.grace, &mut join).await.is_err() {
                    tracing::warn!(supervisor = self.path, child = child.spec.name, "child did not stop in time and is killed");
                    cell.kill();
                    // A handler that never yields cannot be killed; the process ends without it.
                    let _ = timeout(BURIAL, join).await;
                }
                child.spec.start.clear();
            }
            self.publish(index, |status| {
                status.state = state;
                status.cell = None;
            });
        }
    }

    fn publish(&self, index: usize, change: impl FnOnce(&mut ChildStatus)) {
        self.board.send_modify(|board| change(&mut board[index]));
    }
}
