//! The parts of a block, in words.

use unicode_width::UnicodeWidthStr as _;

use crate::model::{Confidence, Container, Effect, Exit, Incident, Login, Process, Requester, Runtime};
use crate::sink::human::{Look, TimeForm};
use crate::sink::wrap::cut_middle;
use crate::text::quote::quote;
use crate::text::{
    age_ms, container_name, duration_us, elapsed_ms, ended, full_name, name_or_id, pod_name, process, short_id,
    shorten_ids, terminal, times, unit_name,
};

/// Columns of a command line; the JSON has all of it.
const CMDLINE: usize = 160;
/// Columns of one argument, where not all fit.
const ARGUMENT: usize = 64;

/// `nginx[22490], 3 h 12 min after its start, pid 1 of the container; exited 137: nginx -g 'daemon off;'`
pub fn killed(incident: &Incident, verbose: bool) -> String {
    let victim = &incident.victim.process;
    let role = match (incident.victim.container_init, incident.container.is_some(), victim.pid_in_namespace) {
        (true, true, _) => ", pid 1 of the container".to_owned(),
        (true, false, _) | (false, _, Some(1)) if victim.pid != 1 => ", pid 1 of its pid namespace".to_owned(),
        (false, true, Some(pid)) if pid != victim.pid && incident.init_end.is_some() => {
            format!(", pid {pid} in the container")
        }
        (false, true, Some(pid)) if pid != victim.pid => match &incident.victim.container_exit {
            Some(exit) => format!(", pid {pid} in the container (pid 1 then {})", ended(exit.status)),
            None => format!(", pid {pid} in the container (pid 1 was not hit)"),
        },
        _ => String::new(),
    };
    let age = age_ms(incident).map(|age| format!(", {} after its start", elapsed_ms(age))).unwrap_or_default();
    let exit = incident.victim.exit.as_ref();
    let ended = exit.map(|exit| ending(exit, incident.victim.container_init, verbose)).unwrap_or_default();
    let cmdline = victim.cmdline.as_ref().map(|c| format!(": {}", command(c))).unwrap_or_default();
    format!("{}{age}{role}{ended}{cmdline}", process(victim))
}

/// From here on, a victim took its time to end.
const SLOW_US: u64 = 1_000_000;

/// `; exited 137` for a container, as its runtime shows it, and how long that took where it took long.
fn ending(exit: &Exit, is_init: bool, verbose: bool) -> String {
    let after = exit.after_us.filter(|us| verbose || *us >= SLOW_US);
    let after = after.map(|us| format!("{} after the signal", duration_us(us)));
    match (exit.signal, after) {
        // Runtimes show a death by signal as 128 and its number.
        (Some(signal), after) if is_init => {
            let after = after.map(|after| format!(", {after}")).unwrap_or_default();
            format!("; exited {}{after}", 128 + signal)
        }
        (_, Some(after)) => format!("; gone {after}"),
        (_, None) => String::new(),
    }
}

/// `runc[23120] runc --root … kill 6c266caa8d7c… 9`
pub fn described(process_: &Process) -> String {
    match &process_.cmdline {
        Some(cmdline) => format!("{} {}", process(process_), command(cmdline)),
        None => process(process_),
    }
}

/// Ancestors shown; the JSON has all.
const ANCESTORS: usize = 4;

/// `  <  bash[812]  <  sshd[700]`
pub fn parents(ancestors: &[Process]) -> String {
    named(ancestors, ANCESTORS)
}

/// The nearest `count` of them.
pub fn named(ancestors: &[Process], count: usize) -> String {
    let shown: String = ancestors.iter().take(count).map(|parent| format!("  <  {}", process(parent))).collect();
    let more = if ancestors.len() > count && count > 1 { "  <  …" } else { "" };
    format!("{shown}{more}")
}

/// `alice (uid 1000)`
pub fn user(process: &Process) -> Option<String> {
    let uid = process.uid?;
    Some(process.user.as_ref().map_or_else(|| format!("uid {uid}"), |user| format!("{user} (uid {uid})")))
}

/// Who logged in, and where.
pub fn login(login: &Login) -> Vec<String> {
    let who = match (&login.user, login.uid) {
        (Some(user), _) => Some(format!("logged in as {user}")),
        (None, Some(uid)) => Some(format!("logged in as uid {uid}")),
        (None, None) => None,
    };
    who.into_iter().chain(login.tty.as_ref().map(|tty| format!("on {}", terminal(tty)))).collect()
}

