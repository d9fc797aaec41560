//! Who the daemon of a home folder is: at most one runs, others find it, and it can be told to stop.
//!
//! `daemon.lock` decides: the daemon holds its lock for life, and the system lets go of it however the process ends.
//! `daemon.pid` (JSON) and `daemon.addr` only describe the holder; after a crash they are stale until the next daemon starts.

mod process;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use thiserror::Error;

use process::Process;

const LOCK: &str = "daemon.lock";
const PID: &str = "daemon.pid";
const ADDRESS: &str = "daemon.addr";

/// The claim of this process to be the daemon. Dropping it gives the claim up.
#[derive(Debug)]
pub struct Identity {
    home: PathBuf,
    /// Locked for as long as the claim lasts.
    lock: File,
}

/// A daemon that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    pub pid: u32,
    pub address: SocketAddr,
    /// When its process started, in whole seconds.
    pub started: Timestamp,
}

/// Why this process cannot be the daemon.
#[derive(Debug, Error)]
pub enum ClaimError {
    #[error("a daemon is already running: process {pid}, http://{address}")]
    Running { pid: u32, address: SocketAddr },
    /// The lock is held by a process that has not said who it is.
    #[error("another daemon is starting or stopping in {}", home.display())]
    Busy { home: PathBuf },
    #[error("the folder {} cannot be used: {error}", home.display())]
    Folder { home: PathBuf, error: io::Error },
}

impl Identity {
    /// Makes this process the daemon of `home`, which is made if need be, listening at `address`. What a crashed daemon left is
    /// replaced.
    ///
    /// # Errors
    /// [`ClaimError::Running`] or [`ClaimError::Busy`] if there is a daemon, [`ClaimError::Folder`] if the files cannot be written.
    pub fn claim(home: &Path, address: SocketAddr) -> Result<Self, ClaimError> {
        let unusable = |error| ClaimError::Folder { home: home.to_owned(), error };
        make_folder(home).map_err(unusable)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(home.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(match find_running(home) {
                    Some(Running { pid, address, .. }) => ClaimError::Running { pid, address },
                    None => ClaimError::Busy { home: home.to_owned() },
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let identity = Self { home: home.to_owned(), lock };
        identity.describe(address).map_err(unusable)?;
        Ok(identity)
    }

    fn describe(&self, address: SocketAddr) -> io::Result<()> {
        self.forget();
        let process = Process::observe(std::process::id()).ok_or_else(|| io::Error::other("this process cannot see itself"))?;
        replace(&self.home.join(ADDRESS), &address.to_string())?;
        // Last, because a reader begins with it.
        replace(&self.home.join(PID), &serde_json::to_string(&process)?)
    }

    /// Removes the description, whoever's it is. A file that stays does no harm: it is checked whenever it is read.
    fn forget(&self) {
        for name in [PID, ADDRESS] {
            let _ = fs::remove_file(self.home.join(name));
        }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.forget();
        // Closing would not do: a child process that is just being made shares the open file until it runs its own program.
        let _ = self.lock.unlock();
    }
}

/// The daemon of `home`; `None` if none runs, or one is just starting. Its files alone do not convince: the process must be the
/// same one, by number, start and program, and the lock must be held.
pub fn find_running(home: &Path) -> Option<Running> {
    let process: Process = serde_json::from_str(&fs::read_to_string(home.join(PID)).ok()?).ok()?;
    let address = fs::read_to_string(home.join(ADDRESS)).ok()?.trim().parse().ok()?;
    // The lock comes last: trying it takes it for a moment, and a daemon that starts in that moment would fail.
    if !process.is_running() || !is_held(&home.join(LOCK)) {
        return None;
    }
    Some(Running { pid: process.pid, address, started: process.started().ok()? })
}

/// Asks a daemon to stop, as `kill` does. It goes on with what it answers for up to `shutdown.grace`; ask [`find_running`] until it
/// is gone.
///
/// # Errors
/// The system's, if the process is gone or belongs to someone else.
pub fn stop(running: &Running) -> io::Result<()> {
    let pid = i32::try_from(running.pid).ok().and_then(rustix::process::Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
}

fn is_held(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    let tried = file.try_lock_shared();
    // As in the drop of an identity: closing would not be enough.
    let _ = file.unlock();
    matches!(tried, Err(TryLockError::WouldBlock))
}

/// Writes a whole file or none.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, text)?;
    fs::rename(draft, path)
}

/// Sessions and logs lie here: the folder is for its owner only.
fn make_folder(home: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(home)
}

#[cfg(test)]
mod tests;
