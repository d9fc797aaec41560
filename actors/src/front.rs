//! The actor at the door: accepts connections and hands them on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::address::Envelope;
use crate::background::Background;
use crate::shutdown::Shutdown;

/// Speaks a protocol on a connection.
pub trait Serve: Send + Sync + fmt::Debug {
    /// Serves until the connection ends. Idle ones end when the server drains.
    fn serve(&self, stream: TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A bound listener and who speaks behind it. Outlives each incarnation of the door keeper, so no connection is refused.
#[derive(Clone, Debug)]
pub struct Door {
    pub listener: Arc<TcpListener>,
    pub serve: Arc<dyn Serve>,
}

/// What the door keeper is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FrontMessage {
    /// The accept loop is gone.
    Ended,
}

/// The keeper of the door.
#[derive(Debug)]
pub(crate) struct FrontDoor;

/// What the door keeper is made of.
#[derive(Clone, Debug)]
pub(crate) struct FrontSpec {
    pub(crate) door: Door,
    /// Connections belong to the root: they go on when the keeper is lost.
    pub(crate) connections: TaskTracker,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) max_turns: usize,
    pub(crate) shutdown: Shutdown,
    pub(crate) grace: Duration,
}

/// The state of the door keeper.
#[derive(Debug)]
pub(crate) struct Keeping {
    spec: FrontSpec,
    accepting: Background,
}

/// How long streams have to say goodbye, once they must end.
const GOODBYE: Duration = Duration::from_secs(2);
/// The pause after an error of the listener: too many open files will not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Actor for FrontDoor {
    type Msg = Envelope<FrontMessage>;
    type State = Keeping;
    type Arguments = FrontSpec;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, spec: FrontSpec) -> Result<Keeping, ActorProcessingErr> {
        Ok(Keeping { accepting: Background::spawn(accept(myself, spec.clone())), spec })
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, _: &mut Keeping) -> Result<(), ActorProcessingErr> {
        match message.open() {
            FrontMessage::Ended => Err("the accept loop ended".into()),
        }
    }

    /// The first stage of the shutdown: no new work, then time for what runs, then the end.
    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Keeping) -> Result<(), ActorProcessingErr> {
        let FrontSpec { connections, turns, max_turns, shutdown, grace, .. } = &state.spec;
        // The door stays open meanwhile: who asks is told that the server stops, and probes get their answer.
        shutdown.drain();
        let all = u32::try_from(*max_turns).unwrap_or(u32::MAX);
        if timeout(*grace, turns.acquire_many(all)).await.is_err() {
            tracing::warn!(grace_seconds = grace.as_secs(), "streams are still open and end now");
        }
        shutdown.abort();
        state.accepting.abort();
        connections.close();
        let gone = timeout(GOODBYE, async { drop((turns.acquire_many(all).await, connections.wait().await)) });
        if gone.await.is_err() {
            tracing::warn!(connections = connections.len(), "connections are cut");
        }
        Ok(())
    }
}

/// Accepts connections, as long as there are places for them.
async fn accept(keeper: ActorRef<Envelope<FrontMessage>>, spec: FrontSpec) {
    let ended = Ended(keeper);
    loop {
        let Ok(place) = Arc::clone(&spec.places).acquire_owned().await else { break };
        match spec.door.listener.accept().await {
            Ok((stream, _)) => {
                let serving = spec.door.serve.serve(stream);
                spec.connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(ended);
}

/// Tells the keeper that its loop is gone, even when it goes by a panic.
struct Ended(ActorRef<Envelope<FrontMessage>>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.cast(FrontMessage::Ended.into());
    }
}
