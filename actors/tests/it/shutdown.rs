//! Stopping under load.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shammah_actors::Limits;
use shammah_protocol::TurnError;

use crate::stage::{Ask, Stage, within};

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_run_end_well_or_with_one_error() {
    let stage = Stage::with(Limits { grace: Duration::from_millis(100), ..Limits::default() }).await;
    stage.script.step_micros.store(2_000, Ordering::SeqCst);
    let streams = futures_util::future::join_all((0..16).map(|seed| stage.stream(Ask::new(seed).tokens(2000)))).await;
    let reading: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(stream.expect("it is admitted").fails())).collect();
    let shutdown = stage.handles.shutdown.clone();
    shutdown.drain();
    assert_eq!(stage.stream(Ask::new(99)).await.map(|_| ()), Err(TurnError::ShuttingDown));
    shutdown.abort();
    for stream in reading {
        assert_eq!(within(stream).await.expect("the client does not panic"), TurnError::ShuttingDown);
    }
    within(stage.into_system().stop()).await;
}