/// `docker[812] docker stop web, alice (uid 1000), on pts2  <  bash[700]`
pub fn asked(requester: &Requester) -> String {
    let container = requester.container.as_ref();
    let place = container.map(|c| format!("in container {}", full_name(c)));
    let unit = requester.unit.as_deref();
    let unit = unit.map(|unit| format!("in {}", unit_name(unit, requester.process.cgroup.as_deref())));
    let who: Vec<String> = user(&requester.process)
        .into_iter()
        .chain(requester.login.iter().flat_map(login))
        .chain(place.or(unit))
        .map(|part| format!(", {part}"))
        .collect();
    format!("{}{}{}{}", doubt(requester), described(&requester.process), who.concat(), parents(&requester.ancestors))
}

/// `possibly `, where it may be somebody else.
fn doubt(requester: &Requester) -> &'static str {
    if requester.confidence == Confidence::Possible { "possibly " } else { "" }
}

/// A command line that fits, each argument quoted: ids cut to their first digits, long arguments cut within their quotes, the
/// middle ones left out. What a runtime does comes at the end.
fn command(cmdline: &[String]) -> String {
    let whole: Vec<String> = cmdline.iter().map(|argument| quote(&shorten_ids(argument)).into_owned()).collect();
    let width = |arguments: &[String]| arguments.iter().map(|argument| argument.width() + 1).sum::<usize>();
    if width(&whole) <= CMDLINE + 1 {
        return whole.join(" ");
    }
    let cut = |argument: &String| quote(&cut_middle(&shorten_ids(argument), ARGUMENT)).into_owned();
    let mut shown: Vec<String> = cmdline.iter().map(cut).collect();
    // The first one is the program.
    let mut is_left_out = false;
    while width(&shown) > CMDLINE && shown.len() > 2 {
        shown.remove(shown.len() / 2);
        is_left_out = true;
    }
    if is_left_out {
        shown.insert(shown.len() / 2, "…".to_owned());
    }
    shown.join(" ")
}

/// A sandbox's pod, the container's or unit's name, else the victim's.
pub fn place_name(incident: &Incident) -> String {
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    if let Some(name) = pod.and_then(pod_name) {
        // Many pods have a container of the same name.
        let own = container_name(incident).filter(|_| !pod.is_some_and(|pod| pod.sandbox));
        return own.map_or_else(|| name.clone(), |own| format!("{name}/{own}"));
    }
    let victim = &incident.victim.process;
    let unit = || match incident.unit.as_deref() {
        Some(unit) => unit_name(unit, victim.cgroup.as_deref()),
        None => quote(&shorten_ids(&victim.comm)).into_owned(),
    };
    container_name(incident).unwrap_or_else(unit)
}

/// `docker 6c266caa8d7c · nginx:1.27 · compose shop/web`
pub fn about(container: &Container) -> String {
    let runtime = container.runtime.map_or("container", Runtime::name);
    let own = format!("{} {}", runtime, quote(short_id(&container.id)));
    std::iter::once(own).chain(belongs_to(container)).collect::<Vec<_>>().join(" · ")
}

/// A container's image, and its pod, its compose service, and the container that it runs in.
pub fn belongs_to(container: &Container) -> Vec<String> {
    let mut parts: Vec<String> = container.image.iter().map(|image| quote(image).into_owned()).collect();
    if let Some(pod) = &container.pod {
        parts.extend(pod_name(pod).map(|name| format!("pod {name}")));
        parts.extend(pod.sandbox.then(|| "sandbox".to_owned()));
        parts.extend(pod.owner.as_ref().map(|owner| format!("{} {}", quote(&owner.kind), quote(&owner.name))));
        parts.extend(pod.qos.map(|class| format!("{class:?}")));
        parts.extend(pod.restart_count.filter(|count| *count > 0).map(|count| format!("restarted {}", times(count))));
    }
    let restarts = container.restart_count.filter(|count| *count > 0);
    parts.extend(restarts.map(|count| format!("restarted {}", times(count))));
    if let Some(labels) = &container.labels
        && let Some(project) = labels.get("com.docker.compose.project")
    {
        let service = labels.get("com.docker.compose.service").map(|s| format!("/{s}")).unwrap_or_default();
        parts.push(format!("compose {}", quote(&format!("{project}{service}"))));
    }
    if let Some(outer) = &container.outer {
        parts.push(format!("in {}", name_or_id(outer)));
    }
    parts
}

