//! Stopping under load, and the door.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shammah_actors::{Door, Ending, Limits, Serve};
use shammah_protocol::TurnError;
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{Ask, Stage, all, within};

/// Counts connections and closes them.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl Serve for Counting {
    fn serve(&self, stream: TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let served = Arc::clone(&self.0);
        Box::pin(async move {
            drop(stream);
            served.fetch_add(1, Ordering::SeqCst);
        })
    }
}

/// A tree with a door, its address, and how many connections it has served.
async fn stage_with_door(limits: Limits) -> (Stage, std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port"));
    let (address, served) = (listener.local_addr().expect("it is bound"), Arc::<AtomicUsize>::default());
    let door = Door { listener, serve: Arc::new(Counting(Arc::clone(&served))) };
    (Stage::with_door(limits, Some(door)).await, address, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_keeper_is_killed_and_no_connection_is_refused() {
    let (stage, address, served) = stage_with_door(Limits::default()).await;
    stage.script.step_micros.store(500, Ordering::SeqCst);
    let clients: Vec<_> = (0..64).map(|seed| stage.client(Ask::new(seed))).collect();
    for round in 1..=3 {
        let before = stage.actor("front");
        stage.handles.kill("front");
        TcpStream::connect(address).await.expect("the listener outlives the keeper");
        stage.until_restarted("front", &before).await;
        stage.until("the connection is served", || served.load(Ordering::SeqCst) == round).await;
    }
    all(clients).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_well_within_the_grace() {
    let (stage, ..) = stage_with_door(Limits::default()).await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let clients: Vec<_> = (0..16).map(|seed| stage.client(Ask::new(seed))).collect();
    stage.until("they run", || stage.handles.status().queues.sequences_running == 16).await;
    let handles = stage.handles.clone();
    let stopping = tokio::spawn(stage.into_system().stop());
    within(handles.shutdown.draining()).await;
    let refused = handles.turns.admit().map(|_| ());
    assert_eq!(refused, Err(TurnError::ShuttingDown));
    assert_eq!(handles.status().queues.turns, 16, "only what runs is counted");
    all(clients).await;
    assert_eq!(within(stopping).await.expect("it stops"), Ending::Stopped);
    let stopped = handles.status().actors;
    assert!(stopped.iter().all(|actor| actor.state == shammah_protocol::status::ActorState::Stopped), "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_outlast_the_grace_end_with_one_error() {
    let (stage, ..) = stage_with_door(Limits { grace: Duration::from_millis(100), ..Limits::default() }).await;
    stage.script.step_micros.store(2_000, Ordering::SeqCst);
    let streams = futures_util::future::join_all((0..16).map(|seed| stage.stream(Ask::new(seed).tokens(2000)))).await;
    let reading: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(stream.expect("it is admitted").fails())).collect();
    within(stage.into_system().stop()).await;
    for stream in reading {
        assert_eq!(within(stream).await.expect("the client does not panic"), TurnError::ShuttingDown);
    }
}
