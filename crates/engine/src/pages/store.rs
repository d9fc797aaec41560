//! Finished pages, kept for later sequences that begin alike.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shammah_protocol::{Incarnation, OwnerId, TokenId};

use super::{Chain, PAGE_TOKENS, Page};

/// Keeps pages by owner and chain; the least recently used goes first. Outlives the engines that fill it.
#[derive(Debug, Default)]
pub(crate) struct PageStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Keys by last use.
    uses: BTreeMap<u64, Key>,
    clock: u64,
    fenced: Option<Incarnation>,
    queried_tokens: u64,
    hit_tokens: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    owner: OwnerId,
    chain: Chain,
}

#[derive(Debug)]
struct Entry {
    page: Arc<Page>,
    /// Compared on a hit: two chains may hash alike.
    tokens: Box<[TokenId]>,
    before: Chain,
    used: u64,
}

/// A full page on its way into the store.
#[derive(Debug)]
pub(crate) struct Full<'a> {
    pub(crate) owner: &'a OwnerId,
    pub(crate) before: Chain,
    pub(crate) tokens: &'a [TokenId],
    pub(crate) page: Arc<Page>,
}

impl PageStore {
    /// The pages of the longest known beginning of `tokens`. At least one token is left to compute.
    pub(crate) fn find(&self, owner: &OwnerId, tokens: &[TokenId]) -> Vec<Arc<Page>> {
        let whole = tokens.len().saturating_sub(1) / PAGE_TOKENS * PAGE_TOKENS;
        let chains: Vec<Chain> = Chain::of(&tokens[..whole]).collect();
        let mut state = self.state();
        let mut before = Chain::START;
        let mut found = Vec::new();
        for (chain, page_tokens) in chains.iter().zip(tokens.chunks_exact(PAGE_TOKENS)) {
            let key = Key { owner: owner.clone(), chain: *chain };
            match state.entries.get(&key) {
                Some(entry) if entry.before == before && *entry.tokens == *page_tokens => found.push((key, entry.page.clone())),
                _ => break,
            }
            before = *chain;
        }
        // The end of a chain is of no use without its beginning, so it is the older.
        for (key, _) in found.iter().rev() {
            state.touch(key);
        }
        state.queried_tokens += tokens.len() as u64;
        state.hit_tokens += (found.len() * PAGE_TOKENS) as u64;
        found.into_iter().map(|(_, page)| page).collect()
    }

    /// Takes a full page in, unless the engine that wrote it is fenced.
    pub(crate) fn insert(&self, incarnation: Incarnation, full: Full<'_>) {
        let Full { owner, before, tokens, page } = full;
        let key = Key { owner: owner.clone(), chain: before.then(tokens) };
        let mut state = self.state();
        if state.fenced.is_some_and(|fenced| incarnation <= fenced) || state.entries.contains_key(&key) {
            return;
        }
        state.clock += 1;
        let used = state.clock;
        state.uses.insert(used, key.clone());
        state.entries.insert(key, Entry { page, tokens: tokens.into(), before, used });
    }

    /// Drops the least recently used page that no sequence holds; whether there was one.
    pub(crate) fn drop_oldest(&self) -> bool {
        let mut state = self.state();
        let oldest = state.uses.iter().find(|(_, key)| state.entries.get(*key).is_some_and(Entry::is_idle)).map(|(_, key)| key.clone());
        oldest.is_some_and(|key| state.remove(&key))
    }

    /// Pages that no sequence holds.
    pub(crate) fn idle(&self) -> usize {
        self.state().entries.values().filter(|entry| entry.is_idle()).count()
    }

    /// Refuses inserts of this incarnation and all before it, from now on.
    pub(crate) fn fence(&self, incarnation: Incarnation) {
        let mut state = self.state();
        state.fenced = state.fenced.max(Some(incarnation));
    }

    /// Drops the pages of `prompt`, whoever owns them, and those that follow them.
    pub(crate) fn evict(&self, prompt: &[TokenId]) {
        let mut gone: HashSet<Chain> = Chain::of(prompt).collect();
        let mut state = self.state();
        loop {
            let doomed: Vec<Key> = state
                .entries
                .iter()
                .filter(|(key, entry)| gone.contains(&key.chain) || (entry.before != Chain::START && gone.contains(&entry.before)))
                .map(|(key, _)| key.clone())
                .collect();
            if doomed.is_empty() {
                return;
            }
            for key in doomed {
                gone.insert(key.chain);
                state.remove(&key);
            }
        }
    }

    /// Number of pages.
    pub(crate) fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Tokens that were looked up so far, and how many of them were found.
    pub(crate) fn lookups(&self) -> (u64, u64) {
        let state = self.state();
        (state.queried_tokens, state.hit_tokens)
    }

    /// A panic under the lock leaves at worst an entry that `uses` does not know, so poison is ignored.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.page) == 1
    }
}

impl State {
    fn touch(&mut self, key: &Key) {
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            self.uses.remove(&entry.used);
            entry.used = self.clock;
            self.uses.insert(entry.used, key.clone());
        }
    }

    fn remove(&mut self, key: &Key) -> bool {
        let entry = self.entries.remove(key);
        if let Some(entry) = &entry {
            self.uses.remove(&entry.used);
        }
        entry.is_some()
    }
}
