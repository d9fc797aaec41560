//! An answer that is made in this process, by a tree without a door.

use std::time::Duration;

use anyhow::{anyhow, bail};
use shammah_actors::{Answer, Asker, Blueprint, Handles, System};
use shammah_protocol::status::{ModelState, StatusReport};
use shammah_protocol::{ModelId, OwnerId, RequestId, TurnEvent};

use super::figures;
use super::question::Question;
use super::terminal::Terminal;
use crate::parts::parts;
use crate::settings::Settings;

/// A load that takes less is not worth a word.
const UNSEEN: Duration = Duration::from_millis(300);
/// How often the progress is shown.
const PERIOD: Duration = Duration::from_millis(100);

/// The tree and its one answer.
#[derive(Debug)]
pub(super) struct Local {
    system: System,
    answer: Answer,
    /// Who answers.
    pub(super) model: ModelId,
}

impl Local {
    /// Starts a tree, waits for its model and asks the question. Returns when the answer begins.
    ///
    /// # Errors
    /// If the model cannot be loaded, or refuses the question.
    pub(super) async fn ask(question: &Question, settings: &Settings, terminal: &Terminal) -> anyhow::Result<Self> {
        let blueprint = Blueprint::new(parts(settings));
        let handles = blueprint.handles();
        let mut system = blueprint.start(None).await.map_err(|error| anyhow!("the actors cannot be started: {error}"))?;
        let begun = tokio::select! {
            begun = begin(&handles, question, terminal) => begun,
            _ = system.gave_up() => Err(gave_up()),
        };
        let (model, answer) = begun?;
        Ok(Self { system, answer, model })
    }

    /// More text; `None` after a good end.
    ///
    /// # Errors
    /// If the answer fails.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        let event = tokio::select! {
            event = self.answer.next() => event,
            _ = self.system.gave_up() => return Err(gave_up()),
        };
        match event {
            Some(TurnEvent::Text(text)) => Ok(Some(text)),
            Some(TurnEvent::Finished { .. }) => Ok(None),
            Some(TurnEvent::Failed(error)) => Err(error.into()),
            None => bail!("the answer has no end"),
        }
    }

    /// Stops the tree.
    pub(super) async fn stop(self) {
        self.system.stop().await;
    }
}

async fn begin(handles: &Handles, question: &Question, terminal: &Terminal) -> anyhow::Result<(ModelId, Answer)> {
    let status = settled(handles, terminal).await;
    if status.state != ModelState::Ready {
        bail!("{}", status.error.as_deref().unwrap_or("the model cannot be loaded"));
    }
    let asker = Asker {
        owner: OwnerId::local(),
        request: RequestId::random(),
        #[cfg(debug_assertions)]
        fault: None,
    };
    let (start, answer) = handles.turns.start(handles.turns.admit()?, asker, question.request()).await?;
    Ok((start.model, answer))
}

/// The state once the model is loaded or has failed. The wait is shown.
async fn settled(handles: &Handles, terminal: &Terminal) -> StatusReport {
    let watch = async {
        tokio::time::sleep(UNSEEN).await;
        loop {
            terminal.progress(&progress(&handles.status()));
            tokio::time::sleep(PERIOD).await;
        }
    };
    let status = tokio::select! {
        status = handles.settled() => status,
        () = watch => unreachable!("it is watched until it settles"),
    };
    terminal.clear_progress();
    status
}

fn progress(status: &StatusReport) -> String {
    match &status.loading {
        Some(loading) if loading.total > 0 => {
            format!("loading the model: {} of {}", figures::percent(loading.bytes, loading.total), figures::bytes(loading.total))
        }
        _ => "loading the model".to_owned(),
    }
}

fn gave_up() -> anyhow::Error {
    anyhow!("the engine crashed again and again; SHAMMAH_LOG=info shows why")
}
