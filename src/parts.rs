//! The parts of the tree, as the settings say.

use std::sync::Arc;

use shammah_actors::{Budget, Limits, MemoryStoreFactory, Parts, Unknown};
use shammah_engine::{EngineSettings, KvType, Source};

use crate::settings::{self, Settings, UnknownName};

/// The embedded demo model.
#[cfg(feature = "embedded-demo")]
const DEMO: Option<&[u8]> = Some(include_bytes!("../models/demo/shammah-demo-q8_0.gguf"));
#[cfg(not(feature = "embedded-demo"))]
const DEMO: Option<&[u8]> = None;

/// What the tree is made of.
pub fn parts(settings: &Settings) -> Parts {
    Parts { source: Arc::new(source(settings)), store: Arc::new(MemoryStoreFactory::default()), limits: limits(settings) }
}

fn source(settings: &Settings) -> Source {
    let engine = &settings.engine;
    let memory = sysinfo::System::new().map_or(0, |mut system| {
        system.refresh_memory();
        system.total_memory()
    });
    let source = Source::new(EngineSettings {
        kv_bytes: engine.kv_memory.bytes(memory),
        kv_type: match engine.kv_type {
            settings::KvType::F16 => KvType::F16,
            settings::KvType::F32 => KvType::F32,
        },
        step_target: engine.step_target,
    });
    let source = match &settings.models.path {
        Some(path) => source.with_path(path),
        None => source,
    };
    match DEMO {
        Some(demo) => source.with_demo(demo),
        None => source,
    }
}

fn limits(settings: &Settings) -> Limits {
    let Settings { server, models, inference, engine, admission, turn, router, supervision, shutdown, monitor, .. } = settings;
    Limits {
        max_turns: admission.max_turns,
        max_batch: engine.max_batch,
        queue: engine.queue,
        queue_timeout: admission.queue_timeout,
        stall_timeout: engine.stall_timeout,
        turn_deadline: turn.deadline,
        slow_client: turn.slow_client,
        max_attempts: turn.max_attempts,
        max_tokens: inference.max_tokens,
        max_sessions: server.max_sessions,
        session_timeout: server.session_timeout(),
        session_cleanup: server.session_cleanup_interval,
        wait_ready: router.wait_ready,
        grace: shutdown.grace,
        budget: Budget { max_restarts: supervision.max_restarts as usize, window: supervision.window },
        retry_failed: supervision.retry_failed,
        monitor_interval: monitor.interval,
        max_connections: server.max_connections,
        aliases: models.aliases.clone(),
        unknown: match server.resolve(models.unknown) {
            UnknownName::Refuse => Unknown::Refuse,
            UnknownName::Default | UnknownName::Auto => Unknown::Default,
        },
    }
}
