//! A status report as a page of text.

use std::fmt::Write;
use std::time::Duration;

use shammah_protocol::status::{ActorReport, ActorState, StatusReport};

use super::figures;
use super::terminal::harmless;

/// Width of the names before the values.
const NAME: usize = 11;
/// What one level of the tree is indented by.
const INDENT: usize = 2;

/// The whole page. Writing to a text does not fail, so that results of it are let go.
pub(super) fn show(status: &StatusReport) -> String {
    let mut page = String::new();
    for (name, value) in facts(status) {
        let _ = writeln!(page, "{name:NAME$}{}", one_line(&value));
    }
    page.push('\n');
    tree(&mut page, &status.actors);
    page
}

fn facts(status: &StatusReport) -> Vec<(&'static str, String)> {
    let mut facts = vec![("state", format!("{:?}", status.state))];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("error", status.error.clone());
    add(
        "download",
        status.download.as_ref().map(|download| {
            let (bytes, total) = (figures::bytes(download.bytes), figures::bytes(download.total));
            format!("{} of {total} of {}, {}/s", bytes, download.file, figures::bytes(download.bytes_per_second as u64))
        }),
    );
    add("loading", status.loading.map(|load| format!("{} of {}", figures::percent(load.bytes, load.total), figures::bytes(load.total))));
    if let Some(model) = &status.model {
        let (parameters, window) = (figures::count(model.parameters), model.context_window);
        add("model", Some(model.id.clone()));
        add("", Some(format!("{}, {parameters} parameters, {}, window of {window} tokens", model.architecture, model.quantization)));
        add("", model.adapter.as_ref().map(|adapter| format!("with the adapter {adapter}")));
        add("", model.notice.clone());
    }
    let (queues, memory, cpu, rate) = (&status.queues, &status.memory, &status.cpu, &status.throughput);
    add("uptime", Some(uptime(status.uptime_seconds)));
    add("sessions", Some(status.active_sessions.to_string()));
    add("turns", Some(format!("{} of {}", queues.turns, queues.max_turns)));
    add("sequences", Some(format!("{} running, {} waiting", queues.sequences_running, queues.sequences_waiting)));
    add("tokens/s", Some(format!("{:.1} drawn, {:.1} of prompts", rate.completion_tokens_per_second, rate.prompt_tokens_per_second)));
    add("kv cache", Some(format!("{} of {} pages", queues.kv_pages_used, queues.kv_pages_total)));
    let [process, available, total] = [memory.process_bytes, memory.available_bytes, memory.total_bytes].map(figures::bytes);
    add("memory", Some(format!("{process}; {available} of {total} are available")));
    add("cpu", Some(format!("{:.0} % of {} %", cpu.process_percent, cpu.cores * 100)));
    add("version", Some(status.version.clone()));
    facts
}

fn tree(page: &mut String, actors: &[ActorReport]) {
    let mut actors = actors.iter().collect::<Vec<_>>();
    let place = |path: &str| actors.iter().position(|actor| actor.name == path).unwrap_or(usize::MAX);
    let mut rows = actors.iter().map(|actor| (prefixes(&actor.name).map(place).collect::<Vec<_>>(), *actor)).collect::<Vec<_>>();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    actors = rows.into_iter().map(|(_, actor)| actor).collect();

    let width = actors.iter().map(|actor| label(actor).chars().count()).max().unwrap_or(0).max("actors".len());
    let _ = writeln!(page, "{:width$}  {:10}  restarts  mailbox  uptime", "actors", "state");
    for actor in actors {
        let (state, uptime) = (state(actor.state), uptime(actor.uptime_seconds));
        let _ = writeln!(page, "{:width$}  {state:10}  {:>8}  {:>7}  {uptime}", label(actor), actor.restarts, actor.mailbox);
        if let Some(error) = &actor.last_error {
            let _ = writeln!(page, "{:indent$}last error: {}", "", one_line(error), indent = INDENT * (depth(actor) + 1));
        }
    }
}

/// `a`, `a/b`, `a/b/c`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end]).chain([path])
}

fn depth(actor: &ActorReport) -> usize {
    actor.name.matches('/').count()
}

fn label(actor: &ActorReport) -> String {
    let name = actor.name.rsplit('/').next().unwrap_or_default();
    format!("{:indent$}{name}", "", indent = INDENT * depth(actor))
}

fn state(state: ActorState) -> &'static str {
    match state {
        ActorState::Starting => "starting",
        ActorState::Running => "running",
        ActorState::Restarting => "restarting",
        ActorState::Failed => "failed",
        ActorState::Stopped => "stopped",
    }
}

fn uptime(seconds: f64) -> String {
    figures::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// An actor's last words may be anything.
fn one_line(text: &str) -> String {
    harmless(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests;
