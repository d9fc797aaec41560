//! Figures as people read them.

use std::time::Duration;

const BYTES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
const COUNTS: [&str; 5] = ["", "K", "M", "B", "T"];

/// An amount of memory: `7.8 GiB`.
pub(super) fn bytes(bytes: u64) -> String {
    let (value, unit) = scale(bytes, 1024.0, BYTES);
    format!("{value} {unit}")
}

/// A count: `4.3M`, `494M`, `3.1B`.
pub(super) fn count(count: u64) -> String {
    let (value, unit) = scale(count, 1000.0, COUNTS);
    format!("{value}{unit}")
}

/// A time in its two largest units: `12s`, `3m 12s`, `2d 4h`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// The share of a whole: `43 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    format!("{} %", u128::from(part) * 100 / u128::from(whole.max(1)))
}

/// Two digits or more, with the largest unit that leaves at least one before the point.
fn scale(amount: u64, factor: f64, units: [&'static str; 5]) -> (String, &'static str) {
    let mut value = amount as f64;
    let mut unit = 0;
    while value >= factor - 0.5 && unit + 1 < units.len() {
        value /= factor;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 9.95);
    (format!("{value:.decimals$}"), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let sizes = [0, 1023, 1024, 4_700_000, 10 << 20, (1 << 30) - 1, 8_375_186_227, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "4.5 MiB", "10 MiB", "1.0 GiB", "7.8 GiB", "16777216 TiB"]);
        let counts = [7, 999, 1000, 4_284_160, 494_032_768, 3_085_938_688].map(count);
        assert_eq!(counts, ["7", "999", "1.0K", "4.3M", "494M", "3.1B"]);
    }

    #[test]
    fn times_and_shares() {
        let times = [0, 59, 60, 192, 3600, 7500, 187_200].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(times, ["0s", "59s", "1m 0s", "3m 12s", "1h 0m", "2h 5m", "2d 4h"]);
        assert_eq!([percent(0, 0), percent(1, 3), percent(u64::MAX, u64::MAX)], ["0 %", "33 %", "100 %"]);
    }
}
