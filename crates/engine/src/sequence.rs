//! One job on an engine.

use std::sync::Arc;

use shammah_protocol::{Finish, Incarnation, Job, JobId, OwnerId, Sampling, TokenId};

use crate::pages::{Chain, Full, PAGE_TOKENS, Page, PagePool, PageStore};
use crate::planner::Need;

/// A sequence, its tokens and its pages.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) job: JobId,
    owner: OwnerId,
    sampling: Sampling,
    /// Prompt, then completion.
    pub(crate) tokens: Vec<TokenId>,
    prompt: usize,
    /// The most tokens that it may have.
    limit: usize,
    /// Tokens whose keys and values lie in `pages`.
    pub(crate) computed: usize,
    pub(crate) pages: Vec<Arc<Page>>,
    /// The chain of the pages that the store has been offered, and their number.
    offered: (Chain, usize),
}

impl Sequence {
    /// Takes a job up, with pages that hold its first tokens. `room` is the most tokens that any sequence may have.
    pub(crate) fn new(job: &Job, pages: Vec<Arc<Page>>, room: usize) -> Self {
        let tokens: Vec<TokenId> = job.prompt.iter().chain(&job.emitted).copied().collect();
        let computed = pages.len() * PAGE_TOKENS;
        let chain = Chain::of(&tokens[..computed]).last().unwrap_or(Chain::START);
        Self {
            job: job.id,
            owner: job.correlation.owner.clone(),
            sampling: job.sampling.clone(),
            prompt: job.prompt.len(),
            limit: room.min(job.prompt.len().saturating_add(job.max_tokens)),
            tokens,
            computed,
            offered: (chain, pages.len()),
            pages,
        }
    }

    /// Whether no token may follow.
    pub(crate) fn is_full(&self) -> bool {
        self.tokens.len() >= self.limit
    }

    /// Tokens whose keys and values are not computed yet.
    pub(crate) fn remaining(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// What the planner has to know of it.
    pub(crate) fn need(&self, ready: bool) -> Need {
        // A page that another sequence holds stays when this one goes; one that only the store holds can be had.
        let reclaimable = self.pages.iter().enumerate().filter(|(index, page)| {
            let holders = if *index < self.offered.1 { 2 } else { 1 };
            Arc::strong_count(page) <= holders
        });
        Need { ready, remaining: self.remaining(), computed: self.computed, reclaimable: reclaimable.count() }
    }

    /// Gives up all pages; everything is computed again later.
    pub(crate) fn preempt(&mut self) {
        self.pages.clear();
        self.computed = 0;
        self.offered = (Chain::START, 0);
    }

    /// Takes pages for `tokens` more, from the store if the budget is spent; `false` if there are none.
    pub(crate) fn reserve(&mut self, tokens: usize, pool: &PagePool, store: &PageStore) -> bool {
        let wanted = (self.computed + tokens).div_ceil(PAGE_TOKENS);
        while self.pages.len() < wanted {
            match pool.take() {
                Some(page) => self.pages.push(Arc::new(page)),
                None if store.drop_oldest() => {}
                None => return false,
            }
        }
        true
    }

    /// `tokens` more are computed, with finite results: offers the store the pages that are full now.
    pub(crate) fn advance(&mut self, tokens: usize, incarnation: Incarnation, store: &PageStore) {
        self.computed += tokens;
        let (mut before, first) = self.offered;
        let full = self.computed / PAGE_TOKENS;
        for index in first..full {
            let tokens = &self.tokens[index * PAGE_TOKENS..(index + 1) * PAGE_TOKENS];
            store.insert(incarnation, Full { owner: &self.owner, before, tokens, page: self.pages[index].clone() });
            before = before.then(tokens);
        }
        self.offered = (before, full);
    }

    /// Draws the next token from `logits`; its position in the completion, and the token.
    pub(crate) fn draw(&self, logits: Vec<f32>) -> (usize, TokenId) {
        let (prompt, completion) = self.tokens.split_at(self.prompt);
        (completion.len(), crate::sampler::sample(logits, &self.sampling, prompt, completion))
    }

    /// Appends a token; [`Finish::Length`] if it was the last.
    pub(crate) fn push(&mut self, token: TokenId) -> Option<Finish> {
        self.tokens.push(token);
        self.is_full().then_some(Finish::Length)
    }
}
