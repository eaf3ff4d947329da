//! What is to come, in words.

use crate::memory::recorder::warning::{Alarm, NEAR_PERCENT, Raised};
use crate::memory::verdict::{LimitReached, Sure};
use crate::model::{Confidence, Container, Pod, Reached, Warning, WarningKind};
use crate::text::{bytes, duration_ms};
use crate::words::course::span;

/// When, and whose limit it is.
pub struct Named {
    pub time: String,
    pub node: Option<String>,
    pub container: Option<Container>,
    pub pod: Option<Pod>,
    pub unit: Option<String>,
}

/// As the contract has it.
#[must_use]
pub fn warning(raised: Raised, named: Named) -> Warning {
    let Named { time, node, container, pod, unit } = named;
    let now = time.parse::<jiff::Timestamp>().map_or(0.0, |now| now.as_nanosecond() as f64 / 1e9);
    let limit = bytes(raised.limit_bytes);
    let (kind, confidence, near_for_ms, rate, reached, why) = match raised.alarm {
        Alarm::Near { for_tenths } => {
            let for_ms = u64::from(for_tenths) * 100;
            let percent = raised.held_bytes.saturating_mul(100) / raised.limit_bytes.max(1);
            let rate = raised.growth_bytes_per_hour.filter(|rate| *rate >= 0.0);
            let why = format!(
                "at least {NEAR_PERCENT} % of its memory limit of {limit} has been in use for {}, {percent} % now, page cache \
                 left out",
                duration_ms(for_ms)
            );
            (WarningKind::NearLimit, Confidence::Certain, Some(for_ms), rate, None, why)
        }
        Alarm::Forecast { reached, bytes_per_hour, sure } => {
            let left = span((reached.median - now).max(0.0));
            let rate = bytes(bytes_per_hour.max(0.0) as u64);
            let why = format!("it meets its memory limit of {limit} in {left}, if it goes on growing by {rate}/h");
            let confidence = if sure == Sure::Possible { Confidence::Possible } else { Confidence::Likely };
            (WarningKind::LimitForecast, confidence, None, Some(bytes_per_hour), times(&reached), why)
        }
    };
    Warning {
        time,
        node,
        kind,
        confidence,
        container,
        pod,
        unit,
        cgroup: raised.cgroup,
        level: raised.level,
        limit_bytes: raised.limit_bytes,
        held_bytes: raised.held_bytes,
        usage_bytes: raised.usage_bytes,
        near_for_ms,
        bytes_per_hour: rate.map(|rate| rate.max(0.0) as u64),
        reached,
        why,
    }
}

/// None where a time is out of every calendar's range.
fn times(reached: &LimitReached) -> Option<Reached> {
    let time = |unix: f64| jiff::Timestamp::from_second(unix as i64).ok().map(|time| format!("{time:.9}"));
    Some(Reached { median: time(reached.median)?, low: time(reached.low)?, high: reached.high.and_then(time) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LimitLevel;

    const MIB: u64 = 1 << 20;

    fn said(alarm: Alarm) -> Warning {
        let raised = Raised {
            cgroup: "/docker/x".to_owned(),
            level: LimitLevel::Container,
            limit_bytes: 512 * MIB,
            held_bytes: 496 * MIB,
            usage_bytes: 510 * MIB,
            growth_bytes_per_hour: None,
            alarm,
        };
        let time = "2026-11-26T14:00:00.000000000Z".to_owned();
        warning(raised, Named { time, node: None, container: None, pod: None, unit: None })
    }

    #[test]
    fn what_is_there_and_what_will_be_are_said_with_their_times() {
        let near = said(Alarm::Near { for_tenths: 300 });
        assert_eq!(
            (near.kind, near.confidence, near.near_for_ms),
            (WarningKind::NearLimit, Confidence::Certain, Some(30_000))
        );
        // It has not been at that all the time.
        assert_eq!(
            near.why,
            "at least 95 % of its memory limit of 512 MiB has been in use for 30.0 s, 96 % now, page cache left out"
        );
        let now = 1_795_701_600.0;
        let reached = LimitReached { median: now + 7200.0, low: now + 5400.0, high: None };
        let soon = said(Alarm::Forecast { reached, bytes_per_hour: 8.0 * MIB as f64, sure: Sure::Likely });
        assert_eq!(
            (soon.kind, soon.confidence, soon.bytes_per_hour),
            (WarningKind::LimitForecast, Confidence::Likely, Some(8 * MIB))
        );
        assert_eq!(soon.why, "it meets its memory limit of 512 MiB in 2.0 h, if it goes on growing by 8 MiB/h");
        let reached = soon.reached.unwrap();
        assert_eq!((reached.median.as_str(), reached.high), ("2026-11-26T16:00:00.000000000Z", None));
    }
}
