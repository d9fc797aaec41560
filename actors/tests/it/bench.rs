//! Figures of the control plane, printed with `--nocapture`. Nothing is asserted about time.

use std::time::{Duration, Instant};

use shammah_protocol::{OwnerId, SessionChoice};

use crate::stage::{Ask, Stage, within};

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

#[tokio::test(flavor = "multi_thread")]
async fn session_lookup_and_routing() {
    let stage = Stage::new().await;
    for seed in 0..90 {
        let session = SessionChoice::Record(format!("session {seed}").as_str().into());
        stage.stream(Ask { session, ..Ask::new(seed).tokens(2) }).await.expect("it is admitted").complete().await;
    }
    let (mut lookups, mut routes) = (Vec::new(), Vec::new());
    for round in 0..1000 {
        let id = format!("session {}", round % 90);
        let start = Instant::now();
        let view = within(stage.handles.session(OwnerId::local(), id.as_str().into())).await.expect("the keeper answers");
        lookups.push(start.elapsed());
        assert_eq!(view.expect("it exists").messages.len(), 2);
        let start = Instant::now();
        let router = stage.handles.router();
        assert!(router.resolve(Some("qwen-2.5-3b")).is_some());
        routes.push(start.elapsed());
    }
    for (what, times) in [("session lookup", &mut lookups), ("routing", &mut routes)] {
        println!("{what}: p50 {:?}, p99 {:?}", percentile(times, 50), percentile(times, 99));
    }
    stage.close().await;
}
