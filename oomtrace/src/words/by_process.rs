//! Why a process killed another, where it is neither a runtime nor a service manager: who it is, seen from the victim, and what stands
//! behind it.

use crate::judge::class::{is_by_parent, same_container};
use crate::judge::judgement::{Judgement, Origin, Reason, Shell, TimeLimit};
use crate::model::{Incident, Pod, Requester};
use crate::text::quote::quote;
use crate::text::{clip, duration_ms, full_name, name_or_id, process, terminal, unit_name};
use crate::words::phrases::{managed, reply};

/// Bytes of a command line in a sentence.
const COMMAND: usize = 80;

/// The clause.
pub fn by_process(incident: &Incident, judgement: &Judgement) -> String {
    let who = who(incident);
    match &judgement.reason {
        Reason::TimeLimit(limit) => time_limit(limit),
        Reason::Manager(manager) => managed(&format!("{who} killed it"), manager),
        Reason::ManagerStop { manager, stop } => format!(
            "{}'s stop timed out after {}: {}",
            manager.program,
            duration_ms(stop.before_ms),
            reply(stop, incident.victim.is_pid_1())
        ),
        Reason::Exec { manager } => {
            // It is no part of what the container does, and nor need the victim be all of it.
            let victim = &incident.victim;
            let whom = if victim.container_init { "it".to_owned() } else { process(&victim.process) };
            let killed = format!("{}, brought into the container (exec), killed {whom}", sender(incident));
            manager.as_ref().map_or_else(|| killed.clone(), |manager| managed(&killed, manager))
        }
        Reason::Origin(origin) => by_origin(incident, judgement, &who, origin),
        _ => format!("{who} killed it{}", through(judgement)),
    }
}

/// `its time limit of 5 s was up: timeout -s KILL 5 worker`.
pub fn time_limit(limit: &TimeLimit) -> String {
    let TimeLimit { duration, kill_after, early, command } = limit;
    let began = match early {
        false => format!("its time limit of {} was up", span(duration)),
        true => format!("timeout was ended before its {} were up", span(duration)),
    };
    let after = kill_after.as_ref().map(|after| format!(", and it had not ended {} later (--kill-after)", span(after)));
    format!("{began}{}: {}", after.unwrap_or_default(), shell_words(command))
}

/// `5 s` of `5`, `1.5 min` of `1.5m`.
#[must_use]
pub fn span(duration: &str) -> String {
    let (number, unit) = match duration.chars().last() {
        Some('s') => (duration.trim_end_matches('s'), "s"),
        Some('m') => (duration.trim_end_matches('m'), "min"),
        Some('h') => (duration.trim_end_matches('h'), "h"),
        Some('d') => (duration.trim_end_matches('d'), "d"),
        _ => (duration, "s"),
    };
    format!("{} {unit}", quote(number))
}

fn by_origin(incident: &Incident, judgement: &Judgement, who: &str, origin: &Origin) -> String {
    match origin {
        Origin::Shell(Shell { shell, terminal: tty, by_hand, own }) => {
            // A terminal of a container's own is none of the machine's.
            let within = incident.sender.container.as_ref();
            let within = within.map(|container| format!(" in container {}", full_name(container)));
            let (user, place) = (user(incident, judgement), within.unwrap_or_else(|| outside(incident).to_owned()));
            let terminal = terminal(tty);
            let by = judgement.elevation.as_ref().map(|found| format!(", by {}", found.by)).unwrap_or_default();
            let shell = quote(shell);
            match (by_hand, own) {
                (true, true) => format!("{user} killed it by hand: in {shell} on {terminal}{by}{place}"),
                (true, false) => {
                    format!("{user} killed it by hand: {} in {shell} on {terminal}{by}{place}", command(incident))
                }
                (false, _) => {
                    format!("{} killed it, run by {user} from {shell} on {terminal}{by}{place}", sender(incident))
                }
            }
        }
        Origin::Ci { service, by_runner: true } => {
            format!("{who}, the runner of {service}, killed it, as at a job's end, time-out or cancellation")
        }
        Origin::Ci { service, by_runner: false } => {
            format!("{who} killed it, in a job of {service}{}", through(judgement))
        }
        Origin::Scheduler(program) => format!("{who} killed it, in a job of {program}'s{}", through(judgement)),
        Origin::Ssh => format!("{who} killed it, run by {} over ssh{}", user(incident, judgement), through(judgement)),
        Origin::Debugger(program) => format!("{who} killed it: a debugger or tracer ({program})"),
    }
}

/// `kill -9 20`; the process, where its arguments are not known.
fn command(incident: &Incident) -> String {
    let Some(process) = &incident.sender.process else { return "the kernel".to_owned() };
    match process.cmdline.as_deref() {
        Some(words) if !words.is_empty() => shell_words(words),
        _ => crate::text::process(process),
    }
}

