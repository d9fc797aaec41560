//! Crashes on purpose, compiled only with debug assertions: the means of the crash tests and of `examples/`.

use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::pulse::Pulse;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The engine panics in the middle of a step.
    Panic,
    /// The engine thread panics between two steps.
    Between,
    /// The engine stands still in the middle of a step, until it is fenced.
    Hang,
    /// The generator actor is killed.
    Kill,
    /// The generator actor returns an error.
    Fail,
    /// The engine panics inside its compute pool.
    Kernel,
    /// As `Panic`, on every attempt: a poison prompt.
    Poison,
}

/// A crash at the step that makes the token at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub cause: Cause,
    pub position: usize,
}

impl FromStr for Fault {
    type Err = String;

    /// Reads `panic@12`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (cause, position) = text.split_once('@').ok_or("a fault reads cause@position")?;
        let cause = match cause {
            "panic" => Cause::Panic,
            "between" => Cause::Between,
            "hang" => Cause::Hang,
            "kill" => Cause::Kill,
            "fail" => Cause::Fail,
            "kernel" => Cause::Kernel,
            "poison" => Cause::Poison,
            other => return Err(format!("unknown cause {other}")),
        };
        let position = position.parse().map_err(|_| format!("{position} is not a position"))?;
        Ok(Self { cause, position })
    }
}

/// Holds at most one armed crash.
#[derive(Debug, Default)]
pub(crate) struct FaultSlot(AtomicU8);

const NONE: u8 = 0;
const PANIC: u8 = 1;
const HANG: u8 = 2;
const KERNEL: u8 = 3;

impl FaultSlot {
    pub(crate) fn arm(&self, cause: Cause) {
        let code = match cause {
            Cause::Panic | Cause::Poison => PANIC,
            Cause::Hang => HANG,
            Cause::Kernel => KERNEL,
            Cause::Between | Cause::Kill | Cause::Fail => NONE,
        };
        self.0.store(code, Ordering::Release);
    }

    pub(crate) fn take_kernel(&self) -> bool {
        self.0.compare_exchange(KERNEL, NONE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn strike(&self, pulse: &Pulse) {
        match self.0.load(Ordering::Acquire) {
            PANIC => {
                self.0.store(NONE, Ordering::Release);
                panic!("a crash on purpose");
            }
            HANG => {
                self.0.store(NONE, Ordering::Release);
                while !pulse.is_halted() {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
            _ => {}
        }
    }
}
