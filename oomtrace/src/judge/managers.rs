//! Programs that start processes and end them, and by what.

use crate::judge::judgement::{Manager, StopRequest, TimeLimit};
use crate::judge::senders::{file_name, invocation, is_at_home, matches, program};
use crate::judge::stop;
use crate::model::{Incident, Process};
use crate::profile::manager::ALL;

mod timeout;

/// What has the programs of others in it, and is one of them by the name that it was called by.
const MULTI_CALL: &[&str] = &["busybox", "toybox", "coreutils"];

/// The program that manages processes which the sender looks like, where it is the victim's parent, and the limit of it that ends them.
pub fn manager(incident: &Incident) -> Option<Manager> {
    let sender = incident.sender.process.as_ref().filter(|sender| incident.victim.process.ppid == Some(sender.pid))?;
    let name = program(sender)?;
    let known = ALL.iter().find(|known| matches(name, known.program))?;
    let limit = match (value(sender, known.options), known.limit.strip_suffix(')')) {
        (Some(value), Some(open)) => format!("{open} {value})").into(),
        _ => known.limit.into(),
    };
    Some(Manager { program: known.name(), limit })
}

/// The number that the sender's command line gives one of the options, where it gives one.
fn value<'a>(sender: &'a Process, options: &[&str]) -> Option<&'a str> {
    let (_, arguments) = invocation(sender);
    let mut given = arguments.iter().enumerate().filter_map(|(at, argument)| {
        let option = argument.split_once('=').map_or(argument.as_str(), |(option, _)| option);
        if !options.contains(&option) {
            return None;
        }
        argument.split_once('=').map(|(_, value)| value).or_else(|| arguments.get(at + 1).map(String::as_str))
    });
    // The last one counts.
    given.next_back().filter(|value| value.len() <= 9 && value.parse::<f64>().is_ok())
}

/// The sender itself had asked the victim to stop.
pub fn stop(incident: &Incident) -> Option<StopRequest> {
    let sender = incident.sender.process.as_ref()?;
    let mut own = stop::recent(incident).filter(|request| request.sender.pid == sender.pid);
    let first = own.next()?;
    Some(StopRequest::of(first, own.next_back().unwrap_or(first)))
}

/// The time limit that the sender, timeout(1), ended its command at, or itself with the rest of its process group.
pub fn time_limit(incident: &Incident) -> Option<TimeLimit> {
    let sender = incident.sender.process.as_ref()?;
    let cmdline = sender.cmdline.as_ref().filter(|_| !sender.cmdline_truncated)?;
    let called = |at: usize| cmdline.get(at).is_some_and(|name| file_name(name) == "timeout");
    let multi_call = MULTI_CALL.iter().find(|name| is_at_home(sender, name)).copied();
    let at = match multi_call {
        None if is_at_home(sender, "timeout") => 0,
        Some(_) if called(0) => 0,
        Some(_) if called(1) => 1,
        _ => return None,
    };
    let command = cmdline.get(at..)?;
    let found = timeout::limit(command.get(1..)?)?;
    let victim = &incident.victim.process;
    let is_its = match multi_call {
        // It becomes the command itself, and a grandchild of it watches the time (coreutils/timeout.c of 1.30 to 1.37).
        Some("busybox") => victim.cmdline.as_ref().is_some_and(|own| own.ends_with(found.runs)),
        _ => victim.ppid == Some(sender.pid) || victim.pid == sender.pid,
    };
    is_its.then(|| TimeLimit {
        duration: found.duration.to_owned(),
        kill_after: found.kill_after.map(str::to_owned),
        early: is_early(incident, sender, found.duration),
        command: command.to_vec(),
    })
}

/// The sender and its victim, which it starts at once, are both younger than its time limit. Where no age is known: no.
fn is_early(incident: &Incident, sender: &Process, duration: &str) -> bool {
    let started = |process: &Process| process.started.as_ref()?.parse::<jiff::Timestamp>().ok();
    let oldest = [sender, &incident.victim.process].into_iter().filter_map(started).min();
    let (Some(oldest), Ok(killed)) = (oldest, incident.time.parse::<jiff::Timestamp>()) else { return false };
    let Some(limit) = timeout::seconds(duration) else { return false };
    // When a process was started is known to the clock's tick, a hundredth of a second.
    killed.duration_since(oldest).as_secs_f64() + 0.05 < limit
}

#[cfg(test)]
mod tests;
