//! Clauses that more than one sentence is made of.

use crate::judge::judgement::{Reason, StopRequest};
use crate::model::{Disposition, Incident};
use crate::text::{ended, process};

/// Why there was an OOM kill without a limit.
pub const SYSRQ: &str = "somebody asked for an OOM kill (sysrq-f)";
pub const MIN_TTL: &str = "the machine could not keep the pages in use in memory (min_ttl_ms)";

/// What is said of a process that was asked to stop.
pub const STILL_RUNNING: &str = "it was still running";

/// `, without a stop signal before`; nothing when there was one that does not explain the kill.
pub fn unasked(reason: &Reason) -> &'static str {
    if matches!(reason, Reason::RuntimeKill { after_stop_signal: true }) {
        ""
    } else {
        ", without a stop signal before"
    }
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
            Some(status) => format!("the init of its pid namespace, {init}, {}", ended(status)),
            None => format!("the init of its pid namespace, {init}, ended"),
        },
    }
}

/// What a process made of the signal that it was asked to stop by.
pub fn reply(stop: &StopRequest, is_init: bool) -> &'static str {
    match stop.disposition {
        Some(Disposition::Default) if is_init => "pid 1 has no handler for it",
        Some(Disposition::Ignored) => "the process ignores it",
        Some(Disposition::Handled) => "its handler had not ended the process",
        Some(Disposition::Default | Disposition::Blocked) | None => STILL_RUNNING,
    }
}
