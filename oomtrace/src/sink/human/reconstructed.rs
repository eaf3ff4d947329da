//! A kill, or another end, that no oomtrace has kept: what others have left of it, and how sure that is.

use super::Look;
use super::block::{Block, KILL, SIGNAL};
use super::now::as_it_is_now;
use super::words::{about, killed, when};
use crate::model::{Answer, Cause, Confidence, Reconstructed, SaidEnd, TargetKind, Why};
use crate::text::quote::quote;
use crate::text::{full_name, unit_name};

/// Sessions that have a line each.
const SESSIONS: usize = 5;

/// The block of a kill or an end that is pieced together from what others have left.
pub(super) fn reconstructed(why: &Why, found: &Reconstructed, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let confidence =
        found.verdict.as_ref().map(|verdict| format!(" ({})", sure(verdict.confidence))).unwrap_or_default();
    block.dim(&format!("after the fact{confidence}: {}", kept_by_others(why, found)));
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
        block.line("killed", &killed(&incident, look.verbose));
        block.collateral(&incident);
        if incident.oom.is_some() {
            block.oom(&incident);
        }
    }
    found.end.iter().for_each(|end| block.line("ended", &said_of(end)));
    for (index, session) in found.sessions.iter().take(SESSIONS).enumerate() {
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

/// Why it is pieced together.
#[must_use]
pub fn kept_by_others(why: &Why, found: &Reconstructed) -> &'static str {
    match (&found.verdict, why.answer) {
        // oomtrace keeps kills, and ends with 137.
        (None, Answer::Ended) => "it was no SIGKILL, and this is what others say of it",
        _ => "no oomtrace has kept it, and this is what others have left",
    }
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain, by the kernel's own report",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible, no more",
    }
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
    let cgroup = found.victim.as_ref().and_then(|victim| victim.process.cgroup.as_deref());
    let unit = found.unit.as_ref().map(|unit| unit_name(unit, cgroup));
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

#[cfg(test)]
mod tests {
    use super::super::why::tests::exited;
    use super::*;
    use crate::model::{Victim, WhyTarget};

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
}
