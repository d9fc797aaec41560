//! When to restart what. Pure: no clock, no tasks.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What happens to the siblings of a child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Nothing.
    OneForOne,
    /// Nothing, unless it is the first one: all others build on that and start anew with it.
    FirstForAll,
}

/// How many restarts a child may have within a window before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub max_restarts: usize,
    pub window: Duration,
}

/// What an end costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// One restart of the budget.
    Counted,
    /// Nothing: somebody else was to blame.
    Forgiven,
    /// Everything: no restart in this process can help.
    Fatal,
}

/// What to do about a child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again after a pause.
    Restart { after: Duration },
    /// Its budget is spent.
    GiveUp,
    /// The process is sick.
    Fatal,
}

/// The pause before the first, second, … restart within a window.
const BACKOFF: [Duration; 4] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// The restart history of one child.
#[derive(Clone, Debug)]
pub struct Policy {
    budget: Budget,
    restarts: VecDeque<Instant>,
}

impl Policy {
    /// A child that has not been restarted yet.
    pub fn new(budget: Budget) -> Self {
        Self { budget, restarts: VecDeque::new() }
    }

    /// Decides about an end at `now`. Call it with times that never go back.
    pub fn on_exit(&mut self, charge: Charge, now: Instant) -> Verdict {
        while self.restarts.front().is_some_and(|first| now.duration_since(*first) >= self.budget.window) {
            self.restarts.pop_front();
        }
        match charge {
            Charge::Fatal => return Verdict::Fatal,
            Charge::Forgiven => return Verdict::Restart { after: Duration::ZERO },
            Charge::Counted if self.restarts.len() >= self.budget.max_restarts => return Verdict::GiveUp,
            Charge::Counted => {}
        }
        let after = BACKOFF[self.restarts.len().min(BACKOFF.len() - 1)];
        self.restarts.push_back(now);
        Verdict::Restart { after }
    }

    /// Forgets the history: after a pause that was long enough, a child that was given up gets a new budget.
    pub fn reset(&mut self) {
        self.restarts.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, prop, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    const BUDGET: Budget = Budget { max_restarts: 3, window: Duration::from_secs(60) };

    #[test]
    fn the_fourth_crash_in_the_window_gives_up() {
        let (mut policy, now) = (Policy::new(BUDGET), Instant::now());
        for after in BACKOFF.into_iter().take(3) {
            assert_eq!(policy.on_exit(Charge::Counted, now), Verdict::Restart { after });
        }
        assert_eq!(policy.on_exit(Charge::Counted, now), Verdict::GiveUp);
        assert_eq!(policy.on_exit(Charge::Counted, now + BUDGET.window), Verdict::Restart { after: Duration::ZERO });
    }

    #[test]
    fn forgiven_ends_cost_nothing() {
        let (mut policy, now) = (Policy::new(BUDGET), Instant::now());
        for _ in 0..100 {
            assert_eq!(policy.on_exit(Charge::Forgiven, now), Verdict::Restart { after: Duration::ZERO });
        }
        assert_eq!(policy.on_exit(Charge::Counted, now), Verdict::Restart { after: Duration::ZERO });
    }

    fn charge() -> impl proptest::strategy::Strategy<Value = Charge> {
        prop_oneof![8 => Just(Charge::Counted), 2 => Just(Charge::Forgiven), 1 => Just(Charge::Fatal)]
    }

    proptest! {
        /// Against the naive model: count the granted, counted restarts in the last window.
        #[test]
        fn never_more_restarts_than_the_budget(ends in prop::collection::vec((0u64..40_000, charge()), 1..200)) {
            let mut policy = Policy::new(BUDGET);
            let (start, mut now) = (Instant::now(), Duration::ZERO);
            let mut granted: Vec<Duration> = Vec::new();
            for (pause, charge) in ends {
                now += Duration::from_millis(pause);
                let recent = granted.iter().filter(|at| now - **at < BUDGET.window).count();
                let verdict = policy.on_exit(charge, start + now);
                match charge {
                    Charge::Fatal => prop_assert_eq!(verdict, Verdict::Fatal),
                    Charge::Forgiven => prop_assert_eq!(verdict, Verdict::Restart { after: Duration::ZERO }),
                    Charge::Counted if recent >= BUDGET.max_restarts => prop_assert_eq!(verdict, Verdict::GiveUp),
                    Charge::Counted => {
                        prop_assert_eq!(verdict, Verdict::Restart { after: BACKOFF[recent] });
                        granted.push(now);
                    }
                }
            }
        }
    }
}
