//! Who answers: a pure decision over a snapshot that the router actor publishes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{self, FutureExt};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::Deserialize;
use shammah_protocol::ModelId;
use tokio::sync::watch;

use crate::address::Envelope;
use crate::background::Background;
use crate::catalogue::{Catalogue, EntryState};

/// Who answers to a name that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// The default model.
    #[default]
    Default,
    /// Nobody: 404.
    Refuse,
}

/// Where a model stands, as far as a request is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// On its way, in words.
    Pending(String),
    /// It will not come, in words.
    Failed(String),
}

/// All that a decision needs.
#[derive(Clone, Debug, Default)]
pub struct RouterSnapshot {
    /// The default model first.
    models: Vec<(ModelId, Readiness)>,
    aliases: Arc<BTreeMap<String, String>>,
    unknown: Unknown,
}

/// The alias target that means whichever model is the default one.
const DEFAULT: &str = "default";

impl RouterSnapshot {
    /// The model that answers to a name: a loaded model of that name, else an alias, else by the rule for unknown names.
    pub fn resolve(&self, name: Option<&str>) -> Option<&ModelId> {
        let Some(name) = name else { return self.default_model() };
        if let Some(model) = self.model(name) {
            return Some(model);
        }
        match self.aliases.get(name).map(String::as_str) {
            Some(DEFAULT) => self.default_model(),
            Some(target) => self.model(target),
            None => match self.unknown {
                Unknown::Default => self.default_model(),
                Unknown::Refuse => None,
            },
        }
    }

    /// Where a model stands.
    pub fn readiness(&self, model: &ModelId) -> Option<&Readiness> {
        self.models.iter().find(|(id, _)| id == model).map(|(_, readiness)| readiness)
    }

    /// Whether it is known if the default model answers.
    pub(crate) fn is_settled(&self) -> bool {
        self.models.first().is_some_and(|(_, readiness)| !matches!(readiness, Readiness::Pending(_)))
    }

    /// The other names, and whom they mean.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &ModelId)> {
        self.aliases.keys().filter_map(|name| Some((name.as_str(), self.resolve(Some(name))?)))
    }

    /// The model that answers where nothing else is asked for.
    pub fn default_model(&self) -> Option<&ModelId> {
        self.models.first().map(|(id, _)| id)
    }

    fn model(&self, name: &str) -> Option<&ModelId> {
        self.models.iter().map(|(id, _)| id).find(|id| id.as_str() == name)
    }
}

/// What the router is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RouterMessage {
    /// A model or its generator has changed.
    Refresh,
}

/// Keeps the snapshot up to date.
#[derive(Debug)]
pub(crate) struct Router;

/// What a router is made of.
#[derive(Clone, Debug)]
pub(crate) struct RouterSpec {
    pub(crate) catalogue: watch::Receiver<Catalogue>,
    pub(crate) snapshot: Arc<watch::Sender<RouterSnapshot>>,
    pub(crate) aliases: Arc<BTreeMap<String, String>>,
    pub(crate) unknown: Unknown,
}

/// The state of the router.
#[derive(Debug)]
pub(crate) struct Routing {
    spec: RouterSpec,
    _watch: Background,
}

impl Actor for Router {
    type Msg = Envelope<RouterMessage>;
    type State = Routing;
    type Arguments = RouterSpec;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, spec: RouterSpec) -> Result<Routing, ActorProcessingErr> {
        let watch = Background::spawn(tell_of_changes(myself, spec.catalogue.clone()));
        Ok(Routing { spec, _watch: watch })
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Routing) -> Result<(), ActorProcessingErr> {
        match message.open() {
            RouterMessage::Refresh => state.publish(),
        }
        Ok(())
    }
}

impl Routing {
    fn publish(&self) {
        let models = self.spec.catalogue.borrow().entries.iter().map(|entry| (entry.id.clone(), readiness(&entry.state))).collect();
        let snapshot = RouterSnapshot { models, aliases: Arc::clone(&self.spec.aliases), unknown: self.spec.unknown };
        self.spec.snapshot.send_replace(snapshot);
    }
}

fn readiness(state: &EntryState) -> Readiness {
    match state {
        EntryState::Waiting => Readiness::Pending("waiting to be loaded".to_owned()),
        EntryState::Loading(progress) => {
            let percent = (progress.done * 100).checked_div(progress.total).unwrap_or(0);
            Readiness::Pending(format!("loading, {percent} %"))
        }
        EntryState::Loaded(loaded) if loaded.0.is_ready() => Readiness::Ready,
        EntryState::Loaded(_) => Readiness::Pending("its engine is starting".to_owned()),
        EntryState::Failed(error) => Readiness::Failed(error.to_string()),
    }
}

/// Tells the router of each change.
async fn tell_of_changes(router: ActorRef<Envelope<RouterMessage>>, mut catalogue: watch::Receiver<Catalogue>) {
    loop {
        // Subscribed before the router looks: no change can fall between.
        let mut engines: Vec<_> = catalogue.borrow_and_update().lanes().map(|lane| lane.serving.subscribe()).collect();
        if router.cast(RouterMessage::Refresh.into()).is_err() {
            return;
        }
        let any_engine = match engines.is_empty() {
            true => future::pending().left_future(),
            false => future::select_all(engines.iter_mut().map(|ready| ready.changed().boxed())).right_future(),
        };
        tokio::select! {
            changed = catalogue.changed() => if changed.is_err() { return },
            _ = any_engine => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(unknown: Unknown) -> RouterSnapshot {
        let aliases = [("qwen-local", "default"), ("small", "b"), ("lost", "nobody")];
        RouterSnapshot {
            models: vec![("a".into(), Readiness::Ready), ("b".into(), Readiness::Ready)],
            aliases: Arc::new(aliases.map(|(name, target)| (name.to_owned(), target.to_owned())).into()),
            unknown,
        }
    }

    fn answer(snapshot: &RouterSnapshot, name: Option<&str>) -> Option<String> {
        snapshot.resolve(name).map(ToString::to_string)
    }

    #[test]
    fn names_are_resolved_in_order() {
        let router = snapshot(Unknown::Default);
        for (name, expected) in [
            (None, Some("a")),
            (Some("b"), Some("b")),
            (Some("qwen-local"), Some("a")),
            (Some("small"), Some("b")),
            (Some("qwen-2.5-3b"), Some("a")),
        ] {
            assert_eq!(answer(&router, name).as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn unknown_names_can_be_refused() {
        let router = snapshot(Unknown::Refuse);
        assert_eq!(answer(&router, Some("gpt-4")), None);
        assert_eq!(answer(&router, Some("lost")), None);
        assert_eq!(answer(&router, Some("small")).as_deref(), Some("b"));
    }
}
