//! What an error means to the caller of the program.

use std::process::ExitCode;

use thiserror::Error;

use super::terminal::{OutputError, Terminal};
use crate::settings::SettingsError;

/// Wrong usage or settings (EX_USAGE of sysexits.h).
pub(super) const USAGE: u8 = 64;
/// Ended by SIGINT, as shells count.
pub(super) const INTERRUPTED: u8 = 130;
const FAILURE: u8 = 1;

/// The caller asked for something that cannot be.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Says what is wrong in one sentence; returns the exit code. A reader that has left, as in `| head`, is told nothing.
pub(super) fn report(error: &anyhow::Error, terminal: &Terminal) -> ExitCode {
    let code = code(error);
    if code != 0 {
        // The sentence begins a line, whatever has become of the output.
        let _ = terminal.end_line();
        terminal.note(&format!("error: {error:#}"));
    }
    code.into()
}

fn code(error: &anyhow::Error) -> u8 {
    if matches!(error.downcast_ref(), Some(OutputError::Closed)) {
        0
    } else if error.is::<Usage>() || error.is::<SettingsError>() {
        USAGE
    } else {
        FAILURE
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn codes() {
        assert_eq!(code(&OutputError::Closed.into()), 0);
        assert_eq!(code(&OutputError::Failed(io::ErrorKind::StorageFull.into()).into()), FAILURE);
        assert_eq!(code(&Usage("no question".into()).into()), USAGE);
        assert_eq!(code(&SettingsError::Other("wrong".into()).into()), USAGE);
        // A connection that breaks is no reader that leaves.
        assert_eq!(code(&io::Error::from(io::ErrorKind::BrokenPipe).into()), FAILURE);
    }
}