/// What a signal other than SIGKILL did.
pub fn effect_words(effect: Effect, incident: &Incident) -> &'static str {
    match effect {
        Effect::Ends if incident.victim.exit.is_none() => {
            "it ends the process, which has no handler for it and had not ended yet"
        }
        Effect::Ends => "it ended the process, which has no handler for it",
        Effect::Stops => "it stopped the process",
        Effect::Continues => "the process goes on, where it was stopped",
        Effect::Handled => "the process has a handler for it, and lives on unless that ends it",
        Effect::Ignored if incident.victim.container_init => "nothing: pid 1 ignores it, or has no handler for it",
        Effect::Ignored => "nothing: the process ignores it",
        Effect::Blocked => "it waits until the process unblocks it, or takes it by sigwait or signalfd",
        Effect::AlreadyPending => "nothing: the same signal was waiting already",
        Effect::AlreadyEnding => "nothing: the process was ending already",
    }
}

/// An incident in one line, behind where it was: why, who died, who sent it and who asked, as far as the reason does not name them.
pub fn brief(incident: &Incident, why: &str) -> String {
    let new = |name: &String| !why.contains(name.as_str());
    let victim = Some(process(&incident.victim.process)).filter(new);
    let others =
        Some(incident.collateral.len()).filter(|others| *others > 0).map(|others| format!("and {others} more"));
    let sender = incident.sender.process.as_ref().map(process).filter(new).map(|name| format!("by {name}"));
    let asked = incident.requester.as_ref().map(|asked| (process(&asked.process), doubt(asked)));
    let asked = asked.filter(|(name, _)| new(name)).map(|(name, doubt)| format!("{doubt}asked by {name}"));
    let who: Vec<String> = victim.into_iter().chain(others).chain(sender).chain(asked).collect();
    match (why.is_empty(), who.is_empty()) {
        (true, _) => who.join(", "),
        (false, true) => why.to_owned(),
        (false, false) => format!("{why}; {}", who.join(", ")),
    }
}

/// The time of a record, shown now.
pub(super) fn when(rfc3339: &str, look: Look) -> String {
    time_of(rfc3339, jiff::Timestamp::now(), look.time)
}

/// The time of a record, in the form that was asked for.
pub fn time_of(rfc3339: &str, now: jiff::Timestamp, form: TimeForm) -> String {
    let Ok(time) = rfc3339.parse::<jiff::Timestamp>() else { return "--:--:--".to_owned() };
    let zone = match form {
        TimeForm::Local => jiff::tz::TimeZone::system(),
        TimeForm::Utc | TimeForm::Iso | TimeForm::Relative => jiff::tz::TimeZone::UTC,
    };
    let there = |time: jiff::Timestamp| time.to_zoned(zone.clone());
    match form {
        TimeForm::Iso => format!("{time:.3}"),
        TimeForm::Relative => {
            let ago = now.duration_since(time).as_millis();
            format!("{} ago", elapsed_ms(u64::try_from(ago).unwrap_or_default()))
        }
        TimeForm::Local | TimeForm::Utc => {
            let is_today = there(time).date() == there(now).date();
            let zone = if form == TimeForm::Utc { "Z" } else { "" };
            there(time).strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string() + zone
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{kill, requested_by};

    #[test]
    fn a_line_says_of_whom_it_is_not_sure() {
        for (confidence, why, expected) in [
            (Confidence::Likely, "", "victim[20], by bash[10], asked by curl[30]"),
            (Confidence::Possible, "", "victim[20], by bash[10], possibly asked by curl[30]"),
            (Confidence::Possible, "curl[30] had it killed", "curl[30] had it killed; victim[20], by bash[10]"),
        ] {
            let mut incident = kill("/usr/bin/bash");
            let process = crate::model::Process { pid: 30, comm: "curl".to_owned(), ..Default::default() };
            incident.requester = Some(Requester { confidence, ..requested_by(process) });
            assert_eq!(brief(&incident, why), expected);
        }
    }
}
