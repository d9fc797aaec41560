//! Who is suspected of crashing engines.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a prompt that has crashed two engines is refused, and how long a suspicion lasts.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// How a job may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// With others.
    Free,
    /// By itself until it has made the token at this position.
    Alone { until: usize },
    /// Not at all.
    Refused,
}

/// Crashes by prompt. Written by a generator and cleared by its engine thread; outlives both.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<u64, Record>>);

#[derive(Debug)]
struct Record {
    strikes: u32,
    position: usize,
    at: Instant,
}

impl Ledger {
    /// What is known of a prompt.
    pub(crate) fn judge(&self, fingerprint: u64) -> Judgement {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|_, record| record.at.elapsed() < MEMORY);
        match records.get(&fingerprint) {
            None => Judgement::Free,
            Some(Record { strikes: 1, position, .. }) => Judgement::Alone { until: *position },
            Some(_) => Judgement::Refused,
        }
    }

    /// An engine died while it made the token at `position` of this prompt. Returns how often that has happened.
    pub(crate) fn strike(&self, fingerprint: u64, position: usize) -> u32 {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.entry(fingerprint).or_insert(Record { strikes: 0, position, at: Instant::now() });
        record.strikes += 1;
        record.position = record.position.max(position);
        record.at = Instant::now();
        record.strikes
    }

    /// The prompt made the token at `position`: past the point where an engine died, it was not the cause.
    pub(crate) fn clear(&self, fingerprint: u64, position: usize) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A twin that passes an earlier point proves nothing.
        if records.get(&fingerprint).is_some_and(|record| position >= record.position) {
            records.remove(&fingerprint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_strikes_are_out() {
        let ledger = Ledger::default();
        assert_eq!(ledger.judge(7), Judgement::Free);
        assert_eq!(ledger.strike(7, 12), 1);
        assert_eq!(ledger.judge(7), Judgement::Alone { until: 12 });
        assert_eq!(ledger.strike(7, 12), 2);
        assert_eq!(ledger.judge(7), Judgement::Refused);
        assert_eq!(ledger.judge(8), Judgement::Free);
    }

    #[test]
    fn passing_the_point_clears_the_name() {
        let ledger = Ledger::default();
        ledger.strike(7, 12);
        ledger.clear(7, 11);
        assert_eq!(ledger.judge(7), Judgement::Alone { until: 12 });
        ledger.clear(7, 12);
        assert_eq!(ledger.judge(7), Judgement::Free);
    }
}
