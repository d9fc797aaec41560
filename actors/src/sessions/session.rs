//! One conversation: what was said, and which turns run.

use jiff::Timestamp;
use shammah_protocol::{Change, Message, ModelId, Role, SessionHead, SessionRecord, TurnId};
use tokio_util::sync::CancellationToken;

/// A session in memory.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) head: SessionHead,
    pub(super) messages: Vec<Message>,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    turn: TurnId,
    cancel: CancellationToken,
    /// The messages before it, and what it said.
    keep: usize,
    said: Vec<Message>,
    /// What it cut off.
    cut: Vec<Message>,
}

impl From<SessionRecord> for Session {
    fn from(record: SessionRecord) -> Self {
        Self { head: record.head, messages: record.messages, running: Vec::new() }
    }
}

impl Session {
    /// Whether a turn of it runs.
    pub(super) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    pub(super) fn runs(&self, turn: &TurnId) -> bool {
        self.running.iter().any(|running| running.turn == *turn)
    }

    /// A turn begins with these messages. Returns the conversation that it answers, and the change to commit.
    ///
    /// With `continues`, messages that do not repeat the record from its start are appended to it; leading system messages
    /// replace those of the record. Without, they are the whole conversation.
    pub(super) fn begin(&mut self, turn: TurnId, said: Vec<Message>, continues: bool, cancel: CancellationToken) -> (Vec<Message>, Change) {
        let (keep, said) = if continues && first_spoken(&said) != first_spoken(&self.messages) { self.appended(said) } else { (0, said) };
        let cut = self.messages.split_off(keep);
        self.messages.extend_from_slice(&said);
        self.head.last_activity = Timestamp::now();
        let change = Change::Write { head: self.head.clone(), keep, append: said.clone() };
        self.running.push(Running { turn, cancel, keep, said, cut });
        (self.messages.clone(), change)
    }

    /// A turn that answered `conversation` has ended. The change holds all that the turn said, so that it stands alone; ending
    /// a turn twice, or one that was begun before a restart, comes out the same.
    pub(super) fn end(&mut self, turn: &TurnId, conversation: Vec<Message>, answer: Message, model: ModelId) -> Change {
        let (keep, mut append) = match self.take(turn) {
            Some(running) => (running.keep, running.said),
            None => (0, conversation),
        };
        append.push(answer);
        self.messages.truncate(keep);
        self.messages.extend_from_slice(&append);
        self.head.last_activity = Timestamp::now();
        self.head.model = Some(model);
        Change::Write { head: self.head.clone(), keep, append }
    }

    /// A turn of before a restart goes on.
    pub(super) fn resume(&mut self, turn: TurnId, conversation: Vec<Message>, cancel: CancellationToken) {
        if !self.runs(&turn) {
            self.running.push(Running { turn, cancel, keep: 0, said: conversation, cut: self.messages.clone() });
        }
    }

    /// A turn has ended without an answer. What the user said stays if an engine had taken it up; a request that was refused leaves
    /// the record as it was, unless others have changed it since.
    pub(super) fn abandon(&mut self, turn: &TurnId, admitted: bool) -> Option<Change> {
        let Running { keep, said, cut, .. } = self.take(turn)?;
        if admitted || self.messages.get(keep..) != Some(&said) {
            return None;
        }
        self.messages.truncate(keep);
        self.messages.extend_from_slice(&cut);
        Some(Change::Write { head: self.head.clone(), keep, append: cut })
    }

    /// Whether nothing was said and nothing is being said.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.running.is_empty()
    }

    /// Ends all its turns.
    pub(super) fn cancel(&self) {
        for running in &self.running {
            running.cancel.cancel();
        }
    }

    fn take(&mut self, turn: &TurnId) -> Option<Running> {
        let index = self.running.iter().position(|running| running.turn == *turn)?;
        Some(self.running.swap_remove(index))
    }

    /// Where to append messages, and which. New leading system messages mean that the record is written anew from them on.
    fn appended(&self, said: Vec<Message>) -> (usize, Vec<Message>) {
        let leading = |messages: &[Message]| messages.iter().take_while(|message| message.role == Role::System).count();
        let (new, old) = (leading(&said), leading(&self.messages));
        if new == 0 {
            (self.messages.len(), said)
        } else if said[..new] == self.messages[..old] {
            (self.messages.len(), said[new..].to_vec())
        } else {
            let spoken = self.messages[old..].iter().chain(&said[new..]).cloned();
            (0, said[..new].iter().cloned().chain(spoken).collect())
        }
    }
}

