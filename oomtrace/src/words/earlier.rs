//! How often it was before.

use crate::model::{Cause, EarlierKills, Incident};
use crate::resolve::case::EarlierByCause;
use crate::text::ordinal;

/// What the contract has of it.
pub fn summed(earlier: EarlierByCause, cause: Cause) -> EarlierKills {
    let EarlierByCause { causes, first, last, kept_since, .. } = earlier;
    let name = cause.name();
    let same_cause = causes.iter().filter(|(cause, _)| *cause == name).map(|(_, count)| count).sum();
    EarlierKills { count: causes.iter().map(|(_, count)| count).sum(), same_cause, first, last, kept_since }
}

/// `the 4th time in 2 days`, of kills of the same cause alone or of any; none when it is the first, or that is not known. Of programs that
/// nothing but their name holds together it is no news that another one was killed.
#[must_use]
pub fn again(incident: &Incident) -> Option<String> {
    if incident.container.is_none() && incident.unit.is_none() {
        return None;
    }
    let earlier = incident.earlier.as_ref().filter(|earlier| earlier.count > 0)?;
    let now: jiff::Timestamp = incident.time.parse().ok()?;
    let first: jiff::Timestamp = earlier.first.as_deref()?.parse().ok()?;
    let seconds = u64::try_from(now.duration_since(first).as_secs()).ok()?;
    let within = within(seconds);
    let number = ordinal(earlier.count + 1);
    match earlier.same_cause {
        same if same == earlier.count => Some(format!("for the {number} time in {within}")),
        0 => Some(format!("the {number} kill in {within}, the first of this cause")),
        same => Some(format!("the {number} kill in {within}, the {} of this cause", ordinal(same + 1))),
    }
}

/// `40 s`, `3 h`, `2 days`: never less than it was.
fn within(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{} s", seconds.max(1)),
        60..5_400 => format!("{} min", seconds.div_ceil(60)),
        5_400..129_600 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_is_said_with_how_long_it_took() {
        let earlier = |causes: &[(&str, u64)], first: &str| EarlierByCause {
            causes: causes.iter().map(|(cause, count)| ((*cause).to_owned(), *count)).collect(),
            first: Some(first.to_owned()),
            ..EarlierByCause::default()
        };
        for (causes, first, said) in [
            (&[][..], "2026-11-20T00:00:00Z", None),
            (&[("self_kill", 3)], "2026-11-18T12:00:00Z", Some("for the 4th time in 2 days")),
            (&[("self_kill", 1)], "2026-11-20T11:59:59.5Z", Some("for the 2nd time in 1 s")),
            (&[("self_kill", 20)], "2026-11-20T10:00:00Z", Some("for the 21st time in 2 h")),
            (&[("oom_host", 1)], "2026-11-20T11:00:00Z", Some("the 2nd kill in 60 min, the first of this cause")),
            (
                &[("oom_host", 8), ("self_kill", 2)],
                "2026-11-01T11:00:00Z",
                Some("the 11th kill in 20 days, the 3rd of this cause"),
            ),
        ] {
            let mut incident = crate::judge::tests::kill("/usr/bin/bash");
            incident.time = "2026-11-20T12:00:00Z".to_owned();
            incident.earlier = Some(summed(earlier(causes, first), Cause::SelfKill));
            assert_eq!(again(&incident), None, "a program is not the same as another one of its name");
            incident.unit = Some("web.service".to_owned());
            incident.earlier = Some(summed(earlier(causes, first), Cause::SelfKill));
            assert_eq!(again(&incident).as_deref(), said, "{causes:?}");
        }
    }
}
