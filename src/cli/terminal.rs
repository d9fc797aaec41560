//! Where the command line writes: answers to standard output, everything about them to standard error.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

use thiserror::Error;

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";
const CLEAR_LINE: &str = "\r\x1b[2K";
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

/// Why standard output takes no more.
#[derive(Debug, Error)]
pub(super) enum OutputError {
    /// Its reader is gone, as in `| head`.
    #[error("nobody reads standard output any more")]
    Closed,
    #[error("standard output cannot be written: {0}")]
    Failed(io::Error),
}

/// Standard output and standard error. What the latter does not take is lost.
#[derive(Debug)]
pub(super) struct Terminal {
    out_is_terminal: bool,
    err_is_terminal: bool,
    /// Whether the last line of standard output is unfinished.
    open_line: Cell<bool>,
    /// Whether a line of progress is shown.
    progress: Cell<bool>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            open_line: Cell::default(),
            progress: Cell::default(),
        }
    }

    /// Writes text and sends it on its way at once. A terminal gets no control characters: a model could command it with them.
    pub(super) fn print(&self, text: &str) -> Result<(), OutputError> {
        self.clear_progress();
        if self.out_is_terminal { self.write(&harmless(text)) } else { self.write(text) }
    }

    /// Finishes the last line, if it is unfinished.
    pub(super) fn end_line(&self) -> Result<(), OutputError> {
        self.clear_progress();
        if self.open_line.get() { self.write("\n") } else { Ok(()) }
    }

    /// Shows a page in the place of the one before, or after it where that is not possible.
    pub(super) fn page(&self, text: &str, is_first: bool) -> Result<(), OutputError> {
        match (self.out_is_terminal, is_first) {
            (true, _) => self.write(CLEAR_SCREEN)?,
            (false, true) => {}
            (false, false) => self.write("\n")?,
        }
        self.print(text)
    }

    /// One line about what is going on.
    pub(super) fn note(&self, text: &str) {
        self.clear_progress();
        self.tell(&format!("{}\n", harmless(text)));
    }

    /// One line that only a person needs, less prominent.
    pub(super) fn hint(&self, text: &str) {
        if self.err_is_terminal {
            self.clear_progress();
            self.tell(&format!("{DIM}{}{PLAIN}\n", harmless(text)));
        }
    }

    /// One line that the next output replaces; only for a person.
    pub(super) fn progress(&self, text: &str) {
        if self.err_is_terminal {
            self.tell(&format!("{CLEAR_LINE}{DIM}{}{PLAIN}", harmless(text)));
            self.progress.set(true);
        }
    }

    pub(super) fn clear_progress(&self) {
        if self.progress.replace(false) {
            self.tell(CLEAR_LINE);
        }
    }

    fn write(&self, text: &str) -> Result<(), OutputError> {
        if let Some(last) = text.chars().last() {
            self.open_line.set(last != '\n');
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => OutputError::Closed,
            _ => OutputError::Failed(error),
        })
    }

    fn tell(&self, text: &str) {
        let mut err = io::stderr().lock();
        // There is nowhere left to complain.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// The text without control characters other than line breaks and tabs.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out() {
        assert_eq!(harmless("a\u{1b}]0;title\u{7}b\n\tü\r\u{9b}2J"), "a]0;titleb\n\tü2J");
    }
}