fn first_spoken(messages: &[Message]) -> Option<&Message> {
    messages.iter().find(|message| message.role != Role::System)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(messages: Vec<Message>) -> Session {
        let now = Timestamp::now();
        let head = SessionHead { id: "s".into(), owner: "o".into(), created_at: now, last_activity: now, model: None, implicit: false };
        Session { head, messages, running: Vec::new() }
    }

    fn user(text: &str) -> Message {
        Message::text(Role::User, text)
    }

    fn said(session: &Session) -> Vec<&str> {
        session.messages.iter().map(|message| message.content.as_str()).collect()
    }

    fn turn(session: &mut Session, messages: Vec<Message>) {
        let (conversation, _) = session.begin("t".into(), messages, true, CancellationToken::new());
        session.end(&"t".into(), conversation, Message::text(Role::Assistant, "answer"), "m".into());
    }

    #[test]
    fn new_messages_are_appended() {
        let mut session = session(vec![]);
        turn(&mut session, vec![user("one")]);
        turn(&mut session, vec![user("two")]);
        assert_eq!(said(&session), ["one", "answer", "two", "answer"]);
    }

    #[test]
    fn a_repeated_conversation_replaces_the_record() {
        let mut session = session(vec![user("one"), Message::text(Role::Assistant, "old")]);
        turn(&mut session, vec![user("one"), Message::text(Role::Assistant, "new"), user("two")]);
        assert_eq!(said(&session), ["one", "new", "two", "answer"]);
    }

    #[test]
    fn system_messages_do_not_make_a_conversation_whole() {
        let system = |text| Message::text(Role::System, text);
        let mut session = session(vec![]);
        turn(&mut session, vec![system("be brief"), user("one")]);
        turn(&mut session, vec![system("be brief"), user("two")]);
        assert_eq!(said(&session), ["be brief", "one", "answer", "two", "answer"]);
        turn(&mut session, vec![system("be kind"), user("three")]);
        assert_eq!(said(&session), ["be kind", "one", "answer", "two", "answer", "three", "answer"]);
    }

    #[test]
    fn an_abandoned_turn_leaves_what_the_user_said() {
        let mut session = session(vec![]);
        session.begin("t".into(), vec![user("one")], true, CancellationToken::new());
        session.abandon(&"t".into(), true);
        assert!(!session.is_running());
        turn(&mut session, vec![user("two")]);
        assert_eq!(said(&session), ["one", "two", "answer"]);
    }

    #[test]
    fn a_refused_request_leaves_no_trace() {
        let before = vec![user("one"), Message::text(Role::Assistant, "old")];
        for messages in [vec![user("too long")], vec![user("one"), Message::text(Role::Assistant, "new"), user("too long")]] {
            let mut session = session(before.clone());
            session.begin("t".into(), messages, true, CancellationToken::new());
            assert!(session.abandon(&"t".into(), false).is_some());
            assert_eq!(session.messages, before);
        }
    }

    #[test]
    fn the_last_change_of_a_turn_stands_alone() {
        let mut session = session(vec![user("one"), Message::text(Role::Assistant, "old")]);
        session.begin("t".into(), vec![user("two")], true, CancellationToken::new());
        let change = session.end(&"t".into(), vec![], Message::text(Role::Assistant, "new"), "m".into());
        let Change::Write { keep: 2, append, .. } = change else { panic!("{change:?}") };
        assert_eq!(append, [user("two"), Message::text(Role::Assistant, "new")]);
    }

    #[test]
    fn a_turn_of_before_a_restart_ends_the_same_once_or_twice() {
        let mut session = session(vec![user("one")]);
        for _ in 0..2 {
            session.end(&"t".into(), vec![user("one")], Message::text(Role::Assistant, "answer"), "m".into());
            assert_eq!(said(&session), ["one", "answer"]);
        }
    }
}
