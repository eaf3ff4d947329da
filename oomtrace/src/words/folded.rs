//! Like kills on one line, for whoever reads what has been: a restart loop must not hide all others.

use jiff::Timestamp;

use crate::words::repeats::APART_MS;

/// The longest that may lie between two that are counted together, in nanoseconds: as while watching.
pub const APART_NS: i64 = APART_MS as i64 * 1_000_000;

/// Like kills, of which the last is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// How many, with the last.
    pub count: u64,
    /// When the first and the last was, in nanoseconds since 1970.
    pub first: i64,
    pub last: i64,
}

impl Folded {
    /// `×40 from 03:10:00 to 03:40:00`; none of a single one. `time` shows an RFC 3339 time.
    #[must_use]
    pub fn said(&self, time: impl Fn(&str) -> String) -> Option<String> {
        let shown = |ns: i64| {
            let at = Timestamp::from_nanosecond(ns.into()).unwrap_or_default();
            time(&format!("{at:.9}"))
        };
        (self.count > 1).then(|| format!("×{} from {} to {}", self.count, shown(self.first), shown(self.last)))
    }
}
