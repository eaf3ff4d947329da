//! The answer of `oomtrace why`: the usual block, under a line that says whether it was watched or found after the fact.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use super::Look;
use super::block::{self, Block, SIGNAL, block};
use super::now::{as_it_is_now, now, without_lost_commands};
use super::words::{about, full_name, time_of};
use crate::model::{
    Answer, Cause, Confidence, Container, EarlierKill, LookedAt, Reconstructed, SaidEnd, TargetKind, Why,
};
use crate::past::answer::EARLIER as MOST_EARLIER;
use crate::text::quote::quote;
use crate::text::{elapsed_ms, ordinal, short_id};
use crate::words::folded::{self, Folded};

const KILL: Style = AnsiColor::Red.on_default().bold();
/// Kills of before that have a line each.
const EARLIER: usize = 5;

/// The answer, with a line feed at the end of each line.
#[must_use]
pub fn why(why: &Why, look: Look) -> String {
    let mut text = String::new();
    if let Some(exited) = &why.exit {
        text.push_str(&block::exit(exited, look));
        let its = why.incident.iter().map(|incident| without_lost_commands(why, incident));
        its.for_each(|incident| text.push_str(&block(&incident, look)));
    } else if let Some(incident) = &why.incident {
        text.push_str(&block(&without_lost_commands(why, incident), look));
    } else if let Some(found) = &why.reconstructed {
        text.push_str(&reconstructed(why, found, look));
    } else {
        let mut block = Block { text: String::new(), look };
        unread_first(why).iter().for_each(|unread| block.plain(unread));
        block.plain(&sentence(&why.summary));
        text.push_str(&block.text);
    }
    let mut rest = Block { text: String::new(), look };
    another(why).iter().for_each(|another| rest.line("of", another));
    before(why, &mut rest);
    now(why, &mut rest);
    // Where nothing was found, where it was looked is the answer.
    if look.verbose || matches!(why.answer, Answer::Nothing | Answer::Alive | Answer::Unexplained) {
        let is_said = |looked: &&LookedAt| found_nothing(why) && is_closed(looked);
        for (index, looked) in why.looked_at.iter().filter(|looked| !is_said(looked)).enumerate() {
            let reach = looked.since.as_ref().map(|at| format!(", since {}", when(at, look))).unwrap_or_default();
            let read = if looked.is_read { "" } else { "not read: " };
            rest.line(
                if index == 0 { "looked" } else { "" },
                &format!("{}{reach}: {read}{}", looked.place, looked.said),
            );
        }
    }
    let unread: Vec<String> =
        missing(why).filter(|looked| !found_nothing(why) || !is_closed(looked)).map(may_have).collect();
    if !unread.is_empty() {
        rest.faint("unread", &unread.join("; "));
    }
    text + &rest.text
}

/// What is there and could not be read, and so may be missing from the answer.
#[must_use]
pub fn unread(why: &Why) -> Vec<String> {
    missing(why).map(may_have).collect()
}

fn missing(why: &Why) -> impl Iterator<Item = &LookedAt> {
    why.looked_at.iter().filter(|looked| looked.is_missing)
}

fn may_have(looked: &LookedAt) -> String {
    format!("what {} has may be missing here ({})", named(looked), looked.said)
}

/// `the kernel log`, `Docker`
fn named(looked: &LookedAt) -> String {
    match looked.place.as_str() {
        "docker" => "Docker".to_owned(),
        "kubernetes" => "the Kubernetes API".to_owned(),
        own @ "systemd" => own.to_owned(),
        other => format!("the {other}"),
    }
}

/// It is there, and nothing of it could be read.
const fn is_closed(looked: &LookedAt) -> bool {
    looked.is_missing && !looked.is_read
}

/// No kill and no end was found: what could not be read may be why.
const fn found_nothing(why: &Why) -> bool {
    why.exit.is_none() && why.incident.is_none() && why.reconstructed.is_none()
}

