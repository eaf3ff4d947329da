//! Clauses that more than one sentence is made of.

use crate::judge::judgement::{Manager, Reason, StopRequest};
use crate::model::{Disposition, Incident, InitEnd, Preceding};
use crate::text::quote::quote;
use crate::text::{ended, process};

/// Why there was an OOM kill without a limit.
pub const SYSRQ: &str = "somebody asked for an OOM kill (sysrq-f)";
pub const MIN_TTL: &str = "the machine could not keep the pages in use in memory (min_ttl_ms)";

/// What is said of a process that was asked to stop.
pub const STILL_RUNNING: &str = "was still running";

/// `, with no stop signal before`; nothing when there was one that does not explain the kill.
pub fn unasked(reason: &Reason) -> &'static str {
    if matches!(reason, Reason::RuntimeKill { after_stop_signal: true }) { "" } else { ", with no stop signal before" }
}

/// Why a pid namespace was swept: `the init of its pid namespace, sh[7], had been killed by runc[9]`.
pub fn init_ended(incident: &Incident) -> String {
    let Some(end) = &incident.init_end else { return "the init of its pid namespace ended".to_owned() };
    let init = process(&end.init);
    match &end.killed {
        Some(killed) => {
            let by = killed.by.as_ref().map_or_else(|| "the kernel".to_owned(), process);
            format!("the init of its pid namespace, {init}, had been killed by {by}")
        }
        None => match end.status {
            Some(status) => format!("the init of its pid namespace, {init},{} {}", asked(end), ended(status)),
            None => format!("the init of its pid namespace, {init}, ended"),
        },
    }
}

/// ` was sent SIGTERM by kill[9] and`.
fn asked(end: &InitEnd) -> String {
    let of = |asked: &Preceding| format!(" was sent {} by {}, and", quote(&asked.name), process(&asked.sender));
    end.asked.as_ref().map(of).unwrap_or_default()
}

/// What a process made of the signal that it was asked to stop by: `pid 1 has no SIGTERM handler`.
pub fn reply(stop: &StopRequest, is_init: bool) -> String {
    let signal = quote(&stop.signal);
    match stop.disposition {
        Some(Disposition::Default) if is_init => format!("pid 1 has no {signal} handler"),
        Some(Disposition::Ignored) => format!("it ignores {signal}"),
        Some(Disposition::Handled) => format!("its {signal} handler had not ended it"),
        Some(Disposition::Blocked) => format!("it was sent {signal}, which it blocks, and was still running"),
        Some(Disposition::Default) | None => format!("it was sent {signal}, and {STILL_RUNNING}"),
    }
}

/// What the manager's limit says of a kill.
pub fn managed(killed: &str, Manager { program, limit }: &Manager) -> String {
    format!("{killed}: {program} does so by {limit}")
}
