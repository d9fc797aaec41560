//! The bounded channel from an engine thread to a turn.

use std::sync::Arc;

use shammah_protocol::Piece;
use tokio::sync::mpsc;

use crate::doorbell::Doorbell;

/// Pieces that wait for a turn. Full, the sequence parks.
const DEPTH: usize = 8;
/// A step yields at most this many pieces of one sequence: a token and the end.
const PER_STEP: usize = 2;

/// A channel whose reader rings the bell when it has taken a piece and when it goes away.
pub(crate) fn pieces(doorbell: &Arc<Doorbell>) -> (PieceSink, PieceSource) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let bell = Bell(Arc::clone(doorbell));
    (PieceSink(sender), PieceSource { receiver, bell })
}

/// The engine thread's end. It is the only writer, so room that it has seen stays.
#[derive(Debug)]
pub(crate) struct PieceSink(mpsc::Sender<Piece>);

impl PieceSink {
    /// Whether the pieces of a step fit.
    pub(crate) fn has_room(&self) -> bool {
        self.0.capacity() >= PER_STEP
    }

    /// Whether the turn is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Hands a piece over; to a turn that is gone it is lost.
    pub(crate) fn send(&self, piece: Piece) {
        let _ = self.0.try_send(piece);
    }
}

/// The turn's end. Dropping it retires the sequence.
#[derive(Debug)]
pub(crate) struct PieceSource {
    // Before the bell: the channel is closed when it rings.
    receiver: mpsc::Receiver<Piece>,
    bell: Bell,
}

impl PieceSource {
    /// The next piece; `None` when the engine is lost.
    pub(crate) async fn recv(&mut self) -> Option<Piece> {
        let piece = self.receiver.recv().await;
        self.bell.0.ring();
        piece
    }
}

#[derive(Debug)]
struct Bell(Arc<Doorbell>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.ring();
    }
}