/// `Could not read the history (…: Permission denied), nor the kernel log (…): run it as root.` It stands
/// before the sentence that nothing was found.
fn unread_first(why: &Why) -> Option<String> {
    let closed: Vec<&LookedAt> = why.looked_at.iter().filter(|looked| is_closed(looked)).collect();
    let said: Vec<String> = closed.iter().map(|looked| format!("{} ({})", named(looked), looked.said)).collect();
    // As std::io::Error words EACCES and EPERM: others, root does not get over either.
    let is_refused = |looked: &&LookedAt| {
        ["permission denied", "not permitted"].iter().any(|error| looked.said.to_ascii_lowercase().contains(error))
    };
    let root = if closed.iter().any(is_refused) { ": run it as root" } else { "" };
    (!said.is_empty()).then(|| format!("Could not read {}{root}.", said.join(", nor ")))
}

/// `an earlier container of that name, 6c266caa8d7c: not of 8d7c266caa8d, which is there now`; `worker[4711], which was killed with it`.
#[must_use]
pub fn another(why: &Why) -> Option<String> {
    if why.target.as_ref().is_some_and(|target| target.kind == TargetKind::Process) {
        return with_it(why);
    }
    why.is_of_another.filter(|is_another| *is_another)?;
    let target = why.target.as_ref()?;
    let own = target.container.as_ref()?;
    let ended = why.ended_in()?;
    let which = match (&ended.name, &own.name) {
        (Some(ended), Some(own)) if ended != own => format!("another container of the same service, {}", quote(ended)),
        _ => "an earlier container of that name".to_owned(),
    };
    let is = if target.is_running == Some(true) { "runs now" } else { "is known under it now" };
    Some(format!("{which} ({}), and not of the one that {is} ({})", id(ended), id(own)))
}

/// The process that was asked about, where it is not the victim that the answer names.
fn with_it(why: &Why) -> Option<String> {
    let pid: u32 = why.target.as_ref()?.name.parse().ok()?;
    let incident = why.incident.as_ref().filter(|incident| incident.victim.process.pid != pid)?;
    let process = incident.collateral.iter().map(|other| &other.process).find(|process| process.pid == pid)?;
    let victim = crate::text::process(&incident.victim.process);
    Some(format!("{}, which was killed with {victim}", crate::text::process(process)))
}

fn id(container: &Container) -> Cow<'_, str> {
    quote(short_id(&container.id))
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn when(time: &str, look: Look) -> String {
    time_of(time, jiff::Timestamp::now(), look.time)
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain, by the kernel's own report",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible, no more",
    }
}

fn reconstructed(why: &Why, found: &Reconstructed, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let confidence =
        found.verdict.as_ref().map(|verdict| format!(" ({})", sure(verdict.confidence))).unwrap_or_default();
    block.dim(&format!("after the fact{confidence}: no oomtrace has kept it, and this is what others have left"));
    let place = place_of(why, found);
    let time = found.time.as_deref().unwrap_or_default();
    let (style, said) = match &found.verdict {
        Some(verdict) => (KILL, &verdict.why),
        None => (SIGNAL, &why.summary),
    };
    // What was no kill is said with its name.
    let (place, said) = if found.verdict.is_some() { (place, said.as_str()) } else { (said.clone(), "") };
    block.title(time, what_of(why, found), style, &place, said);
    found
        .container
        .iter()
        .filter(|container| !container.cgroup.is_empty())
        .for_each(|container| block.line("in", &about(container)));
    if let Some(incident) = found.as_incident() {
        block.line("killed", &super::words::killed(&incident, look.verbose));
        block.collateral(&incident);
        if incident.oom.is_some() {
            block.oom(&incident);
        }
    }
    found.end.iter().for_each(|end| block.line("ended", &said_of(end)));
    for (index, session) in found.sessions.iter().take(EARLIER).enumerate() {
        let from = session.from.as_ref().map(|from| format!(" from {}", quote(from))).unwrap_or_default();
        let who =
            format!("{} on {}{from}, since {}", quote(&session.user), quote(&session.tty), when(&session.since, look));
        block.line(
            if index == 0 { "there" } else { "" },
            &format!("{who}: logged in then, which need not mean anything"),
        );
    }
    if let Some(verdict) = &found.verdict {
        block.remedies(&as_it_is_now(why, verdict, found.container.as_ref()), &[], &[]);
        if look.verbose {
            block.facts(&verdict.evidence);
        }
    }
    if !found.unknown.is_empty() {
        block.faint("unseen", &found.unknown.join("; "));
    }
    if !found.missing.is_empty() {
        block.faint(
            if found.unknown.is_empty() { "unseen" } else { "" },
            &format!("what a running oomtrace would have known: {}", found.missing.join("; ")),
        );
    }
    block.text
}

