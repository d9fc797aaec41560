//! `[engine]`.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use super::bytes::ByteSize;

/// How the engine shares out its time and memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    pub max_batch: usize,
    pub queue: usize,
    #[serde(with = "duration")]
    pub step_target: Duration,
    #[serde(with = "duration")]
    pub stall_timeout: Duration,
    pub kv_memory: KvMemory,
    pub kv_type: KvType,
    /// 0 for [`Engine::thread_count`] to find out.
    pub threads: usize,
}

impl Engine {
    /// Compute threads: those that are set, else the parallelism that is available to this process.
    pub fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        }
    }
}

/// Memory for the KV cache, written as `25%` or `4GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KvMemory {
    /// Of the machine's memory.
    Percent(u8),
    Size(ByteSize),
}

/// Numbers of the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    F16,
    F32,
}

impl KvMemory {
    /// Bytes on a machine with `total` bytes of memory.
    pub fn bytes(self, total: u64) -> u64 {
        match self {
            Self::Percent(percent) => total / 100 * u64::from(percent),
            Self::Size(size) => size.0,
        }
    }
}

impl FromStr for KvMemory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_suffix('%') {
            Some(number) => {
                let percent = number.trim().parse().map_err(|_| "a share is a whole number of percent, such as \"25%\"")?;
                Ok(Self::Percent(percent))
            }
            None => text.parse().map(Self::Size),
        }
    }
}

impl fmt::Display for KvMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(formatter, "{percent}%"),
            Self::Size(size) => size.fmt(formatter),
        }
    }
}

impl TryFrom<String> for KvMemory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KvMemory> for String {
    fn from(memory: KvMemory) -> Self {
        memory.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kv_memory_is_a_share_or_a_size() {
        assert_eq!("25%".parse::<KvMemory>().map(|memory| memory.bytes(1000)), Ok(250));
        assert_eq!("1KiB".parse::<KvMemory>().map(|memory| memory.bytes(1000)), Ok(1024));
        for wrong in ["%", "2.5%", "300%", "lots"] {
            assert!(wrong.parse::<KvMemory>().is_err(), "{wrong}");
        }
    }
}
