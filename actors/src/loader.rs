//! The actor that loads models and publishes the catalogue.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use shammah_protocol::{LoadError, LoadProgress, LoadedModel, ModelId, ModelSource};
use tokio::sync::watch;

use crate::address::Envelope;
use crate::catalogue::{Catalogue, EntryState, Loaded};
use crate::lane::Lane;

/// What the loader is told.
#[derive(Debug)]
pub(crate) enum LoaderMessage {
    /// Load the next model that waits.
    Next,
    Progress(ModelId, LoadProgress),
    Finished(ModelId, Box<Result<LoadedModel, LoadError>>),
}

/// Loads one model after the other, the default one first. What is loaded stays loaded when the loader is lost.
#[derive(Debug)]
pub(crate) struct ModelLoader;

/// The state of the loader.
#[derive(Debug)]
pub(crate) struct Loading {
    source: Arc<dyn ModelSource>,
    catalogue: Arc<watch::Sender<Catalogue>>,
}

impl Actor for ModelLoader {
    type Msg = Envelope<LoaderMessage>;
    type State = Loading;
    type Arguments = (Arc<dyn ModelSource>, Arc<watch::Sender<Catalogue>>);

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (source, catalogue): Self::Arguments) -> Result<Loading, ActorProcessingErr> {
        // A load that was under way died with the loader that waited for it.
        catalogue.send_if_modified(|catalogue| {
            let lost = catalogue.entries.iter_mut().filter(|entry| matches!(entry.state, EntryState::Loading(_)));
            lost.map(|entry| entry.state = EntryState::Waiting).count() > 0
        });
        myself.cast(LoaderMessage::Next.into())?;
        Ok(Loading { source, catalogue })
    }

    async fn handle(&self, myself: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Loading) -> Result<(), ActorProcessingErr> {
        match message.open() {
            LoaderMessage::Next => state.on_next(&myself),
            LoaderMessage::Progress(model, progress) => state.set(&model, EntryState::Loading(progress)),
            LoaderMessage::Finished(model, outcome) => {
                state.on_finished(&model, *outcome);
                myself.cast(LoaderMessage::Next.into())?;
            }
        }
        Ok(())
    }
}

impl Loading {
    fn on_next(&self, myself: &ActorRef<Envelope<LoaderMessage>>) {
        let next = self.catalogue.borrow().entries.iter().find(|entry| matches!(entry.state, EntryState::Waiting)).cloned();
        let Some(model) = next.map(|entry| entry.id) else { return };
        self.set(&model, EntryState::Loading(LoadProgress { done: 0, total: 0 }));
        let (source, loader) = (Arc::clone(&self.source), myself.clone());
        // Not awaited: it reports back, and a loader that is gone by then is not there to hear it.
        tokio::task::spawn_blocking(move || {
            let progress = |progress| {
                let _ = loader.cast(LoaderMessage::Progress(model.clone(), progress).into());
            };
            let load = std::panic::AssertUnwindSafe(|| source.load(&model, &progress));
            let outcome = std::panic::catch_unwind(load)
                .unwrap_or_else(|_| Err(LoadError::Invalid { what: model.to_string(), reason: "loading it panicked".to_owned() }));
            let _ = loader.cast(LoaderMessage::Finished(model.clone(), Box::new(outcome)).into());
        });
    }

    fn on_finished(&self, model: &ModelId, outcome: Result<LoadedModel, LoadError>) {
        match outcome {
            Ok(loaded) => {
                tracing::info!(%model, parameters = loaded.card.parameters, quantization = loaded.card.quantization, "model loaded");
                self.set(model, EntryState::Loaded(Loaded(Arc::new(Lane::new(loaded)))));
            }
            Err(error) => {
                tracing::error!(%model, %error, kind = error.kind(), "model cannot be loaded");
                self.set(model, EntryState::Failed(error));
            }
        }
    }

    fn set(&self, model: &ModelId, state: EntryState) {
        self.catalogue.send_modify(|catalogue| {
            if let Some(entry) = catalogue.entries.iter_mut().find(|entry| entry.id == *model) {
                entry.state = state;
            }
        });
    }
}