/// `OOM KILL`, `KILLED`, `EXIT 137`, `ENDED`
#[must_use]
pub fn what_of(why: &Why, found: &Reconstructed) -> &'static str {
    match (&found.verdict, why.answer) {
        (Some(_), _) if found.oom.is_some() => "OOM KILL",
        // By the same signs as one of which nobody says more.
        (Some(verdict), _) if verdict.cause == Cause::ProcessKill && verdict.confidence == Confidence::Possible => {
            "EXIT 137"
        }
        (Some(_), _) => "KILLED",
        (None, Answer::Unexplained) => "EXIT 137",
        (None, _) => "ENDED",
    }
}

/// `web`, `shop/web-5d4/app`, `web.service`, the name of a process that was asked about by its number, or what was asked about.
#[must_use]
pub fn place_of(why: &Why, found: &Reconstructed) -> String {
    let container = found.container.as_ref().map(full_name);
    let unit = found.unit.as_ref().map(|unit| quote(unit).into_owned());
    let comm = found.victim.as_ref().map(|victim| &victim.process.comm).filter(|comm| !comm.is_empty());
    let target = why.target.as_ref().map(|target| match (target.kind, comm) {
        // As it is named where it was watched.
        (TargetKind::Process, Some(comm)) => quote(comm).into_owned(),
        _ => quote(&target.name).into_owned(),
    });
    let victim = found.victim.as_ref().map(|victim| crate::text::process(&victim.process));
    container.or(unit).or(target).or(victim).unwrap_or_default()
}

/// `exit code 137, OOM-killed, says Docker`
#[must_use]
pub fn said_of(end: &SaidEnd) -> String {
    let code = end.exit_code.map(|code| format!("exit code {code}"));
    let oom = end.oom_killed.map(|killed| if killed { "OOM-killed" } else { "not OOM-killed" }.to_owned());
    let reason = end.reason.as_ref().map(|reason| quote(reason).into_owned());
    let parts: Vec<String> = [code, oom, reason].into_iter().flatten().collect();
    format!("{}, says {}", if parts.is_empty() { "some time".to_owned() } else { parts.join(", ") }, end.by)
}

