//! What the system is told before anything runs.

use crate::settings::Settings;

/// How often an idle compute thread looks for work before it sleeps. Spinning longer starves the rest of a small machine.
const SPIN_LIMIT: &str = "200";

/// Tells the compute pools how many threads they may have. They read it once, at their first use.
///
/// Call it first thing in `main`: no other thread may exist.
#[expect(unsafe_code, reason = "the pools of candle and rayon can only be sized through the environment")]
#[expect(clippy::disallowed_methods, reason = "as above")]
pub fn prepare(settings: &Settings) {
    let threads = settings.engine.thread_count().to_string();
    for (name, value) in
        [("RAYON_NUM_THREADS", threads.as_str()), ("CANDLE_NUM_THREADS", threads.as_str()), ("CANDLE_BARRIER_POOL_SPIN_LIMIT", SPIN_LIMIT)]
    {
        if std::env::var_os(name).is_none() {
            // SAFETY: the only thread of the process is this one, so nobody reads the environment meanwhile.
            unsafe { std::env::set_var(name, value) };
        }
    }
}
