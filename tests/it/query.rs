//! The command line as its users meet it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::daemon::{Daemon, command};

fn text(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const FRANCE: &str = "What is the capital of France?";
const PARIS: &str = "The capital of France is Paris.\n";

#[test]
fn it_answers_offline_without_a_daemon() {
    let home = tempfile::tempdir().unwrap();
    // A network namespace that has loopback only, where the system lets us make one.
    let isolated = Command::new("unshare").args(["-r", "-n", "true"]).status().is_ok_and(|status| status.success());
    let (code, answer, error) = if isolated {
        let mut unshare = Command::new("unshare");
        unshare.args(["-r", "-n", env!("CARGO_BIN_EXE_shammah"), "query", FRANCE]).env("SHAMMAH_HOME", home.path());
        text(unshare.stdin(Stdio::null()))
    } else {
        text(command(home.path()).args(["query", FRANCE]))
    };
    assert_eq!((code, answer.as_str()), (Some(0), PARIS), "{error}");
}

#[tokio::test]
async fn it_uses_a_running_daemon() {
    let daemon = Daemon::start().await;
    let home = daemon.home.path().to_owned();
    let asked = tokio::task::spawn_blocking(move || text(command(&home).args(["query", "--session", "cli", FRANCE])));
    let (code, answer, error) = asked.await.unwrap();
    assert_eq!((code, answer.as_str()), (Some(0), PARIS), "{error}");
    assert_eq!(daemon.get("/v1/session/cli").await.json()["message_count"], 2, "the daemon has answered");
    daemon.stop().await;
}

#[test]
fn it_reads_what_is_piped_in() {
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path()).arg("query").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(FRANCE.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), PARIS);
}

#[test]
fn errors_are_one_sentence_and_a_code() {
    let home = tempfile::tempdir().unwrap();
    let (code, answer, error) = text(command(home.path()).args(["--model", "/nowhere/model.gguf", "query", FRANCE]));
    assert_eq!((code, answer.as_str()), (Some(1), ""));
    assert!(error.contains("/nowhere/model.gguf"), "{error}");
    let (code, _, error) = text(command(home.path()).arg("status"));
    assert_eq!(code, Some(1));
    assert!(error.contains("shammah daemon"), "it says what to do: {error}");
    let (code, _, _) = text(command(home.path()).args(["query", "--no-such-flag"]));
    assert_eq!(code, Some(64));
}