fn shell_words(words: &[String]) -> String {
    let whole = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    if whole.len() <= COMMAND {
        return whole;
    }
    // A word that is cut would no longer be quoted as a whole.
    let mut shown = String::new();
    for word in words {
        let word = quote(word);
        if shown.len() + word.len() > COMMAND {
            break;
        }
        shown.push_str(&word);
        shown.push(' ');
    }
    if shown.is_empty() {
        shown = format!("{} ", quote(clip(words.first().map(String::as_str).unwrap_or_default(), COMMAND)));
    }
    format!("{shown}…")
}

/// The person: who ran sudo, else who logged in, else whom the sender runs as.
fn user(incident: &Incident, judgement: &Judgement) -> String {
    let elevated = judgement.elevation.as_ref().map(|found| (found.user.as_deref(), found.uid));
    let login = incident.sender.login.as_ref().map(|login| (login.user.as_deref(), login.uid));
    let own = incident.sender.process.as_ref().map(|process| (process.user.as_deref(), process.uid));
    let known = |found: &(Option<&str>, Option<u32>)| found.0.is_some() || found.1.is_some();
    name(elevated.filter(known).or(login.filter(known)).or(own).unwrap_or_default())
}

fn name((user, uid): (Option<&str>, Option<u32>)) -> String {
    match (user, uid) {
        (Some(user), _) => quote(user).into_owned(),
        (None, Some(uid)) => format!("uid {uid}"),
        (None, None) => "somebody".to_owned(),
    }
}

fn through(judgement: &Judgement) -> String {
    judgement.elevation.as_ref().map(|found| format!(", {}", crate::text::elevation(found))).unwrap_or_default()
}

fn sender(incident: &Incident) -> String {
    incident.sender.process.as_ref().map_or_else(|| "the kernel".to_owned(), process)
}

/// The sender lives outside of the victim's container, and in none.
fn is_outside(incident: &Incident) -> bool {
    // Where its cgroup is not known it may be of the same container.
    let has_cgroup = incident.sender.process.as_ref().is_some_and(|sender| sender.cgroup.is_some());
    incident.container.is_some() && incident.sender.container.is_none() && has_cgroup
}

fn outside(incident: &Incident) -> &'static str {
    if is_outside(incident) { ", from outside its container" } else { "" }
}

/// `its parent sh[7]`, `sh[7] of container agent in the same pod`, `sh[7] of container shop/agent/app`, `sh[7] from outside its container`, `cp[7] of backup.service`.
pub fn who(incident: &Incident) -> String {
    let sender = sender(incident);
    let parent = if is_by_parent(incident) { "its parent " } else { "" };
    let pod_of = |pod: Option<&Pod>| pod.and_then(|pod| pod.uid.clone());
    let place = match (&incident.container, &incident.sender.container) {
        _ if same_container(incident) => " in the same container".to_owned(),
        (own, Some(other)) => {
            let own = own.as_ref().and_then(|container| pod_of(container.pod.as_ref()));
            if own.is_some() && own == pod_of(other.pod.as_ref()) {
                format!(" of container {} in the same pod", name_or_id(other))
            } else {
                format!(" of container {}", full_name(other))
            }
        }
        (Some(_), None) if is_outside(incident) => " from outside its container".to_owned(),
        _ => match incident.sender.unit.as_deref().filter(|unit| tells_more(unit, incident)) {
            Some(unit) => {
                let cgroup = incident.sender.process.as_ref().and_then(|sender| sender.cgroup.as_deref());
                format!(" of {}", unit_name(unit, cgroup))
            }
            None => String::new(),
        },
    };
    format!("{parent}{sender}{place}")
}

/// A unit that is neither the victim's own nor a person's session.
fn tells_more(unit: &str, incident: &Incident) -> bool {
    !unit.starts_with("session-") && !unit.starts_with("user@") && incident.unit.as_deref() != Some(unit)
}

/// Who asked the runtime: `docker kill, by alice on pts/2`, `curl[7] in container watchtower`.
pub fn asker(requester: &Requester, asked_for: Option<&str>) -> String {
    let Requester { process: asking, container, login, .. } = requester;
    let what = asked_for.map_or_else(|| process(asking), quote_each);
    if let Some(container) = container {
        return format!("{what} in container {}", full_name(container));
    }
    let login_name = login.as_ref().and_then(|login| login.user.as_deref());
    let uid = login.as_ref().and_then(|login| login.uid).or(asking.uid);
    let user = name((login_name.or(asking.user.as_deref()), uid));
    let tty = login.as_ref().and_then(|login| login.tty.as_deref());
    let on = tty.map(|tty| format!(" on {}", terminal(tty))).unwrap_or_default();
    if asked_for.is_some() || tty.is_some() { format!("{what} by {user}{on}") } else { what }
}

/// Words of a client's that are known, program and verb.
fn quote_each(text: &str) -> String {
    text.split(' ').map(|word| quote(word).into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
