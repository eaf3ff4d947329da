//! What Docker did to a container before it ended, as its events say.

use jiff::Timestamp;

use super::{Around, Ruling, is_dockers};
use crate::container::runtime::docker::life::{Happened, SAID_WITHIN_MS, What, behind, nearest_end};
use crate::judge::stop::stops;
use crate::model::{Advice, Cause, Confidence, Evidence, SaidEnd, Source};
use crate::node::signals;
use crate::text::duration_ms;

/// Nobody waits longer between a stop signal and the kill: Kubernetes' jobs may be given hours, and Docker is given seconds.
const STOP_WITHIN_MS: i64 = 10 * 60_000;

/// Docker sent SIGKILL, and wrote so before the end.
pub fn sent_before(end: &SaidEnd, around: &Around<'_>, time: Timestamp) -> bool {
    life_and_after(end, around, time).is_some_and(|(life, _)| kill(life, life.iter()).is_some())
}

/// Docker sent it, as its events say.
pub fn ruling(end: &SaidEnd, around: &Around<'_>, time: Timestamp) -> Option<Ruling> {
    let (life, after) = life_and_after(end, around, time)?;
    let kill_at = kill(life, life.iter().chain(after))?;
    let ms = |from: i64, to: i64| to.saturating_sub(from) / 1_000_000;
    let fact = |fact: String| Evidence { fact, source: Source::Runtime };
    let died = life.last()?.at_ns;
    let when = if kill_at <= died {
        format!("{} before it ended", before(ms(kill_at, died)))
    } else {
        format!("as it wrote {} after it ended", before(ms(died, kill_at)))
    };
    let killed = fact(format!("Docker's events: signal 9 was sent to the container, {when}"));
    let stop =
        life.iter().rev().filter_map(signal).find(|(at, signal)| {
            stops(around.container, *signal) && *at <= kill_at && ms(*at, kill_at) <= STOP_WITHIN_MS
        });
    Some(match stop {
        Some((at, signal)) => {
            let (name, waited) = (signals::name(signal), before(ms(at, kill_at)));
            Ruling {
                cause: Cause::RuntimeStopTimeout,
                confidence: Confidence::Likely,
                why: format!(
                    "Docker was asked to stop it, sent {name}, and killed it {waited} later, when it had not ended"
                ),
                evidence: vec![killed, fact(format!("Docker's events: {name} was sent to it {waited} before that"))],
                advice: vec![Advice {
                    action: format!(
                        "have its first process handle {name} (`docker run --init` passes it on), or give it longer to stop \
                         (docker stop -t, stop_grace_period in compose)"
                    ),
                    why: "a container that does not end by its stop signal is killed when the time is up".to_owned(),
                    command: None,
                }],
            }
        }
        None => Ruling {
            cause: Cause::RuntimeKill,
            confidence: Confidence::Likely,
            why: "Docker was asked to kill it (docker kill, docker rm -f, or a program that says so to Docker)"
                .to_owned(),
            evidence: vec![killed],
            advice: Vec::new(),
        },
    })
}

/// When, in nanoseconds since 1970, SIGKILL was sent that can have made that life's end; the last of them.
fn kill<'a>(life: &[Happened], sent: impl DoubleEndedIterator<Item = &'a Happened>) -> Option<i64> {
    let died = life.last()?.at_ns;
    let is_it = |at: i64, number: u32| {
        number == signals::SIGKILL && died.saturating_sub(at) <= SAID_WITHIN_MS.saturating_mul(1_000_000)
    };
    sent.rev().filter_map(signal).find(|(at, number)| is_it(*at, *number)).map(|(at, _)| at)
}

/// A signal that was sent, and when.
fn signal(happened: &Happened) -> Option<(i64, u32)> {
    match &happened.what {
        What::Kill(name) => Some((happened.at_ns, signals::number(name)?)),
        _ => None,
    }
}

/// `at once`, `12 ms`
pub fn before(ms: i64) -> String {
    duration_ms(u64::try_from(ms).unwrap_or_default())
}

/// What was done to the container in the life that ended then, its end among them, and what Docker wrote right behind that; none where Docker
/// does not know of that end.
pub fn life_and_after<'a>(
    end: &SaidEnd,
    around: &Around<'a>,
    time: Timestamp,
) -> Option<(&'a [Happened], &'a [Happened])> {
    if !is_dockers(end) {
        return None;
    }
    let last = nearest_end(around.events, time)?;
    let start = around.events.get(..last)?.iter().rposition(|happened| happened.what == What::Start).unwrap_or(0);
    Some((around.events.get(start..=last)?, behind(around.events, last)))
}

/// Docker's events have the whole stop that would have come before: a kill of Docker's would be among them.
pub fn covers(end: &SaidEnd, around: &Around<'_>, time: Option<Timestamp>) -> bool {
    let (Some(time), Some(since)) = (time, around.events_since) else { return false };
    let is_sent = |happened: &Happened| matches!(happened.what, What::Kill(_));
    since.as_millisecond() <= time.as_millisecond().saturating_sub(SAID_WITHIN_MS)
        && life_and_after(end, around, time).is_some_and(|(life, after)| !life.iter().chain(after).any(is_sent))
}
