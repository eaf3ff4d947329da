//! The parts of a block, in words.

use crate::model::Runtime;
use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

use crate::judge::requester::is_by_exec;
use crate::judge::senders::manager;
use crate::judge::stop_request;
use crate::model::{
    Cause, Confidence, Container, Disposition, Effect, Exit, Incident, Login, OomOrigin, Preceding, Process, Requester,
    SignalPath,
};
use crate::sink::wrap::cut_middle;
use crate::text::quote::quote;
use crate::text::{container_name, duration_ms, duration_us, ended, path_name, process, short_id};
use crate::words::summary::{init_ended, kernel_part, unasked};

/// Columns of a command line; the JSON has all of it.
const CMDLINE: usize = 160;
/// Columns of one argument, where not all fit.
const ARGUMENT: usize = 64;

/// `nginx[22490], pid 1 of the container: nginx -g daemon off;`
pub fn killed(incident: &Incident) -> String {
    let victim = &incident.victim.process;
    let role = match (incident.victim.container_init, incident.container.is_some(), victim.pid_in_namespace) {
        (true, true, _) => ", pid 1 of the container".to_owned(),
        (true, false, _) | (false, _, Some(1)) if victim.pid != 1 => ", pid 1 of its pid namespace".to_owned(),
        (false, true, Some(pid)) if pid != victim.pid && incident.init_end.is_some() => {
            format!(", pid {pid} in the container")
        }
        (false, true, Some(pid)) if pid != victim.pid => match &incident.victim.container_exit {
            Some(exit) => format!(", pid {pid} in the container, whose pid 1 then {}", ended(exit.status)),
            None => format!(", pid {pid} in the container, whose pid 1 was not hit"),
        },
        _ => String::new(),
    };
    let ended =
        incident.victim.exit.as_ref().map(|exit| ending(exit, incident.victim.container_init)).unwrap_or_default();
    let cmdline = victim.cmdline.as_ref().map(|c| format!(": {}", command(c))).unwrap_or_default();
    format!("{}{role}{ended}{cmdline}", process(victim))
}

