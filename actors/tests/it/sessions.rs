//! Sessions: records, limits, deletion, and their keeper's death.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shammah_actors::Limits;
use shammah_protocol::{OwnerId, SessionChoice, SessionId, TurnError};

use crate::scripted::text;
use crate::stage::{Ask, Stage, within};

fn in_session(seed: u64, prompt: &str) -> Ask {
    Ask { session: SessionChoice::Record("mine".into()), prompt: prompt.into(), ..Ask::new(seed).tokens(3) }
}

async fn transcript(stage: &Stage, id: &str) -> Option<Vec<String>> {
    let view = within(stage.handles.session(OwnerId::local(), id.into())).await.expect("the keeper answers");
    view.map(|view| view.messages.into_iter().map(|message| message.content).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_grows_and_outlives_its_keeper_and_the_store() {
    let stage = Stage::new().await;
    stage.stream(in_session(1, "one")).await.expect("it is admitted").complete().await;
    for path in ["sessions", "store"] {
        let before = stage.actor(path);
        stage.handles.kill(path);
        stage.until_restarted(path, &before).await;
    }
    stage.stream(in_session(2, "two")).await.expect("it is admitted").complete().await;
    let expected = ["one".to_owned(), text(1, 3), "two".to_owned(), text(2, 3)];
    assert_eq!(transcript(&stage, "mine").await.as_deref(), Some(&expected[..]));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keeper_dies_in_the_middle_of_a_turn() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let mut stream = stage.stream(in_session(1, "one").tokens(100)).await.expect("it is admitted");
    stream.read().await;
    stage.handles.kill("sessions");
    stream.complete().await;
    assert_eq!(transcript(&stage, "mine").await, Some(vec!["one".into(), text(1, 100)]));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keeper_dies_and_deleting_still_ends_the_turn() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let mut stream = stage.stream(in_session(1, "one").tokens(2000)).await.expect("it is admitted");
    stream.read().await;
    let before = stage.actor("sessions");
    stage.handles.kill("sessions");
    stage.until_restarted("sessions", &before).await;
    let busy = stage.stream(in_session(2, "two")).await.map(|_| ());
    assert_eq!(busy, Err(TurnError::SessionBusy("mine".into())), "the new keeper knows the turn");
    assert_eq!(within(stage.handles.delete_session(OwnerId::local(), "mine".into())).await, Ok(true));
    assert_eq!(stream.fails().await, TurnError::SessionDeleted);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_the_store_was_away_stays_deleted() {
    let stage = Stage::new().await;
    stage.stream(in_session(1, "one")).await.expect("it is admitted").complete().await;
    assert_eq!(stage.stored_sessions(), 1);
    stage.handles.kill("store");
    assert_eq!(within(stage.handles.delete_session(OwnerId::local(), "mine".into())).await, Ok(true));
    stage.until("the store knows", || stage.stored_sessions() == 0).await;
    let before = stage.actor("sessions");
    stage.handles.kill("sessions");
    stage.until_restarted("sessions", &before).await;
    assert_eq!(transcript(&stage, "mine").await, None);
    stage.close().await;
}

/// Whenever a client hangs up, its turn is over for the session too.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_dropped_at_any_moment_leaves_the_session_free() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(500, Ordering::SeqCst);
    for round in 0..200 {
        let asking = stage.stream(in_session(round, "one").tokens(50));
        // Dropped while it begins, while it waits or while it runs.
        drop(tokio::time::timeout(Duration::from_micros(round * 10), asking).await);
    }
    stage.until("all are gone", || stage.handles.status().queues.turns == 0).await;
    stage.stream(in_session(1, "two")).await.expect("no turn runs in it").complete().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_no_trace() {
    let stage = Stage::new().await;
    stage.stream(in_session(1, "one")).await.expect("it is admitted").complete().await;
    let too_long = in_session(2, &"x".repeat(5000));
    assert!(matches!(stage.stream(too_long).await, Err(TurnError::PromptTooLong { .. })));
    stage.stream(in_session(3, "three")).await.expect("the session is as it was").complete().await;
    let expected = ["one".to_owned(), text(1, 3), "three".to_owned(), text(3, 3)];
    assert_eq!(transcript(&stage, "mine").await.as_deref(), Some(&expected[..]));
    let fresh = Ask { prompt: "x".repeat(5000), ..Ask::new(4) };
    assert!(stage.stream(fresh).await.is_err());
    stage.until("the session that was made for it is gone", || stage.handles.status().active_sessions == 1).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_turn_at_a_time_per_record() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let first = stage.stream(in_session(1, "one").tokens(100)).await.expect("it is admitted");
    assert_eq!(stage.stream(in_session(2, "two")).await.map(|_| ()), Err(TurnError::SessionBusy("mine".into())));
    first.complete().await;
    stage.stream(in_session(2, "two")).await.expect("the first has ended").complete().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_ends_a_running_turn() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let mut stream = stage.stream(in_session(1, "one").tokens(2000)).await.expect("it is admitted");
    stream.read().await;
    let delete = || stage.handles.delete_session(OwnerId::local(), "mine".into());
    assert_eq!(within(delete()).await, Ok(true));
    assert_eq!(stream.fails().await, TurnError::SessionDeleted);
    assert_eq!(within(delete()).await, Ok(false));
    assert_eq!(transcript(&stage, "mine").await, None);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owner_sees_nothing() {
    let stage = Stage::new().await;
    stage.stream(in_session(1, "one")).await.expect("it is admitted").complete().await;
    let view = within(stage.handles.session("somebody".into(), "mine".into())).await.expect("the keeper answers");
    assert!(view.is_none());
    assert_eq!(within(stage.handles.delete_session("somebody".into(), "mine".into())).await, Ok(false));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_made_implicitly_go_first() {
    let stage = Stage::with(Limits { max_sessions: 5, ..Limits::default() }).await;
    stage.stream(in_session(1, "one")).await.expect("it is admitted").complete().await;
    for seed in 0..50 {
        stage.stream(Ask::new(seed).tokens(2)).await.expect("an idle session makes room").complete().await;
    }
    assert_eq!(stage.handles.status().active_sessions, 5);
    assert!(transcript(&stage, "mine").await.is_some(), "the one that was asked for is still there");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_only_if_all_run() {
    let stage = Stage::with(Limits { max_sessions: 2, ..Limits::default() }).await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let first = stage.stream(Ask::new(1)).await.expect("it is admitted");
    let second = stage.stream(Ask::new(2)).await.expect("it is admitted");
    assert!(matches!(stage.stream(Ask::new(3)).await, Err(TurnError::Overloaded { .. })));
    first.complete().await;
    stage.stream(Ask::new(3)).await.expect("there is room again").complete().await;
    second.complete().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_expire_but_never_in_the_middle_of_a_turn() {
    let limits = Limits { session_timeout: Duration::from_millis(100), session_cleanup: Duration::from_millis(20), ..Limits::default() };
    let stage = Stage::with(limits).await;
    stage.script.step_micros.store(5_000, Ordering::SeqCst);
    let stream = stage.stream(in_session(1, "one").tokens(100)).await.expect("it is admitted");
    let id: SessionId = stream.session.as_str().into();
    stream.complete().await;
    stage.until("it expires", || stage.handles.status().active_sessions == 0).await;
    assert_eq!(transcript(&stage, id.as_str()).await, None);
    stage.close().await;
}
