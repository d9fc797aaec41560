use jiff::Timestamp;
use shammah_protocol::status::{
    CpuReport, DownloadReport, LoadingReport, MemoryReport, ModelReport, ModelState, QueueReport, ThroughputReport,
};

use super::*;

fn actor(name: &str, state: ActorState) -> ActorReport {
    ActorReport { name: name.into(), id: None, state, restarts: 0, last_error: None, mailbox: 0, uptime_seconds: 192.4 }
}

fn status() -> StatusReport {
    StatusReport {
        state: ModelState::Ready,
        model: Some(ModelReport {
            id: "shammah-demo".into(),
            architecture: "qwen2".into(),
            parameters: 4_284_160,
            quantization: "Q8_0".into(),
            context_window: 2048,
            adapter: None,
            demo: true,
            notice: Some("This is a demo.".into()),
        }),
        download: None,
        loading: None,
        error: None,
        // As the daemon gives them: one board after the other.
        actors: vec![
            actor("store", ActorState::Running),
            actor("inference", ActorState::Running),
            ActorReport { mailbox: 12, ..actor("sessions", ActorState::Running) },
            actor("inference/loader", ActorState::Running),
            ActorReport {
                restarts: 2,
                last_error: Some("the engine panicked:\n  a crash\u{1b}[2J".into()),
                uptime_seconds: 0.5,
                ..actor("inference/generator-shammah-demo", ActorState::Restarting)
            },
        ],
        uptime_seconds: 192.4,
        active_sessions: 2,
        memory: MemoryReport { process_bytes: 120 << 20, available_bytes: 5 << 30, total_bytes: 16 << 30 },
        cpu: CpuReport { process_percent: 83.2, cores: 2 },
        queues: QueueReport { turns: 3, max_turns: 64, sequences_running: 2, sequences_waiting: 1, kv_pages_used: 12, kv_pages_total: 400 },
        throughput: ThroughputReport { prompt_tokens_per_second: 512.0, completion_tokens_per_second: 123.44 },
        version: "0.1.0".into(),
        taken_at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_page_shows_the_whole() {
    let expected = "\
state      Ready
model      shammah-demo
           qwen2, 4.3M parameters, Q8_0, window of 2048 tokens
           This is a demo.
uptime     3m 12s
sessions   2
turns      3 of 64
sequences  2 running, 1 waiting
tokens/s   123.4 drawn, 512.0 of prompts
kv cache   12 of 400 pages
memory     120 MiB; 5.0 GiB of 16 GiB are available
cpu        83 % of 200 %
version    0.1.0

actors                    state       restarts  mailbox  uptime
store                     running            0        0  3m 12s
inference                 running            0        0  3m 12s
  loader                  running            0        0  3m 12s
  generator-shammah-demo  restarting         2        0  0s
    last error: the engine panicked: a crash[2J
sessions                  running            0       12  3m 12s
";
    assert_eq!(show(&status()), expected);
}

#[test]
fn what_is_on_its_way_is_shown() {
    let download = DownloadReport { file: "a.gguf".into(), bytes: 1 << 20, total: 1 << 30, bytes_per_second: 2_097_152.0 };
    let loading = LoadingReport { bytes: 1 << 29, total: 1 << 30 };
    let error = Some("there is no model at a.gguf".to_owned());
    let status =
        StatusReport { state: ModelState::Failed, model: None, download: Some(download), loading: Some(loading), error, ..status() };
    let expected = "\
state      Failed
error      there is no model at a.gguf
download   1.0 MiB of 1.0 GiB of a.gguf, 2.0 MiB/s
loading    50 % of 1.0 GiB
uptime ";
    assert!(show(&status).starts_with(expected), "{}", show(&status));
}

#[test]
fn an_actor_without_its_parent_is_shown_too() {
    let lonely = vec![actor("a/b/c", ActorState::Failed), actor("a", ActorState::Stopped), actor("x", ActorState::Starting)];
    let page = show(&StatusReport { actors: lonely, ..status() });
    let names =
        page.lines().skip_while(|line| !line.starts_with("actors")).skip(1).map(|line| line.split("  ").find(|part| !part.is_empty()));
    assert_eq!(names.collect::<Vec<_>>(), [Some("a"), Some("c"), Some("x")]);
}
