//! The actor that watches the machine, and the view of the whole that `/v1/status` and `/metrics` read.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use shammah_protocol::ModelCard;
use shammah_protocol::status::{
    ActorReport, CpuReport, HealthReport, LoadingReport, MemoryReport, ModelReport, ModelState, QueueReport, StatusReport, ThroughputReport,
};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::address::Envelope;
use crate::catalogue::{Catalogue, EntryState};
use crate::meters::Meters;
use crate::supervisor::Board;
use crate::tally::Tally;
use crate::timer::Timer;

/// What the monitor is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MonitorMessage {
    /// Time to look.
    Look,
}

/// Figures that only a look at the machine gives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vitals {
    memory: MemoryReport,
    cpu: CpuReport,
    throughput: ThroughputReport,
}

/// Looks at the machine at intervals.
#[derive(Debug)]
pub(crate) struct Monitor;

/// What a monitor is made of.
#[derive(Clone, Debug)]
pub(crate) struct MonitorSpec {
    pub(crate) interval: Duration,
    pub(crate) view: View,
    pub(crate) vitals: Arc<watch::Sender<Vitals>>,
}

/// The state of the monitor.
#[derive(Debug)]
pub(crate) struct Watching {
    spec: MonitorSpec,
    system: System,
    seen: Option<(Instant, Totals)>,
    _look: Timer,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    prompt: u64,
    generated: u64,
}

impl Actor for Monitor {
    type Msg = Envelope<MonitorMessage>;
    type State = Watching;
    type Arguments = MonitorSpec;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, spec: MonitorSpec) -> Result<Watching, ActorProcessingErr> {
        let look = Timer::every(&myself, spec.interval, || MonitorMessage::Look);
        myself.cast(MonitorMessage::Look.into())?;
        Ok(Watching { spec, system: System::new()?, seen: None, _look: look })
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Watching) -> Result<(), ActorProcessingErr> {
        match message.open() {
            MonitorMessage::Look => state.look(),
        }
        Ok(())
    }
}

impl Watching {
    fn look(&mut self) {
        let pid = Pid::from_u32(std::process::id());
        self.system.refresh_memory();
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let process = self.system.process(pid);
        let memory = MemoryReport {
            process_bytes: process.map_or(0, sysinfo::Process::memory),
            available_bytes: self.system.available_memory(),
            total_bytes: self.system.total_memory(),
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cpu = CpuReport { process_percent: process.map_or(0.0, sysinfo::Process::cpu_usage), cores };
        let (now, totals) = (Instant::now(), self.spec.view.totals());
        let throughput = self.seen.replace((now, totals)).map_or_else(ThroughputReport::default, |(then, before)| {
            let seconds = (now - then).as_secs_f64().max(f64::EPSILON);
            let rate = |now: u64, before: u64| (now.saturating_sub(before)) as f64 / seconds;
            ThroughputReport {
                prompt_tokens_per_second: rate(totals.prompt, before.prompt),
                completion_tokens_per_second: rate(totals.generated, before.generated),
            }
        });
        self.spec.vitals.send_replace(Vitals { memory, cpu, throughput });
        self.spec.view.measure();
    }
}

/// A view of the whole tree. Reading it asks no actor, so it answers whatever is stuck.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) started: Instant,
    pub(crate) catalogue: watch::Receiver<Catalogue>,
    /// Each supervisor's path and board.
    pub(crate) boards: Vec<(&'static str, Arc<Board>)>,
    pub(crate) sessions: watch::Receiver<usize>,
    pub(crate) turns: Tally,
    pub(crate) max_turns: usize,
    pub(crate) vitals: watch::Receiver<Vitals>,
    pub(crate) meters: Arc<Meters>,
}

/// What is said of the demo wherever it answers.
const DEMO_NOTICE: &str = "This is the embedded demo model: small, and no assistant. For a real one, start with `--model PATH` (a GGUF \
                           file or a folder with safetensors), or set `models.path` in config.toml.";

impl View {
    pub(crate) fn status(&self) -> StatusReport {
        let catalogue = self.catalogue.borrow().clone();
        let vitals = *self.vitals.borrow();
        let (state, loading, error, model) = default_model(&catalogue);
        StatusReport {
            state,
            model: model.as_deref().map(model_report),
            download: None,
            loading,
            error,
            actors: self.actors(),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            active_sessions: *self.sessions.borrow(),
            memory: vitals.memory,
            cpu: vitals.cpu,
            queues: self.queues(&catalogue),
            throughput: vitals.throughput,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: Timestamp::now(),
        }
    }