/// `, which exited 137 after 3 ms` for a container, as its runtime shows it; `, gone after 3 ms` for another process.
fn ending(exit: &Exit, is_init: bool) -> String {
    let after = exit.after_us.map(|us| format!(" after {}", duration_us(us))).unwrap_or_default();
    match exit.signal {
        // Runtimes show a death by signal as 128 and its number.
        Some(signal) if is_init => format!(", which exited {}{after}", 128 + signal),
        _ => format!(", gone{after}"),
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
    let shown: String = ancestors.iter().take(ANCESTORS).map(|parent| format!("  <  {}", process(parent))).collect();
    let more = if ancestors.len() > ANCESTORS { "  <  …" } else { "" };
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
    who.into_iter().chain(login.tty.as_ref().map(|tty| format!("on {tty}"))).collect()
}

/// `docker[812] docker stop web, alice (uid 1000), on pts2  <  bash[700]`
pub fn asked(requester: &Requester) -> String {
    let container = requester.container.as_ref();
    let place = container.map(|c| format!("in container {}", name(c)));
    let unit = requester.unit.as_ref().map(|unit| format!("in {}", quote(unit)));
    let who: Vec<String> = user(&requester.process)
        .into_iter()
        .chain(requester.login.iter().flat_map(login))
        .chain(place.or(unit))
        .map(|part| format!(", {part}"))
        .collect();
    let doubt = if requester.confidence == Confidence::Possible { "possibly " } else { "" };
    format!("{doubt}{}{}{}", described(&requester.process), who.concat(), parents(&requester.ancestors))
}

/// A container's name, else the start of its id, as one word.
pub fn name(container: &Container) -> Cow<'_, str> {
    quote(container.name.as_deref().unwrap_or_else(|| short_id(&container.id)))
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

/// Each run of 64 hexadecimal digits as its first twelve and an ellipsis.
fn shorten_ids(text: &str) -> String {
    let is_id = |part: &str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = text.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    parts
        .map(|part| {
            let digits = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            let rest = part.get(digits.len()..).unwrap_or_default();
            if is_id(digits) { format!("{}…{rest}", short_id(digits)) } else { part.to_owned() }
        })
        .collect()
}

/// The container's or unit's name, else the victim's.
pub fn place_name(incident: &Incident) -> String {
    let unit = || quote(incident.unit.as_deref().unwrap_or(&incident.victim.process.comm)).into_owned();
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
        let name = pod.name.as_ref().or(pod.uid.as_ref());
        parts.extend(name.map(|name| format!("pod {}", quote(name))));
    }
    if let Some(labels) = &container.labels
        && let Some(project) = labels.get("com.docker.compose.project")
    {
        let service = labels.get("com.docker.compose.service").map(|s| format!("/{s}")).unwrap_or_default();
        parts.push(format!("compose {}", quote(&format!("{project}{service}"))));
    }
    if let Some(outer) = &container.outer {
        parts.push(format!("in {}", name(outer)));
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

const STILL_RUNNING: &str = "it was still running";

/// What a process made of the signal that it was asked to stop by.
fn reply(stop: &Preceding, is_init: bool) -> &'static str {
    match stop.disposition {
        Some(Disposition::Default) if is_init => "pid 1 has no handler for it",
        Some(Disposition::Ignored) => "it is ignored",
        Some(Disposition::Handled) => "its handler had not ended the process",
        Some(Disposition::Default | Disposition::Blocked) | None => STILL_RUNNING,
    }
}

/// One clause, and how sure it is when it is not certain.
pub fn why(incident: &Incident, cause: Cause, confidence: Confidence) -> String {
    let path = incident.signal.path.map(path_name);
    let by = |what: &str| path.map_or_else(|| what.to_owned(), |path| format!("{what}, by {path}"));
    let why = match cause {
        _ if incident.oom.as_ref().is_some_and(|oom| oom.origin == Some(OomOrigin::LimitLowered)) => {
            let by = incident.trigger.as_ref().map_or_else(|| "somebody".to_owned(), process);
            format!("{by} lowered the limit below what was in use")
        }
        Cause::OomContainerLimit => "the container ran into its own memory limit".to_owned(),
        Cause::OomPodLimit => "the pod ran into its memory limit".to_owned(),
        Cause::OomUnitLimit => "the unit ran into its memory limit".to_owned(),
        Cause::OomSliceLimit if is_own_limit(incident) => "its cgroup ran into its own memory limit".to_owned(),
        Cause::OomSliceLimit => "a cgroup above it ran into its memory limit".to_owned(),
        Cause::OomHost => match incident.oom.as_ref().and_then(|oom| oom.origin) {
            Some(OomOrigin::Sysrq) => "somebody asked for it (sysrq-f)".to_owned(),
            Some(OomOrigin::MinTtl) => "the machine could not keep the pages in use in memory (min_ttl_ms)".to_owned(),
            _ => "the machine ran out of memory".to_owned(),
        },
        Cause::OomConstrained => "the memory nodes that it may use were full".to_owned(),
        Cause::UserspaceOomKiller => "an out-of-memory daemon chose it".to_owned(),
        Cause::RuntimeKill => format!("the container runtime killed it{}", unasked(incident)),
        Cause::RuntimeStopTimeout => {
            let stop = stop_request(incident);
            let when = stop.map(|s| format!("{} came {} earlier", s.name, duration_ms(s.before_ms)));
            format!(
                "stop time-out: {} and {}",
                when.unwrap_or_else(|| "a stop signal came".to_owned()),
                stop.map_or(STILL_RUNNING, |stop| reply(stop, incident.victim.is_pid_1()))
            )
        }
        Cause::ServiceManagerKill => "systemd killed it".to_owned(),
        Cause::SameContainerKill if is_by_exec(incident, incident.container.as_ref()) => {
            by("a command that was brought into the container (exec) killed it")
        }
        Cause::SameContainerKill => match manager(incident) {
            Some((name, limit)) => {
                let killed = by("its parent in the same container killed it");
                format!("{killed}; it looks like {name}, which does so by {limit}")
            }
            None => by("another process in the same container killed it"),
        },
        Cause::ProcessKill => by("another process killed it"),
        Cause::SelfKill => by("it killed itself"),
        Cause::CgroupKill => "somebody wrote its cgroup's cgroup.kill".to_owned(),
        Cause::PidNamespaceExit => format!("{}, and the kernel killed the rest", init_ended(incident)),
        Cause::ParentExit => "its parent ended (PR_SET_PDEATHSIG)".to_owned(),
        Cause::RlimitCpu => "its CPU time was used up (RLIMIT_CPU)".to_owned(),
        Cause::RlimitRttime => "it ran in real time for too long without a pause (RLIMIT_RTTIME)".to_owned(),
        Cause::Timer => "a timer that it had set for itself killed it (timer_create)".to_owned(),
        Cause::Ptrace => "its tracer killed it".to_owned(),
        Cause::BpfProgram => "a BPF program killed it".to_owned(),
        Cause::KubeletProbeFailure => "a probe failed".to_owned(),
        Cause::KubeletEviction => "its pod was evicted".to_owned(),
        Cause::KubeletPreemption => "its pod was preempted".to_owned(),
        Cause::KubeletDeletion => "its pod was deleted".to_owned(),
        Cause::OtherKernel => match (kernel_part(incident), incident.signal.path) {
            (Some(part), _) => format!("the kernel killed it: {part}"),
            (None, Some(SignalPath::OtherKernel) | None) => {
                "the kernel killed it; which part of it could not be seen".to_owned()
            }
            (None, Some(SignalPath::Unseen)) => {
                "it ended by SIGKILL, and no signal that was seen explains it".to_owned()
            }
            (None, Some(path)) => format!("the kernel killed it, by {}", path_name(path)),
        },
    };
    match confidence {
        Confidence::Certain => why,
        Confidence::Likely => format!("{why} (likely)"),
        Confidence::Possible => format!("{why} (possible)"),
    }
}

/// The limit that was hit is that of the victim's own memory cgroup.
fn is_own_limit(incident: &Incident) -> bool {
    let own = incident.memory.as_ref().and_then(|memory| memory.levels.first()).map(|level| &level.path);
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()).map(|owner| &owner.path);
    own.is_some() && own == owner
}

/// Hours, minutes and seconds where this terminal is.
pub fn local_time(rfc3339: &str) -> String {
    let time: Result<jiff::Timestamp, _> = rfc3339.parse();
    time.map_or_else(
        |_| "--:--:--".to_owned(),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string(),
    )
}
