//! The models that are known, and how far each is.

use std::sync::Arc;

use shammah_protocol::{LoadError, LoadProgress, ModelCard, ModelId};

use crate::lane::Lane;

/// An immutable snapshot, published by the loader. The first entry is the default model.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    pub entries: Vec<Entry>,
}

/// One model.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: ModelId,
    pub state: EntryState,
}

/// Where a model stands.
#[derive(Clone, Debug)]
pub enum EntryState {
    /// Its load has not begun.
    Waiting,
    Loading(LoadProgress),
    Loaded(Loaded),
    Failed(LoadError),
}

/// A model whose weights are in memory.
#[derive(Clone, Debug)]
pub struct Loaded(pub(crate) Arc<Lane>);

impl Loaded {
    /// The properties of the model.
    pub fn card(&self) -> &Arc<ModelCard> {
        &self.0.model.card
    }
}

impl Catalogue {
    /// Models whose load has not begun, the default one first.
    pub(crate) fn of(models: Vec<ModelId>) -> Self {
        Self { entries: models.into_iter().map(|id| Entry { id, state: EntryState::Waiting }).collect() }
    }

    pub(crate) fn entry(&self, model: &ModelId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == *model)
    }

    pub(crate) fn lane(&self, model: &ModelId) -> Option<&Arc<Lane>> {
        match &self.entry(model)?.state {
            EntryState::Loaded(Loaded(lane)) => Some(lane),
            _ => None,
        }
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.entries.iter().filter_map(|entry| self.lane(&entry.id))
    }

    /// The properties of all loaded models.
    pub fn cards(&self) -> Vec<Arc<ModelCard>> {
        self.lanes().map(|lane| Arc::clone(&lane.model.card)).collect()
    }
}
