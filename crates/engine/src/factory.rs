//! What outlives an engine: weights, pages, store.

use std::fmt;
use std::sync::Arc;

use shammah_protocol::{Engine, EngineFactory, Incarnation, PageUsage, TokenId};

use crate::decoder::Decoder;
use crate::engine::BatchEngine;
use crate::pages::{PagePool, PageShape, PageStore};
use crate::settings::EngineSettings;

/// Makes engines over one loaded model.
pub(crate) struct Factory(Arc<Shared>);

/// What all engines of a model share.
pub(crate) struct Shared {
    pub(crate) decoder: Decoder,
    /// Tokens that end an answer.
    pub(crate) ends: Vec<TokenId>,
    pub(crate) pool: PagePool,
    pub(crate) store: PageStore,
    pub(crate) settings: EngineSettings,
}

impl Factory {
    pub(crate) fn new(decoder: Decoder, ends: Vec<TokenId>, settings: EngineSettings) -> Self {
        let config = decoder.config();
        let shape = PageShape { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim, kv_type: settings.kv_type };
        let pool = PagePool::new(shape, settings.kv_bytes);
        Self(Arc::new(Shared { decoder, ends, pool, store: PageStore::default(), settings }))
    }
}

impl EngineFactory for Factory {
    fn engine(&self, incarnation: Incarnation) -> Box<dyn Engine> {
        Box::new(BatchEngine::new(self.0.clone(), incarnation))
    }

    fn fence(&self, incarnation: Incarnation) {
        self.0.store.fence(incarnation);
    }

    fn evict(&self, prompt: &[TokenId]) {
        self.0.store.evict(prompt);
    }

    fn pages(&self) -> PageUsage {
        let Shared { pool, store, .. } = &*self.0;
        let (queried_tokens, hit_tokens) = store.lookups();
        PageUsage { used: pool.used(), capacity: pool.capacity(), stored: store.len(), queried_tokens, hit_tokens }
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Factory").field("pages", &self.pages()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}
