//! Starting, stopping and being killed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::{DEADLINE, Daemon, command};
use crate::reply::read;

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_killed_daemon_leaves_nothing_that_hinders_the_next() {
    let mut daemon = Daemon::start().await;
    daemon.signal("-KILL");
    daemon.ended().await;
    let home = daemon.into_home();
    assert!(home.path().join("daemon.pid").exists(), "it had no chance to clean up");
    let (code, _, error) = run(command(home.path()).arg("status"));
    assert_eq!(code, Some(1), "{error}");
    let daemon = Daemon::spawn(home, &[], &[]).await;
    daemon.until_ready().await;
    assert_eq!(daemon.ask("What is the capital of France?").await, "The capital of France is Paris.");
    daemon.stop().await;
}

#[tokio::test]
async fn of_two_starts_one_wins() {
    let home = tempfile::tempdir().unwrap();
    let start = || command(home.path()).args(["daemon", "--bind", "127.0.0.1:0"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let (mut one, mut two) = (start().unwrap(), start().unwrap());
    let ended = |child: &mut std::process::Child| child.try_wait().unwrap().is_some();
    let start = Instant::now();
    let (loser, mut winner) = loop {
        match (ended(&mut one), ended(&mut two)) {
            (true, _) => break (one, two),
            (_, true) => break (two, one),
            _ => assert!(start.elapsed() < DEADLINE, "both run"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let output = loser.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("daemon"), "it says why: {words}");
    assert!(winner.try_wait().unwrap().is_none(), "the other runs");
    winner.kill().unwrap();
    winner.wait().unwrap();
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let daemon = Daemon::start().await;
    let address = daemon.base.trim_start_matches("http://").to_owned();
    let (code, _, error) = run(command(daemon.home.path()).args(["daemon", "--bind", &address]));
    assert_eq!(code, Some(1));
    assert!(error.contains("already runs") && error.contains(&daemon.pid().to_string()), "{error}");
    let other = tempfile::tempdir().unwrap();
    let (code, _, error) = run(command(other.path()).args(["daemon", "--bind", &address]));
    assert_eq!(code, Some(1));
    assert!(error.contains("another shammah") && error.contains("--bind"), "{error}");
    daemon.stop().await;
}

#[tokio::test]
async fn both_signals_end_it_well_even_under_load() {
    for signal in ["-TERM", "-INT"] {
        let mut daemon = Daemon::with(&[("SHAMMAH__SHUTDOWN__GRACE", "5s")], &[]).await;
        let body = json!({"max_tokens": 200, "messages": [{"role": "user", "content": "Tell me a story"}]});
        let streams: Vec<_> = (0..8).map(|_| tokio::spawn(read(daemon.request("/v1/messages/stream", &body)))).collect();
        daemon.until("they run", async || daemon.status().await["queues"]["sequences_running"].as_u64() > Some(4)).await;
        daemon.signal(signal);
        for stream in streams {
            let names = stream.await.unwrap().names();
            assert_eq!(names.last().map(String::as_str), Some("message_stop"), "streams go on to their end: {names:?}");
        }
        assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
        for file in ["daemon.pid", "daemon.addr"] {
            assert!(!daemon.home.path().join(file).exists());
        }
    }
}

#[tokio::test]
async fn a_second_signal_ends_streams_with_one_error() {
    let mut daemon = Daemon::with(&[("SHAMMAH__ENGINE__STALL_TIMEOUT", "50s")], &[]).await;
    let body = json!({"max_tokens": 200, "messages": [{"role": "user", "content": "Tell me a story"}]});
    let stream = tokio::spawn(read(daemon.request("/v1/messages/stream", &body).header("x-shammah-fault", "hang@5")));
    daemon.until("it runs", async || daemon.status().await["queues"]["sequences_running"] == 1).await;
    daemon.signal("-TERM");
    daemon.until("it drains", async || daemon.whole_log().contains("stopping")).await;
    daemon.signal("-TERM");
    let names = stream.await.unwrap().names();
    assert_eq!(names.iter().filter(|name| *name == "error").count(), 1, "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("error"));
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_stop_command_stops_it() {
    let mut daemon = Daemon::start().await;
    let home = daemon.home.path().to_owned();
    let stopping = tokio::task::spawn_blocking(move || (run(command(&home).arg("stop")), run(command(&home).arg("stop"))));
    assert_eq!(daemon.ended().await.code(), Some(0));
    let (first, second) = stopping.await.unwrap();
    assert_eq!((first.0, second.0), (Some(0), Some(0)), "{first:?} {second:?}");
}

#[tokio::test]
async fn wrong_settings_are_named_before_anything_binds() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "[server]\nbind_adress = \"127.0.0.1:1\"\n").unwrap();
    for arguments in [&["daemon"][..], &["config", "check"][..]] {
        let (code, _, error) = run(command(home.path()).args(arguments));
        assert_eq!(code, Some(64), "{error}");
        assert!(error.contains("bind_adress") && error.contains("bind_address"), "{error}");
    }
    std::fs::remove_file(home.path().join("config.toml")).unwrap();
    let (code, _, error) = run(command(home.path()).args(["daemon", "--bind", "0.0.0.0:0"]));
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("key"), "{error}");
    let (code, shown, _) = run(command(home.path()).args(["config", "show"]));
    assert_eq!(code, Some(0));
    assert!(shown.contains("[server]") && shown.contains("bind_address"));
}

/// candle's pool, which runs the quantized types that have no kernel of our own, does not survive a panic.
#[tokio::test]
async fn a_panic_in_the_compute_pool_ends_the_process_with_70() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("tiny.gguf");
    let path = model.to_str().unwrap();
    let (code, _, error) = run(command(home.path()).args(["model", "--synthetic", "tiny", "--type", "q4_0", "--output", path]));
    assert_eq!(code, Some(0), "{error}");
    let mut daemon = Daemon::spawn(home, &[("SHAMMAH__ENGINE__THREADS", "2")], &["--model", path]).await;
    daemon.until_ready().await;
    let body = json!({"max_tokens": 50, "messages": [{"role": "user", "content": "Tell me a story"}]});
    assert_eq!(daemon.post("/v1/messages", &body).await.status, 200);
    let stream = tokio::spawn(daemon.request("/v1/messages/stream", &body).header("x-shammah-fault", "kernel@5").send());
    assert_eq!(daemon.ended().await.code(), Some(70), "{}", daemon.log());
    stream.abort();
}
