//! A process, told apart from others that had or will have its number.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// Two readings of the start of one process differ by at most this many seconds: the system computes it from its clock.
const START_JITTER: u64 = 2;

/// What identifies a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Seconds since 1970.
    started: u64,
    executable: Option<PathBuf>,
}

impl Process {
    /// The process that has this number now.
    pub(super) fn observe(pid: u32) -> Option<Self> {
        let id = Pid::from_u32(pid);
        let mut system = System::new().ok()?;
        let kind = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), true, kind);
        let process = system.process(id)?;
        Some(Self { pid, started: process.start_time(), executable: process.exe().map(Path::to_path_buf) })
    }

    /// Whether this process, and no other of its number, is there.
    pub(super) fn is_running(&self) -> bool {
        Self::observe(self.pid).is_some_and(|now| now.started.abs_diff(self.started) <= START_JITTER && now.program() == self.program())
    }

    /// When it started.
    pub(super) fn started(&self) -> Result<Timestamp, jiff::Error> {
        Timestamp::from_second(i64::try_from(self.started).unwrap_or(i64::MAX))
    }

    /// The executable's path. Linux marks one that was replaced on the disk, by an upgrade for example.
    fn program(&self) -> Option<String> {
        let path = self.executable.as_ref()?.to_string_lossy();
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_not_the_process() {
        let own = Process::observe(std::process::id()).unwrap();
        assert!(own.is_running());
        assert!(!Process { started: own.started - 60, ..own.clone() }.is_running());
        assert!(!Process { executable: Some(PathBuf::from("/bin/other")), ..own.clone() }.is_running());
        let marked = own.executable.as_ref().map(|path| PathBuf::from(format!("{} (deleted)", path.display())));
        assert!(Process { executable: marked, ..own }.is_running());
        assert_eq!(Process::observe(u32::MAX), None);
    }
}
