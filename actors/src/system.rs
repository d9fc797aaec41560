//! The tree: who supervises whom, in which order they start, and what is lent to them.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorRef, SpawnErr};
use shammah_protocol::status::{HealthReport, StatusReport};
use shammah_protocol::{ModelCard, ModelSource, OwnerId, SessionId, StoreFactory};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::address::{Address, CallError, Envelope, Slot};
use crate::catalogue::Catalogue;
use crate::front::{Door, FrontDoor, FrontMessage, FrontSpec};
use crate::generator::{Generator, GeneratorMessage, GeneratorSpec};
use crate::limits::Limits;
use crate::loader::{LoaderMessage, ModelLoader};
use crate::meters::Meters;
use crate::monitor::{Monitor, MonitorMessage, MonitorSpec, View, Vitals};
use crate::router::{Router, RouterMessage, RouterSnapshot, RouterSpec};
use crate::sessions::{SessionView, Sessions, SessionsMessage, SessionsSpec};
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreMessage};
use crate::supervisor::{Board, ChildSpec, Importance, Strategy, Supervisor, SupervisorMessage, SupervisorSpec};
use crate::tally::Tally;
use crate::turn::{Shared, Turns};

/// What the tree is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub source: Arc<dyn ModelSource>,
    pub store: Arc<dyn StoreFactory>,
    pub limits: Limits,
}

/// How the rest of the program reaches the tree. Cheap to clone; works before the tree is started, and waits for it then.
#[derive(Clone, Debug)]
pub struct Handles {
    pub turns: Turns,
    pub shutdown: Shutdown,
    pub meters: Arc<Meters>,
    catalogue: watch::Receiver<Catalogue>,
    router: watch::Receiver<RouterSnapshot>,
    sessions: Address<SessionsMessage>,
    view: View,
}

/// How the tree ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to.
    Stopped,
    /// It gave up: the process should be replaced.
    GaveUp,
}

/// A running tree.
#[derive(Debug)]
pub struct System {
    root: ActorRef<Envelope<SupervisorMessage>>,
    ended: JoinHandle<()>,
    shutdown: Shutdown,
    grace: Duration,
}

/// How long an ordinary actor has to stop.
const GRACE: Duration = Duration::from_secs(5);
/// What the door keeper needs beyond the grace of the streams.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long questions about sessions wait for the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A tree that is ready to be started.
#[derive(Debug)]
pub struct Blueprint {
    parts: Parts,
    lent: Lent,
    handles: Handles,
}

/// What outlives actors and is lent to them.
#[derive(Debug)]
struct Lent {
    catalogue: Arc<watch::Sender<Catalogue>>,
    snapshot: Arc<watch::Sender<RouterSnapshot>>,
    count: Arc<watch::Sender<usize>>,
    vitals: Arc<watch::Sender<Vitals>>,
    permits: Arc<Semaphore>,
    root_board: Arc<Board>,
    inference_board: Arc<Board>,
    store: Arc<Slot<StoreMessage>>,
    inference: Arc<Slot<SupervisorMessage>>,
    loader: Arc<Slot<LoaderMessage>>,
    generators: Vec<Arc<Slot<GeneratorMessage>>>,
    router: Arc<Slot<RouterMessage>>,
    sessions: Arc<Slot<SessionsMessage>>,
    monitor: Arc<Slot<MonitorMessage>>,
    front: Arc<Slot<FrontMessage>>,
}

