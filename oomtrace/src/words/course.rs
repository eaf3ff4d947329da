//! What kind of death by memory it was, in a clause.

use crate::judge::course::{Course, Detail};
use crate::model::{self, CourseKind, Incident};
use crate::text::bytes;
use crate::text::quote::quote;

/// As the contract has it.
pub fn course(incident: &Incident, found: &Course) -> model::Course {
    let time = |before_s: f64| {
        let kill: jiff::Timestamp = incident.time.parse().ok()?;
        // A second is as exact as it is.
        kill.checked_sub(jiff::SignedDuration::from_secs(before_s as i64)).ok().map(|time| format!("{time:.9}"))
    };
    model::Course {
        kind: found.kind,
        confidence: found.confidence,
        since: found.since_s.and_then(time),
        bytes_per_hour: found.bytes_per_hour.map(|rate| rate.max(0.0) as u64),
        lives: found.lives,
        advised_limit_bytes: found.advised_limit_bytes,
        neighbour: match &found.detail {
            Detail::Neighbour { cgroup, .. } => Some(cgroup.clone()),
            _ => None,
        },
        why: why(found),
    }
}

fn why(found: &Course) -> String {
    match &found.detail {
        Detail::Lowered { from, to, before_s, at_most_s } => {
            // It was between two readings.
            let (first, last) = (span(*before_s), span(*at_most_s));
            let when = if first == last { first } else { format!("{first} to {last}") };
            format!("the limit was lowered from {} to {}, {when} before", bytes(*from), bytes(*to))
        }
        Detail::Neighbour { cgroup, bytes: part, of_bytes, by_growth } => {
            let how = if *by_growth { "grew fastest of the largest" } else { "took the machine" };
            format!("{} {how}: {} of the {} that is followed", quote(cgroup), bytes(*part), bytes(*of_bytes))
        }
        Detail::Grew { bytes: 0, .. } => String::new(),
        Detail::Grew { bytes: grown, over_s } => {
            let what = match found.kind {
                CourseKind::Tmpfs => "tmpfs or shared memory",
                CourseKind::Kernel => "the kernel's own memory",
                _ => "page cache",
            };
            format!("{what} grew by {} within {}", bytes(*grown), span(*over_s))
        }
        Detail::Curve(why) => why.clone(),
        Detail::Spike { usual, highest, within_s } => format!(
            "{} was usual, and it rose to {} within {}",
            bytes(*usual),
            bytes(*highest),
            span(within_s.max(1.0))
        ),
        Detail::AtStart { after_s } => {
            // Of those before, so many did the same.
            let before = match found.lives {
                0 | 1 => String::new(),
                2 => ", and so did one life before".to_owned(),
                lives => format!(", and so did {} lives before", lives - 1),
            };
            format!("it met its limit within {} of its start{before}", span(after_s.max(1.0)))
        }
        Detail::Outgrew { after_s, lower, lower_after_s } => format!(
            "it met its limit within {} of its start, and a lower one of {} about as fast, within {}",
            span(after_s.max(1.0)),
            bytes(*lower),
            span(lower_after_s.max(1.0))
        ),
        Detail::Near { percent } => format!("it was beyond {percent} % of its limit for most of its life"),
        Detail::Many { count } => format!("{count} processes together"),
    }
}

/// `8 s`, `40 min`, `3.2 h`, `3.5 days`.
pub fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 172_800.0 => format!("{:.1} days", seconds / 86_400.0),
        seconds if seconds >= 36_000.0 => format!("{:.0} h", seconds / 3600.0),
        seconds if seconds >= 5400.0 => format!("{:.1} h", seconds / 3600.0),
        seconds if seconds >= 90.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{seconds:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Confidence;

    const MIB: u64 = 1 << 20;

    #[test]
    fn each_kind_is_said_with_what_was_seen() {
        let of = |kind, detail, lives| Course {
            kind,
            confidence: Confidence::Likely,
            since_s: None,
            bytes_per_hour: None,
            lives,
            advised_limit_bytes: None,
            detail,
        };
        for (kind, detail, lives, expected) in [
            (
                CourseKind::LimitLowered,
                Detail::Lowered { from: 512 * MIB, to: 256 * MIB, before_s: 180.0, at_most_s: 240.0 },
                1,
                "the limit was lowered from 512 MiB to 256 MiB, 3 min to 4 min before",
            ),
            (
                CourseKind::Neighbour,
                Detail::Neighbour { cgroup: "/a b".to_owned(), bytes: 6 << 30, of_bytes: 8 << 30, by_growth: false },
                1,
                "'/a b' took the machine: 6 GiB of the 8 GiB that is followed",
            ),
            (
                CourseKind::Tmpfs,
                Detail::Grew { bytes: 400 * MIB, over_s: 11_520.0 },
                1,
                "tmpfs or shared memory grew by 400 MiB within 3.2 h",
            ),
            (
                CourseKind::Spike,
                Detail::Spike { usual: 120 * MIB, highest: 512 * MIB, within_s: 8.2 },
                1,
                "120 MiB was usual, and it rose to 512 MiB within 8 s",
            ),
            (CourseKind::TooSmall, Detail::AtStart { after_s: 8.0 }, 1, "it met its limit within 8 s of its start"),
            (
                CourseKind::TooSmall,
                Detail::AtStart { after_s: 8.0 },
                2,
                "it met its limit within 8 s of its start, and so did one life before",
            ),
            (
                CourseKind::TooSmall,
                Detail::AtStart { after_s: 8.0 },
                4,
                "it met its limit within 8 s of its start, and so did 3 lives before",
            ),
            (
                CourseKind::Climbing,
                Detail::Outgrew { after_s: 16.0, lower: 128 * MIB, lower_after_s: 8.0 },
                2,
                "it met its limit within 16 s of its start, and a lower one of 128 MiB about as fast, within 8 s",
            ),
            (
                CourseKind::TooSmall,
                Detail::Near { percent: 85 },
                1,
                "it was beyond 85 % of its limit for most of its life",
            ),
        ] {
            assert_eq!(why(&of(kind, detail, lives)), expected);
        }
    }
}
