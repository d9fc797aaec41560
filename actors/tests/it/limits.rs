//! Every limit, and what a client hears at it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shammah_actors::Limits;
use shammah_protocol::{TurnError, TurnEvent};

use crate::scripted::text;
use crate::stage::{Ask, Stage, all, within};

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_the_permits() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    let mut clients: Vec<_> = (0..640).map(|seed| stage.client(Ask::new(seed))).collect();
    let outcomes = within(futures_util::future::join_all(clients.drain(..))).await;
    let (answered, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().map(|outcome| outcome.expect("no panic")).partition(Result::is_ok);
    assert!(answered.len() >= 64, "{}", answered.len());
    assert!(refused.len() >= 400, "{}", refused.len());
    assert!(refused.into_iter().all(|refusal| matches!(refusal, Err(TurnError::Overloaded { .. }))));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses() {
    let stage = Stage::with(Limits { max_batch: 2, queue: 3, ..Limits::default() }).await;
    stage.script.step_micros.store(2_000, Ordering::SeqCst);
    let running = [1, 2].map(|seed| stage.client(Ask::new(seed)));
    stage.until("the batch is full", || stage.handles.status().queues.sequences_running == 2).await;
    let outcomes = futures_util::future::join_all((10..30).map(|seed| stage.client(Ask::new(seed).tokens(5)))).await;
    let answered = outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(Ok(())))).count();
    assert_eq!(answered, 3, "three waited, the others were refused");
    all(running).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends() {
    let stage = Stage::with(Limits { max_batch: 1, queue_timeout: Duration::from_millis(50), ..Limits::default() }).await;
    stage.script.step_micros.store(2_000, Ordering::SeqCst);
    let running = stage.client(Ask::new(1));
    stage.until("the batch is full", || stage.handles.status().queues.sequences_running == 1).await;
    let waiting = stage.stream(Ask::new(2)).await;
    assert!(matches!(waiting, Err(TurnError::Overloaded { .. })));
    all([running]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_clients_hang_up() {
    let stage = &Stage::new().await;
    stage.script.step_micros.store(500, Ordering::SeqCst);
    let staying: Vec<_> = (0..32).map(|seed| stage.client(Ask::new(seed))).collect();
    let leaving = (32..64).map(|seed| async move {
        let mut stream = stage.stream(Ask::new(seed)).await.expect("it is admitted");
        stream.read().await;
    });
    within(futures_util::future::join_all(leaving)).await;
    all(staying).await;
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_parks_its_sequence_only() {
    let stage = Stage::with(Limits { slow_client: Duration::from_millis(300), ..Limits::default() }).await;
    let slow = stage.stream(Ask::new(1).tokens(2000)).await.expect("it is admitted");
    for seed in 2..10 {
        stage.stream(Ask::new(seed)).await.expect("others are not held up").complete().await;
    }
    let mut slow = slow;
    stage.until("the slow turn has ended", || stage.handles.status().queues.turns == 0).await;
    let (mut read, mut end) = (String::new(), None);
    while let Some(event) = within(slow.answer.next()).await {
        match event {
            TurnEvent::Text(text) => read.push_str(&text),
            other => end = Some(other),
        }
    }
    assert_eq!(end, Some(TurnEvent::Failed(TurnError::SlowClient)));
    assert!(text(1, 2000).starts_with(&read));
    let tokens = read.len() / 4;
    assert!((32..60).contains(&tokens), "only what the channels hold was computed ahead, not {tokens}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_has_a_deadline() {
    let stage = Stage::with(Limits { turn_deadline: Duration::from_millis(200), ..Limits::default() }).await;
    stage.script.step_micros.store(5_000, Ordering::SeqCst);
    let stream = stage.stream(Ask::new(1).tokens(2000)).await.expect("it is admitted");
    assert!(matches!(stream.fails().await, TurnError::Deadline(_)));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_over_the_window_is_refused() {
    let stage = Stage::new().await;
    let long = Ask { prompt: "x".repeat(5000), ..Ask::new(1) };
    assert!(matches!(stage.stream(long).await, Err(TurnError::PromptTooLong { window: 4096, .. })));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn max_tokens_is_clamped_to_the_window() {
    let stage = Stage::new().await;
    // "user: " + 4000 + a line break leaves 89 tokens.
    let ask = Ask { prompt: "x".repeat(4000), tokens: 1_000_000, ..Ask::new(1) };
    let mut stream = stage.stream(ask).await.expect("it is admitted");
    let mut read = String::new();
    while let Some(event) = within(stream.answer.next()).await {
        if let TurnEvent::Text(text) = event {
            read.push_str(&text);
        }
    }
    assert_eq!(read, text(1, 89));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_string_ends_the_answer_before_it() {
    let stage = Stage::new().await;
    let whole = text(5, 200);
    let stop = whole[101..110].to_owned();
    let expected = whole[..whole.find(&stop).expect("it is there")].to_owned();
    let mut stream = stage.stream(Ask { stop: vec![stop.clone()], ..Ask::new(5) }).await.expect("it is admitted");
    let mut read = String::new();
    let end = loop {
        match within(stream.answer.next()).await.expect("there is an end") {
            TurnEvent::Text(text) => read.push_str(&text),
            end => break end,
        }
    };
    assert_eq!(read, expected);
    assert!(matches!(end, TurnEvent::Finished { reason: shammah_protocol::FinishReason::StopSequence(found), .. } if found == stop));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_share_steps() {
    let stage = Stage::new().await;
    stage.script.step_micros.store(1_000, Ordering::SeqCst);
    all((0..16).map(|seed| stage.client(Ask::new(seed))).collect::<Vec<_>>()).await;
    assert!(stage.script.largest_step.load(Ordering::SeqCst) >= 12);
    stage.close().await;
}