    pub(crate) fn health(&self) -> HealthReport {
        let status = self.status();
        HealthReport {
            status: status.health(),
            uptime_seconds: status.uptime_seconds,
            active_sessions: status.active_sessions,
            state: status.state,
            version: status.version,
        }
    }

    /// Whether the default model answers.
    pub(crate) fn is_ready(&self) -> bool {
        default_model(&self.catalogue.borrow()).0 == ModelState::Ready
    }

    /// Writes what is counted elsewhere into the meters.
    pub(crate) fn measure(&self) {
        let (catalogue, meters) = (self.catalogue.borrow().clone(), &self.meters);
        let (queues, totals) = (self.queues(&catalogue), self.totals());
        let pages = catalogue.lanes().map(|lane| lane.model.engines.pages()).collect::<Vec<_>>();
        let running = |counter: &Counter, total: u64| counter.inner().store(total, Ordering::Relaxed);
        running(&meters.restarts, self.actors().iter().map(|actor| actor.restarts).sum());
        meters.sessions.set(*self.sessions.borrow() as i64);
        meters.turns.set(queues.turns as i64);
        meters.running.set(queues.sequences_running as i64);
        meters.waiting.set(queues.sequences_waiting as i64);
        meters.kv_usage.set(queues.kv_pages_used as f64 / queues.kv_pages_total.max(1) as f64);
        running(&meters.prompt_tokens, totals.prompt);
        running(&meters.generation_tokens, totals.generated);
        running(&meters.prefix_queries, pages.iter().map(|pages| pages.queried_tokens).sum());
        running(&meters.prefix_hits, pages.iter().map(|pages| pages.hit_tokens).sum());
    }

    pub(crate) fn actors(&self) -> Vec<ActorReport> {
        let reports =
            |(path, board): &(&'static str, Arc<Board>)| board.borrow().iter().map(|child| child.report(path)).collect::<Vec<_>>();
        self.boards.iter().flat_map(reports).collect()
    }

    fn queues(&self, catalogue: &Catalogue) -> QueueReport {
        let mut queues = QueueReport { turns: self.turns.count(), max_turns: self.max_turns, ..QueueReport::default() };
        for lane in catalogue.lanes() {
            let pages = lane.model.engines.pages();
            let counts = lane.gauges.counts();
            queues.sequences_running += counts.running.count();
            queues.sequences_waiting += counts.waiting.count();
            queues.kv_pages_used += pages.used;
            queues.kv_pages_total += pages.capacity;
        }
        queues
    }

    fn totals(&self) -> Totals {
        self.catalogue.borrow().lanes().fold(Totals::default(), |totals, lane| Totals {
            prompt: totals.prompt + lane.gauges.prompt_tokens.load(Ordering::Relaxed),
            generated: totals.generated + lane.gauges.generated_tokens.load(Ordering::Relaxed),
        })
    }
}

type Default = (ModelState, Option<LoadingReport>, Option<String>, Option<Arc<ModelCard>>);

fn default_model(catalogue: &Catalogue) -> Default {
    let Some(entry) = catalogue.entries.first() else { return (ModelState::Initializing, None, None, None) };
    match &entry.state {
        EntryState::Waiting => (ModelState::Initializing, None, None, None),
        EntryState::Loading(progress) => {
            (ModelState::Loading, Some(LoadingReport { bytes: progress.done, total: progress.total }), None, None)
        }
        EntryState::Loaded(loaded) => {
            let state = if loaded.0.is_ready() { ModelState::Ready } else { ModelState::Loading };
            (state, None, None, Some(Arc::clone(loaded.card())))
        }
        EntryState::Failed(error) => (ModelState::Failed, None, Some(error.to_string()), None),
    }
}

fn model_report(card: &ModelCard) -> ModelReport {
    ModelReport {
        id: card.id.to_string(),
        architecture: card.architecture.clone(),
        parameters: card.parameters,
        quantization: card.quantization.clone(),
        context_window: card.context_window,
        adapter: None,
        demo: card.demo,
        notice: card.demo.then(|| DEMO_NOTICE.to_owned()),
    }
}
