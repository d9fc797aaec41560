//! Decides what a step computes. Pure: the same figures give the same plan.

/// A sequence as the planner sees it. Sequences are given oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// Whether it may take part in this step.
    pub(crate) ready: bool,
    /// Tokens whose keys and values are not computed yet; with the last of them the next token is drawn. At least 1.
    pub(crate) remaining: usize,
    /// Tokens that are computed.
    pub(crate) computed: usize,
    /// Pages that come free when it is preempted.
    pub(crate) reclaimable: usize,
}

/// What there is to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Tokens of prefill.
    pub(crate) prefill: usize,
    /// Pages that can be had, those that the store would give up included.
    pub(crate) pages: usize,
    pub(crate) page_tokens: usize,
}

/// Rows of one sequence in this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) sequence: usize,
    pub(crate) tokens: usize,
}

/// What a step computes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// By age of the sequence.
    pub(crate) shares: Vec<Share>,
    /// Sequences whose pages are dropped first.
    pub(crate) preempted: Vec<usize>,
}

/// Plans a step: every sequence that needs one more token first, then chunks of prefill, both oldest first. Where pages are short,
/// sequences that are not ready lose theirs first, then younger ones, the youngest first; the oldest ready one always goes on.
pub(crate) fn plan(needs: &[Need], budget: Budget) -> Plan {
    let mut planning = Planning { needs, budget, plan: Plan::default() };
    for index in (0..needs.len()).filter(|index| needs[*index].remaining == 1) {
        planning.serve(index, 1);
    }
    let mut left = budget.prefill;
    for index in (0..needs.len()).filter(|index| needs[*index].remaining > 1) {
        left -= planning.serve(index, needs[index].remaining.min(left));
    }
    let mut plan = planning.plan;
    plan.shares.sort_unstable_by_key(|share| share.sequence);
    plan
}

struct Planning<'a> {
    needs: &'a [Need],
    budget: Budget,
    plan: Plan,
}

impl Planning<'_> {
    /// Gives a sequence up to `tokens` rows; returns how many.
    fn serve(&mut self, index: usize, tokens: usize) -> usize {
        let need = self.needs[index];
        if !need.ready || tokens == 0 || self.plan.preempted.contains(&index) {
            return 0;
        }
        let page = self.budget.page_tokens;
        let held = need.computed.div_ceil(page);
        let wanted = (need.computed + tokens).div_ceil(page) - held;
        while self.budget.pages < wanted {
            let Some(victim) = self.victim(index) else { break };
            self.plan.preempted.push(victim);
            self.budget.pages += self.needs[victim].reclaimable;
        }
        let room = (held + self.budget.pages) * page - need.computed;
        let tokens = tokens.min(room);
        if tokens > 0 {
            self.budget.pages -= (need.computed + tokens).div_ceil(page) - held;
            self.plan.shares.push(Share { sequence: index, tokens });
        }
        tokens
    }

    /// Whose pages are dropped for the sequence at `index`: the youngest of those that are not ready, else the youngest that is
    /// younger and has no rows in this step yet.
    fn victim(&self, index: usize) -> Option<usize> {
        let taken = |other: usize| self.plan.preempted.contains(&other) || self.plan.shares.iter().any(|share| share.sequence == other);
        let candidate = |other: &usize| *other != index && self.needs[*other].reclaimable > 0 && !taken(*other);
        let parked = (0..self.needs.len()).rev().filter(candidate).find(|other| !self.needs[*other].ready);
        parked.or_else(|| (index + 1..self.needs.len()).rev().find(candidate))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = 16;

    fn need(remaining: usize, computed: usize) -> Need {
        Need { ready: true, remaining, computed, reclaimable: computed.div_ceil(PAGE) }
    }

    fn budget(prefill: usize, pages: usize) -> Budget {
        Budget { prefill, pages, page_tokens: PAGE }
    }

    #[test]
    fn decode_comes_before_prefill_and_chunks_share_the_budget() {
        let needs = [need(100, 0), need(1, 20), need(300, 0)];
        let plan = plan(&needs, budget(256, 1000));
        let shares: Vec<_> = plan.shares.iter().map(|share| (share.sequence, share.tokens)).collect();
        assert_eq!(shares, [(0, 100), (1, 1), (2, 156)]);
        assert!(plan.preempted.is_empty());
    }

    #[test]
    fn the_youngest_is_preempted_and_the_oldest_goes_on() {
        let needs = [need(1, 32), need(1, 17), need(1, 30)];
        let plan = plan(&needs, budget(256, 0));
        assert_eq!(plan.preempted, [2]);
        assert_eq!(plan.shares, [Share { sequence: 0, tokens: 1 }, Share { sequence: 1, tokens: 1 }]);
    }

    #[test]
    fn parked_sequences_lose_their_pages_first() {
        let parked = Need { ready: false, ..need(1, 64) };
        let plan = plan(&[parked, need(1, 32), need(1, 32)], budget(0, 1));
        assert_eq!(plan.preempted, [0]);
        assert_eq!(plan.shares.len(), 2);
    }

    #[test]
    fn the_only_sequence_is_never_preempted() {
        let plan = plan(&[need(1, 32)], budget(16, 0));
        assert_eq!(plan, Plan::default());
    }

    proptest! {
        #[test]
        fn a_plan_keeps_within_its_budget(
            sequences in prop::collection::vec((any::<bool>(), 1usize..200, 0usize..200), 0..12),
            prefill in 0usize..300,
            pages in 0usize..40,
        ) {
            let needs: Vec<Need> = sequences.iter().map(|&(ready, remaining, computed)| Need { ready, ..need(remaining, computed) }).collect();
            let plan = plan(&needs, budget(prefill, pages));
            let reclaimed: usize = plan.preempted.iter().map(|index| needs[*index].reclaimable).sum();
            let mut spent = 0;
            let mut chunks = 0;
            for share in &plan.shares {
                let need = needs[share.sequence];
                prop_assert!(need.ready && share.tokens > 0 && share.tokens <= need.remaining);
                prop_assert!(!plan.preempted.contains(&share.sequence));
                spent += (need.computed + share.tokens).div_ceil(PAGE) - need.computed.div_ceil(PAGE);
                chunks += if need.remaining > 1 { share.tokens } else { 0 };
            }
            prop_assert!(spent <= pages + reclaimed);
            prop_assert!(chunks <= prefill);
            prop_assert!(plan.shares.is_sorted_by(|a, b| a.sequence < b.sequence));
            let once: std::collections::HashSet<_> = plan.preempted.iter().collect();
            prop_assert_eq!(once.len(), plan.preempted.len());
            // With room for all, every sequence that only decodes gets its row.
            let ready = needs.iter().filter(|need| need.ready && need.remaining == 1).count();
            if pages >= ready {
                let served = plan.shares.iter().filter(|share| needs[share.sequence].remaining == 1).count();
                prop_assert_eq!(served, ready);
            }
        }

        #[test]
        fn some_ready_sequence_always_advances(
            sequences in prop::collection::vec((any::<bool>(), 1usize..200, 0usize..200), 1..12),
            prefill in 16usize..300,
        ) {
            // A capacity in which each would fit alone.
            let needs: Vec<Need> = sequences.iter().map(|&(ready, remaining, computed)| Need { ready, ..need(remaining, computed) }).collect();
            let held: usize = needs.iter().map(|need| need.reclaimable).sum();
            let capacity = held.max(400usize.div_ceil(PAGE));
            let plan = plan(&needs, budget(prefill, capacity - held));
            prop_assert_eq!(plan.shares.is_empty(), needs.iter().all(|need| !need.ready) );
        }
    }
}