/// Whether it was the first time: `4th time in 2 d 3 h, each 31 h 2 min to 34 h 0 min after its start`.
fn before(why: &Why, block: &mut Block) {
    let (Some(latest), Some(oldest)) = (why.earlier.first(), why.earlier.last()) else { return };
    let time = why.incident.as_ref().map(|incident| incident.time.clone());
    let time = time.or_else(|| why.reconstructed.as_ref()?.time.clone());
    let span = |from: Option<&String>, to: Option<&String>| {
        let (from, to): (jiff::Timestamp, jiff::Timestamp) = (from?.parse().ok()?, to?.parse().ok()?);
        u64::try_from(to.duration_since(from).as_millis()).ok()
    };
    let whole =
        span(oldest.time.as_ref(), time.as_ref()).map(|ms| format!(" in {}", elapsed_ms(ms))).unwrap_or_default();
    let count = why.earlier.len() + 1;
    let ages: Vec<u64> = why.earlier.iter().filter_map(|kill| kill.after_start_ms).chain(own_age(why)).collect();
    let ages = match (ages.len() > 1, ages.iter().min(), ages.iter().max()) {
        (true, Some(least), Some(most)) => match (elapsed_ms(*least), elapsed_ms(*most)) {
            (least, most) if least == most => format!(", each {least} after its start"),
            (least, most) => format!(", {least} to {most} after its start"),
        },
        _ => String::new(),
    };
    let last = span(latest.time.as_ref(), time.as_ref())
        .map(|ms| format!("; the last one {} before", elapsed_ms(ms)))
        .unwrap_or_default();
    let is_node = why.target.is_none();
    // More are not looked for.
    let least = if count > MOST_EARLIER { "at least " } else { "" };
    let number = format!("{least}the {}", ordinal(count as u64));
    // Of an end with 137 nobody may know that it was a kill.
    let is_kill = why.answer != Answer::Unexplained && why.earlier.iter().all(|kill| kill.cause.is_some());
    let what = if is_kill { "kill" } else { "end by SIGKILL or with 137" };
    // A process is killed once.
    let is_process = why.target.as_ref().is_some_and(|target| target.kind == TargetKind::Process);
    match (is_node, why.answer) {
        (false, _) if is_process => {
            let others = if count == 2 { "another process".to_owned() } else { format!("{} others", count - 1) };
            block.line("before", &format!("{others} with that number had been killed{whole}{last}"));
        }
        (true, _) => block.line("before", &format!("{number} {what} on this node that is known{whole}{last}")),
        (false, Answer::Watched | Answer::Killed | Answer::Unexplained) => {
            block.line("before", &format!("it is {number} {what} that is known{whole}{ages}{last}"))
        }
        (false, _) => {
            let known = match count {
                2 => format!("one {what} is"),
                _ if is_kill => format!("{} kills are", count - 1),
                _ => format!("{} ends by SIGKILL or with 137 are", count - 1),
            };
            block.line("before", &format!("{known} known{whole}{last}"));
        }
    }
    let (lines, most) = match block.look.verbose {
        // Each has its incident's id.
        true => (why.earlier.iter().map(|kill| (kill, None)).collect(), why.earlier.len()),
        false => (folded::earlier(&why.earlier), EARLIER),
    };
    let mut told = 0;
    for (kill, folded) in lines.iter().take(most) {
        told += folded.map_or(1, |folded| folded.count());
        block.line("", &one(kill, folded.as_ref(), is_node, block.look));
    }
    let left = (why.earlier.len() as u64).saturating_sub(told);
    if left > 0 {
        block.line("", &format!("and {least}{left} more"));
    } else if !least.is_empty() {
        block.line("", &format!("the list ends here, at {MOST_EARLIER}: more are not looked for"));
    }
}

fn own_age(why: &Why) -> Option<u64> {
    crate::text::age_ms(why.incident.as_ref()?)
}

