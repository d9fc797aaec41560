//! A store in memory: what it holds lasts as long as the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shammah_protocol::{Change, OwnerId, SessionId, SessionRecord, Store, StoreError, StoreFactory};

type Records = Arc<Mutex<HashMap<(OwnerId, SessionId), SessionRecord>>>;

/// Stands where a disk would: each store that it opens sees what the last one committed.
#[derive(Clone, Debug, Default)]
pub struct MemoryStoreFactory(Records);

impl StoreFactory for MemoryStoreFactory {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(MemoryStore(Arc::clone(&self.0))))
    }
}

struct MemoryStore(Records);

impl Store for MemoryStore {
    fn sessions(&mut self) -> Result<Vec<SessionRecord>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                Change::Write { head, keep, append } => {
                    let key = (head.owner.clone(), head.id.clone());
                    let record = records.entry(key).or_insert_with(|| SessionRecord { head: head.clone(), messages: Vec::new() });
                    record.head = head.clone();
                    record.messages.truncate(*keep);
                    record.messages.extend_from_slice(append);
                }
                Change::Delete { owner, id } => {
                    records.remove(&(owner.clone(), id.clone()));
                }
            }
        }
        Ok(())
    }
}
