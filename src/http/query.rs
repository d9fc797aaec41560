//! The count of queries.

use std::sync::Arc;

use shammah_actors::QueryLabels;

use super::Shared;

/// One query, which is counted once, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Query {
    shared: Arc<Shared>,
    route: String,
    model: String,
    ended: bool,
}

impl Query {
    pub(super) fn new(shared: Arc<Shared>, route: &str) -> Self {
        Self { shared, route: route.to_owned(), model: String::new(), ended: false }
    }

    /// Who answers it.
    pub(super) fn answered_by(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    /// Its end: `ok`, or the kind of an error.
    pub(super) fn end(&mut self, status: &str) {
        self.ended = true;
        let labels = QueryLabels { route: self.route.clone(), model: self.model.clone(), status: status.to_owned() };
        self.shared.handles.meters.queries.get_or_create(&labels).inc();
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        if !self.ended {
            self.end("abandoned");
        }
    }
}