impl Blueprint {
    /// Draws the tree. Nothing runs yet.
    pub fn new(parts: Parts) -> Self {
        let models = parts.source.models();
        let lent = Lent {
            catalogue: Arc::new(watch::Sender::new(Catalogue::of(models.clone()))),
            snapshot: Arc::default(),
            count: Arc::default(),
            vitals: Arc::default(),
            permits: Arc::new(Semaphore::new(parts.limits.max_turns)),
            root_board: Arc::default(),
            inference_board: Arc::default(),
            store: Arc::new(Slot::new("store")),
            inference: Arc::new(Slot::new("inference")),
            loader: Arc::new(Slot::new("loader")),
            generators: models.iter().map(|_| Arc::new(Slot::new("generator"))).collect(),
            router: Arc::new(Slot::new("router")),
            sessions: Arc::new(Slot::new("sessions")),
            monitor: Arc::new(Slot::new("monitor")),
            front: Arc::new(Slot::new("front")),
        };
        let (shutdown, meters) = (Shutdown::default(), Arc::<Meters>::default());
        let running = Tally::default();
        let turns = Turns::new(Shared {
            limits: parts.limits.clone(),
            permits: Arc::clone(&lent.permits),
            running: running.clone(),
            catalogue: lent.catalogue.subscribe(),
            router: lent.snapshot.subscribe(),
            generators: models.into_iter().zip(lent.generators.iter().map(|slot| slot.address())).collect(),
            sessions: lent.sessions.address(),
            shutdown: shutdown.clone(),
            meters: Arc::clone(&meters),
        });
        let view = View {
            started: Instant::now(),
            catalogue: lent.catalogue.subscribe(),
            boards: vec![("", Arc::clone(&lent.root_board)), ("inference", Arc::clone(&lent.inference_board))],
            sessions: lent.count.subscribe(),
            turns: running,
            max_turns: parts.limits.max_turns,
            vitals: lent.vitals.subscribe(),
            meters: Arc::clone(&meters),
        };
        let handles = Handles {
            turns,
            shutdown,
            meters,
            catalogue: lent.catalogue.subscribe(),
            router: lent.snapshot.subscribe(),
            sessions: lent.sessions.address(),
            view,
        };
        Self { parts, lent, handles }
    }

    /// How to reach the tree.
    pub fn handles(&self) -> Handles {
        self.handles.clone()
    }

    /// Starts the tree, with a door if there is one.
    ///
    /// # Errors
    /// If the root cannot be started.
    pub async fn start(self, door: Option<Door>) -> Result<System, SpawnErr> {
        let (shutdown, grace) = (self.handles.shutdown.clone(), self.parts.limits.grace);
        let spec = self.root(door);
        let (root, ended) = Supervisor::spawn(None, Supervisor, spec).await?;
        Ok(System { root, ended, shutdown, grace })
    }

    fn root(self, door: Option<Door>) -> SupervisorSpec {
        let mut children = vec![self.store(), self.inference(), self.router(), self.sessions(), self.monitor()];
        children.extend(door.map(|door| self.front(door)));
        SupervisorSpec {
            path: "root",
            strategy: Strategy::OneForOne,
            children,
            retry_failed: self.parts.limits.retry_failed,
            board: self.lent.root_board,
        }
    }

    fn child<A, M>(
        &self,
        name: impl Into<String>,
        importance: Importance,
        slot: &Arc<Slot<M>>,
        make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> ChildSpec
    where
        A: Actor<Msg = Envelope<M>>,
        M: ractor::Message,
    {
        ChildSpec::new(name, importance, self.parts.limits.budget, GRACE, slot, make)
    }

    fn store(&self) -> ChildSpec {
        let factory = Arc::clone(&self.parts.store);
        self.child("store", Importance::Critical, &self.lent.store, move || (Store, Arc::clone(&factory)))
    }

    fn inference(&self) -> ChildSpec {
        let mut children = vec![self.loader()];
        children.extend(self.parts.source.models().into_iter().zip(&self.lent.generators).map(|(model, slot)| {
            let limits = &self.parts.limits;
            let spec = GeneratorSpec {
                model: model.clone(),
                catalogue: self.lent.catalogue.subscribe(),
                max_batch: limits.max_batch,
                queue: limits.queue,
                queue_timeout: limits.queue_timeout,
                stall_timeout: limits.stall_timeout,
            };
            self.child(format!("generator-{model}"), Importance::Critical, slot, move || (Generator, spec.clone()))
        }));
        let spec = SupervisorSpec {
            path: "inference",
            strategy: Strategy::FirstForAll,
            children,
            retry_failed: self.parts.limits.retry_failed,
            board: Arc::clone(&self.lent.inference_board),
        };
        self.child("inference", Importance::Critical, &self.lent.inference, move || (Supervisor, spec.clone()))
    }

    fn loader(&self) -> ChildSpec {
        let (source, catalogue) = (Arc::clone(&self.parts.source), Arc::clone(&self.lent.catalogue));
        let make = move || (ModelLoader, (Arc::clone(&source), Arc::clone(&catalogue)));
        self.child("loader", Importance::Critical, &self.lent.loader, make)
    }

    fn router(&self) -> ChildSpec {
        let spec = RouterSpec {
            catalogue: self.lent.catalogue.subscribe(),
            snapshot: Arc::clone(&self.lent.snapshot),
            aliases: Arc::new(self.parts.limits.aliases.clone()),
            unknown: self.parts.limits.unknown,
        };
        self.child("router", Importance::Optional, &self.lent.router, move || (Router, spec.clone()))
    }

    fn sessions(&self) -> ChildSpec {
        let spec = SessionsSpec {
            store: self.lent.store.address(),
            max_sessions: self.parts.limits.max_sessions,
            timeout: self.parts.limits.session_timeout,
            cleanup: self.parts.limits.session_cleanup,
            count: Arc::clone(&self.lent.count),
        };
        self.child("sessions", Importance::Critical, &self.lent.sessions, move || (Sessions, spec.clone()))
    }

    fn monitor(&self) -> ChildSpec {
        let spec = MonitorSpec {
            interval: self.parts.limits.monitor_interval,
            view: self.handles.view.clone(),
            vitals: Arc::clone(&self.lent.vitals),
        };
        self.child("monitor", Importance::Optional, &self.lent.monitor, move || (Monitor, spec.clone()))
    }

    fn front(&self, door: Door) -> ChildSpec {
        let limits = &self.parts.limits;
        let spec = FrontSpec {
            door,
            connections: TaskTracker::new(),
            places: Arc::new(Semaphore::new(limits.max_connections)),
            turns: Arc::clone(&self.lent.permits),
            max_turns: limits.max_turns,
            shutdown: self.handles.shutdown.clone(),
            grace: limits.grace,
        };
        let grace = limits.grace + GOODBYE;
        let make = move || (FrontDoor, spec.clone());
        ChildSpec::new("front", Importance::Critical, limits.budget, grace, &self.lent.front, make)
    }
}

impl System {
    /// Resolves when the tree gives up.
    pub async fn gave_up(&mut self) -> Ending {
        // However the root's task ends, unasked it means the same.
        let _ = (&mut self.ended).await;
        Ending::GaveUp
    }