/// `03:40:11  web ×40 from 03:10:05 to 03:40:11: ran into its own limit of 64 MiB`
fn one(kill: &EarlierKill, folded: Option<&Folded>, has_place: bool, look: Look) -> String {
    let time = kill.time.as_ref().map_or_else(|| "some time".to_owned(), |time| when(time, look));
    let place = Some(kill.place.clone()).filter(|place| has_place && !place.is_empty());
    let count = folded.and_then(|folded| folded.said(|time| when(time, look)));
    let place = match place.into_iter().chain(count).collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => none,
        place => format!("{place}: "),
    };
    let id = kill.incident.as_ref().filter(|_| look.verbose).map(|id| format!(", incident {id}")).unwrap_or_default();
    format!("{time}  {place}{}{id}", kill.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exited, ExitedAfter, SCHEMA, Victim, WhyTarget};

    fn container(id: char, name: &str) -> Container {
        Container { id: id.to_string().repeat(64), name: Some(name.to_owned()), ..Container::default() }
    }

    fn exited() -> Why {
        let after = ExitedAfter {
            incident: None,
            pid: 12,
            comm: "worker".to_owned(),
            is_child: true,
            is_oom: true,
            by_pid: None,
            by_comm: None,
            before_ms: 3,
        };
        let exit = Exited {
            schema: SCHEMA,
            id: "1-x".to_owned(),
            time: "2026-11-26T03:12:07Z".to_owned(),
            node: None,
            boot_id: None,
            process: crate::model::Process { pid: 7, comm: "sh".to_owned(), ..crate::model::Process::default() },
            container_init: true,
            container: Some(container('a', "web")),
            unit: None,
            code: 137,
            why: "exited with 137 by itself: no SIGKILL ended it; its child worker[12] was OOM-killed 3 ms before"
                .to_owned(),
            after: Some(after),
        };
        let target = WhyTarget {
            kind: TargetKind::Container,
            name: "web".to_owned(),
            container: Some(container('b', "web")),
            is_running: Some(true),
            running_since: None,
            is_restarting: None,
            is_paused: None,
            restarts: None,
        };
        let unread = LookedAt {
            place: "kernel log".to_owned(),
            is_read: false,
            is_missing: true,
            since: None,
            said: "/dev/kmsg: Operation not permitted".to_owned(),
        };
        Why {
            schema: SCHEMA,
            time: "2026-11-26T04:00:00Z".to_owned(),
            node: None,
            boot_id: None,
            asked: Some("web".to_owned()),
            target: Some(target),
            answer: Answer::Ended,
            summary: "x".to_owned(),
            incident: None,
            exit: Some(exit),
            is_of_another: Some(true),
            is_removed: None,
            reconstructed: None,
            earlier: Vec::new(),
            looked_at: vec![unread],
        }
    }

    #[test]
    fn an_exit_whose_it_was_and_what_could_not_be_read_are_said() {
        let asked = exited();
        let text = why(&asked, Look::default());
        for part in [
            "EXIT 137",
            "exited with 137 by itself: no SIGKILL ended it; its child worker[12] was OOM-killed 3 ms before",
            "an earlier container of that name (aaaaaaaaaaaa), and not of the one that runs now (bbbbbbbbbbbb)",
            "what the kernel log has may be missing here (/dev/kmsg: Operation not permitted)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let mut replica = exited();
        replica.target.as_mut().unwrap().container = Some(container('b', "shop-web-2"));
        assert!(why(&replica, Look::default()).contains("another container of the same service, web"));
        let own = Why { is_of_another: Some(false), looked_at: Vec::new(), ..asked };
        let text = why(&own, Look::default());
        assert!(!text.contains("earlier container") && !text.contains("missing here"), "{text}");
    }

    fn nothing() -> Why {
        Why {
            asked: None,
            target: None,
            answer: Answer::Nothing,
            summary: "nothing that is left says of any kill on this node".to_owned(),
            exit: None,
            is_of_another: None,
            ..exited()
        }
    }

    #[test]
    fn where_nothing_was_found_what_could_not_be_read_comes_first_and_once() {
        let text = why(&nothing(), Look::default());
        let first = "Could not read the kernel log (/dev/kmsg: Operation not permitted): run it as root.\nNothing";
        assert!(text.to_lowercase().starts_with(&first.to_lowercase()), "{text}");
        assert_eq!(text.matches("not permitted").count(), 1, "{text}");
        let mut damaged = nothing();
        damaged.looked_at[0].said = "/dev/kmsg: Input/output error".to_owned();
        assert!(!why(&damaged, Look::default()).contains("as root"));
        // What was read in part is said with what was found there.
        damaged.looked_at[0].is_read = true;
        let text = why(&damaged, Look::default());
        assert!(text.to_lowercase().starts_with("nothing") && text.contains("may be missing here"), "{text}");
    }

    #[test]
    fn a_list_that_was_cut_says_so() {
        let kill = EarlierKill {
            time: None,
            place: "web".to_owned(),
            incident: None,
            cause: None,
            confidence: None,
            limit_bytes: None,
            after_start_ms: None,
            why: "x".to_owned(),
        };
        for (count, verbose, last) in [
            (MOST_EARLIER, false, "and at least 95 more"),
            (MOST_EARLIER, true, "the list ends here, at 100: more are not looked for"),
            (MOST_EARLIER - 1, false, "and 94 more"),
        ] {
            let asked = Why { earlier: vec![kill.clone(); count], looked_at: Vec::new(), ..exited() };
            let text = why(&asked, Look { verbose, ..Look::default() });
            assert!(text.contains(last), "{last}: {text}");
        }
        let asked = Why { earlier: vec![kill; MOST_EARLIER - 1], looked_at: Vec::new(), ..exited() };
        assert!(!why(&asked, Look { verbose: true, ..Look::default() }).contains("the list ends"));
    }

    #[test]
    fn like_kills_of_before_are_one_line() {
        let kill = |minute: u32, why: &str| EarlierKill {
            time: Some(format!("2026-11-20T03:{minute:02}:00Z")),
            place: "web".to_owned(),
            incident: Some(format!("id-{minute}")),
            cause: Some(Cause::OomContainerLimit),
            confidence: None,
            limit_bytes: None,
            after_start_ms: None,
            why: why.to_owned(),
        };
        // Eight of one kind, among them one of another.
        let mut earlier: Vec<EarlierKill> = (0..8).rev().map(|number| kill(10 + 5 * number, "ran into it")).collect();
        earlier.insert(3, kill(31, "somebody killed it"));
        let look = Look { time: super::super::TimeForm::Utc, ..Look::default() };
        let asked = Why { earlier: earlier.clone(), looked_at: Vec::new(), ..exited() };
        let text = why(&asked, look);
        let line = "2026-11-20 03:45:00Z  ×8 from 2026-11-20 03:10:00Z to 2026-11-20 03:45:00Z: ran into it\n";
        assert!(text.contains(line) && text.contains("03:31:00Z  somebody killed it\n"), "{text}");
        assert!(text.matches("ran into it").count() == 1 && !text.contains("more"), "{text}");
        // Of the node, with the place.
        let asked = Why { target: None, is_of_another: None, ..asked };
        assert!(why(&asked, look).contains("03:45:00Z  web ×8 from "), "{}", why(&asked, look));
        let text = why(&asked, Look { verbose: true, ..look });
        assert!(text.matches("ran into it").count() == 8 && text.contains("incident id-10"), "{text}");
        // Those on no line are counted, and not the lines.
        // And of whom it was, and of how much, makes no other kind.
        let unlike = ["a", "b", "c", "d", "e", "f", "g"].iter().zip((0..7).rev());
        let unlike =
            unlike.flat_map(|(x, n)| [kill(2 * n + 1, &format!("{x}[{n}]")), kill(2 * n, &format!("{x}[7{n}]"))]);
        let asked = Why { earlier: unlike.collect(), ..asked };
        assert!(why(&asked, look).contains("and 4 more"), "{}", why(&asked, look));
    }

    #[test]
    fn a_process_that_was_asked_for_by_its_number_goes_by_its_name() {
        let target = WhyTarget {
            kind: TargetKind::Process,
            name: "31237".to_owned(),
            container: None,
            is_running: Some(false),
            running_since: None,
            is_restarting: None,
            is_paused: None,
            restarts: None,
        };
        let asked = Why { target: Some(target), exit: None, ..exited() };
        let process = crate::model::Process { pid: 31237, comm: "tail".to_owned(), ..crate::model::Process::default() };
        let victim = Some(Victim { process, container_init: false, exit: None, container_exit: None });
        assert_eq!(place_of(&asked, &Reconstructed { victim, ..Reconstructed::default() }), "tail");
        assert_eq!(place_of(&asked, &Reconstructed::default()), "31237");
    }

    #[test]
    fn a_process_that_was_asked_about_is_named_where_it_was_killed_with_another() {
        let process =
            |pid, comm: &str| crate::model::Process { pid, comm: comm.to_owned(), ..crate::model::Process::default() };
        let mut incident = crate::judge::tests::kill("/usr/bin/bash");
        incident.victim.process = process(7, "master");
        let role = crate::model::Role::OomGroup;
        incident.collateral = vec![crate::model::Collateral { process: process(31237, "worker"), role }];
        let asked = |name: &str| {
            let target = exited().target.map(|target| WhyTarget {
                kind: TargetKind::Process,
                name: name.to_owned(),
                container: None,
                ..target
            });
            Why { target, exit: None, incident: Some(incident.clone()), answer: Answer::Watched, ..exited() }
        };
        assert_eq!(another(&asked("31237")).as_deref(), Some("worker[31237], which was killed with master[7]"));
        assert_eq!(another(&asked("7")), None);
        // Its number was another's before.
        let kill = EarlierKill {
            time: Some("2026-11-26T03:12:07Z".to_owned()),
            place: "sh[7]".to_owned(),
            incident: None,
            cause: Some(crate::model::Cause::ProcessKill),
            confidence: None,
            limit_bytes: None,
            after_start_ms: None,
            why: "x".to_owned(),
        };
        let text = why(&Why { earlier: vec![kill], looked_at: Vec::new(), ..asked("7") }, Look::default());
        assert!(text.contains("another process with that number had been killed"), "{text}");
        assert!(!text.contains("2nd"), "{text}");
    }

    #[test]
    fn numbers_have_their_endings() {
        let all = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 111, 112].map(ordinal);
        assert_eq!(all, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "111th", "112th"]);
    }
}
