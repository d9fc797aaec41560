//! What the operator decides about an engine.

use std::time::Duration;

/// The number format of keys and values in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// Half the memory of `F32`, for a rounding error of 2⁻¹¹.
    #[default]
    F16,
    /// Exact; for parity with a reference.
    F32,
}

impl KvType {
    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Settings of the engines of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Budget of the KV cache in bytes; running sequences and stored pages share it. At least one page is always had.
    pub kv_bytes: u64,
    pub kv_type: KvType,
    /// How long a step should take. The prefill chunk adapts to it, between 16 and 512 tokens.
    pub step_target: Duration,
}

impl Default for EngineSettings {
    /// 1 GiB of f16 pages and steps of 250 ms.
    fn default() -> Self {
        Self { kv_bytes: 1 << 30, kv_type: KvType::default(), step_target: Duration::from_millis(250) }
    }
}