    /// Stops the tree: the door first, streams within their grace, then the rest in reverse order of their start.
    pub async fn stop(mut self) -> Ending {
        self.root.stop(None);
        let longest = self.grace + GOODBYE + GRACE * 8;
        if tokio::time::timeout(longest, &mut self.ended).await.is_err() {
            self.shutdown.abort();
            self.root.kill();
        }
        Ending::Stopped
    }
}

impl Handles {
    /// The state of everything.
    pub fn status(&self) -> StatusReport {
        self.view.status()
    }

    /// The state of everything in one word.
    pub fn health(&self) -> HealthReport {
        self.view.health()
    }

    /// Resolves when the default model is ready or has failed, with the state of everything then.
    pub async fn settled(&self) -> StatusReport {
        let mut router = self.router.clone();
        let _ = router.wait_for(RouterSnapshot::is_settled).await;
        self.status()
    }

    /// Resolves when no turn runs.
    pub async fn idle(&self) {
        self.turns.idle().await;
    }

    /// Whether requests are answered: the default model is ready and the server does not drain.
    pub fn is_ready(&self) -> bool {
        self.view.is_ready() && !self.shutdown.is_draining()
    }

    /// The properties of all loaded models.
    pub fn cards(&self) -> Vec<Arc<ModelCard>> {
        self.catalogue.borrow().cards()
    }

    /// What requests are routed by.
    pub fn router(&self) -> RouterSnapshot {
        self.router.borrow().clone()
    }

    /// Meters in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.view.measure();
        self.meters.print()
    }

    /// A session, if it exists and belongs to the owner.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn session(&self, owner: OwnerId, id: SessionId) -> Result<Option<SessionView>, CallError> {
        let view = |reply| SessionsMessage::View { owner: owner.clone(), id: id.clone(), reply };
        self.sessions.call_again(view, PATIENCE).await
    }

    /// Ends the session's turns and forgets it. Says whether it existed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete_session(&self, owner: OwnerId, id: SessionId) -> Result<bool, CallError> {
        let delete = |reply| SessionsMessage::Delete { owner: owner.clone(), id: id.clone(), reply };
        self.sessions.call_again(delete, PATIENCE).await
    }

    /// Kills the actor at a path of the tree, in tests. Says whether there is one.
    #[cfg(debug_assertions)]
    pub fn kill(&self, path: &str) -> bool {
        for (parent, board) in &self.view.boards {
            let child = board.borrow().iter().find(|child| child.report(parent).name == path).cloned();
            if let Some(child) = child {
                child.kill();
                return true;
            }
        }
        false
    }
}
