//! Clauses that more than one sentence is made of.

use crate::judge::judgement::Reason;
use crate::model::Incident;
use crate::text::{ended, process};

/// Why there was an OOM kill without a limit.
pub const SYSRQ: &str = "somebody asked for an OOM kill (sysrq-f)";
pub const MIN_TTL: &str = "the machine could not keep the pages in use in memory (min_ttl_ms)";

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
