//! Each part dies under 64 streams, and no client notices more than a pause.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shammah_actors::{Ending, Limits};
use shammah_protocol::TurnError;
use shammah_protocol::fault::Cause;
use shammah_protocol::status::ActorState;

use crate::stage::{Ask, GENERATOR, Stage, all};

const STREAMS: u64 = 64;

fn quick_to_notice() -> Limits {
    Limits { stall_timeout: Duration::from_millis(200), ..Limits::default() }
}

/// Runs 64 streams; the one with seed 0 carries a fault.
async fn under_load(stage: &Stage, cause: Cause, position: usize) {
    let before = stage.actor(GENERATOR);
    let ask = |seed| if seed == 0 { Ask::new(seed).fault(cause, position) } else { Ask::new(seed) };
    all((0..STREAMS).map(|seed| stage.client(ask(seed))).collect::<Vec<_>>()).await;
    stage.until_restarted(GENERATOR, &before).await;
    let after = stage.actor(GENERATOR);
    assert_ne!(after.id, before.id, "it is another actor");
    assert_eq!(after.restarts, before.restarts + 1);
    assert!(after.last_error.is_some(), "the cause is shown");
}

async fn generator_dies_of(cause: Cause, position: usize) {
    let stage = Stage::with(quick_to_notice()).await;
    let siblings = ["store", "sessions", "router", "inference/loader"].map(|path| stage.actor(path));
    under_load(&stage, cause, position).await;
    for sibling in siblings {
        assert_eq!(stage.actor(&sibling.name).id, sibling.id, "{} was left alone", sibling.name);
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_panics_in_prefill() {
    generator_dies_of(Cause::Panic, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_panics_in_decode() {
    generator_dies_of(Cause::Panic, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thread_panics_between_steps() {
    generator_dies_of(Cause::Between, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_hangs() {
    generator_dies_of(Cause::Hang, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_outside_of_a_step_is_noticed_too() {
    let stage = Stage::with(quick_to_notice()).await;
    stage.script.hangs_in_admit.store(1, Ordering::SeqCst);
    stage.stream(Ask::new(1)).await.expect("the next engine admits it").complete().await;
    assert_eq!((stage.actor(GENERATOR).restarts, stage.script.alive.load(Ordering::SeqCst)), (1, 2), "the fenced one still hangs");
    stage.script.release.store(true, Ordering::SeqCst);
    stage.until("it ends when it wakes", || stage.script.alive.load(Ordering::SeqCst) == 1).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generator_is_killed() {
    generator_dies_of(Cause::Kill, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generator_fails() {
    generator_dies_of(Cause::Fail, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_actor_is_killed() {
    for path in ["store", "sessions", "router", "monitor", "inference/loader", "inference"] {
        let stage = Stage::new().await;
        stage.script.step_micros.store(500, Ordering::SeqCst);
        let before = stage.actor(path);
        let clients: Vec<_> = (0..STREAMS).map(|seed| stage.client(Ask::new(seed))).collect();
        stage.until("a batch runs", || stage.handles.status().queues.sequences_running == 16).await;
        assert!(stage.handles.kill(path), "there is an actor at {path}");
        all(clients).await;
        stage.until_restarted(path, &before).await;
        stage.stream(Ask::new(99)).await.expect("the next request is answered").complete().await;
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_loaded_stays_loaded_when_the_loader_dies() {
    let stage = Stage::new().await;
    let before = stage.actor("inference/loader");
    stage.handles.kill("inference/loader");
    stage.until_restarted("inference/loader", &before).await;
    stage.stream(Ask::new(1)).await.expect("it is admitted").complete().await;
    assert_eq!(stage.script.loads.load(Ordering::SeqCst), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_dies_while_turns_end() {
    let stage = Stage::new().await;
    for round in 0..3 {
        let clients: Vec<_> = (0..16).map(|seed| stage.client(Ask::new(round * 16 + seed).tokens(20))).collect();
        let before = stage.actor("store");
        stage.until("some turns have ended", || stage.handles.status().queues.turns < 12).await;
        stage.handles.kill("store");
        // A lost commit is sent again at once: they end well before anybody's patience does.
        all(clients).await;
        stage.until_restarted("store", &before).await;
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_turn_ends_its_own_stream_only() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(500, Ordering::SeqCst);
    let mut killed = stage.stream(Ask::new(1)).await.expect("it is admitted");
    let other = stage.stream(Ask::new(2)).await.expect("it is admitted");
    killed.read().await;
    killed.answer.kill();
    assert!(matches!(killed.fails().await, TurnError::Internal(_)));
    other.complete().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_prompt_fails_alone_however_often_it_is_sent() {
    let stage = Stage::new().await;
    let poison = || Ask { prompt: "poison".into(), ..Ask::new(7) }.fault(Cause::Poison, 20);
    let others: Vec<_> = (100..130).map(|seed| stage.client(Ask::new(seed))).collect();
    let first = stage.stream(poison()).await.expect("nobody knows it yet");
    assert_eq!(first.fails().await, TurnError::EngineCrash);
    all(others).await;
    for _ in 0..50 {
        assert_eq!(stage.stream(poison()).await.map(|_| ()), Err(TurnError::EngineCrash));
    }
    let generator = stage.actor(GENERATOR);
    assert_eq!((generator.state, generator.restarts), (ActorState::Running, 2), "two engines were lost to it, and no more");
    assert_eq!(stage.actor("inference").restarts, 0);
    stage.stream(Ask::new(3)).await.expect("it is admitted").complete().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_after_crash_in_one_stream() {
    let stage = Stage::with(quick_to_notice()).await;
    for (round, cause) in [Cause::Panic, Cause::Kill, Cause::Between].into_iter().enumerate() {
        let stream = stage.stream(Ask::new(round as u64).fault(cause, 10 + round)).await.expect("it is admitted");
        stream.complete().await;
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_escalates_and_then_the_root_gives_up() {
    let mut stage = Stage::new().await;
    let mut crashes = 0;
    let ended = loop {
        let stream = stage.stream(Ask::new(crashes).fault(Cause::Between, 1).tokens(3));
        let stream = tokio::time::timeout(Duration::from_secs(5), stream).await;
        if let Ok(Ok(stream)) = stream {
            drop(tokio::time::timeout(Duration::from_secs(5), stream.complete()).await);
        }
        crashes += 1;
        if crashes == 5 {
            assert_eq!(stage.actor("inference").restarts, 1, "the fourth crash in the window ends the parent");
        }
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(1), stage.gave_up()).await {
            break ended;
        }
        assert!(crashes < 40, "the root never gave up");
    };
    assert_eq!(ended, Ending::GaveUp);
    assert!(crashes >= 16, "four budgets of four crashes, not {crashes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sick_process_gives_up_at_once() {
    let mut stage = Stage::new().await;
    stage.script.sick.store(true, Ordering::SeqCst);
    let stream = stage.stream(Ask::new(1).fault(Cause::Panic, 5)).await.expect("it is admitted");
    assert_eq!(stage.gave_up().await, Ending::GaveUp);
    assert_eq!(stage.script.engines.load(Ordering::SeqCst), 2, "no third engine was tried");
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hanging_engines_are_one_too_many() {
    let mut stage = Stage::with(quick_to_notice()).await;
    stage.script.hangs_in_admit.store(2, Ordering::SeqCst);
    let streams = [1, 2].map(|seed| stage.client(Ask::new(seed)));
    assert_eq!(stage.gave_up().await, Ending::GaveUp);
    assert_eq!(stage.script.engines.load(Ordering::SeqCst), 2, "there is no place for a third");
    stage.script.release.store(true, Ordering::SeqCst);
    streams.into_iter().for_each(|stream| stream.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_that_ends_when_fenced_gives_its_place_back() {
    let stage = Stage::with(quick_to_notice()).await;
    for seed in 0..3 {
        stage.stream(Ask::new(seed).fault(Cause::Hang, 5)).await.expect("it is admitted").complete().await;
    }
    assert_eq!(stage.actor(GENERATOR).restarts, 3);
    stage.close().await;
}
