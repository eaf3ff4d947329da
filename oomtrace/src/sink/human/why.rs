//! The answer of `oomtrace why`: the usual block, under a line that says whether it was watched or found after the fact.

use std::borrow::Cow;

use super::Look;
use super::block::Block;
use super::earlier::earlier;
use super::incident::block;
use super::looked_at::{looked_at, unread_first};
use super::now::{now, without_lost_commands};
use super::reconstructed::reconstructed;
use super::records;
use crate::model::{Container, TargetKind, Why};
use crate::text::quote::quote;
use crate::text::short_id;

/// The answer, with a line feed at the end of each line.
#[must_use]
pub fn why(why: &Why, look: Look) -> String {
    let mut text = String::new();
    if let Some(exited) = &why.exit {
        text.push_str(&records::exit(exited, look));
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
    earlier(why, &mut rest);
    now(why, &mut rest);
    looked_at(why, &mut rest);
    text + &rest.text
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Answer, EarlierKill, Exited, ExitedAfter, LookedAt, SCHEMA, WhyTarget};

    fn container(id: char, name: &str) -> Container {
        Container { id: id.to_string().repeat(64), name: Some(name.to_owned()), ..Container::default() }
    }

    /// An exit with 137 of an earlier container of the name that was asked about, where the kernel log could not be read.
    pub(in crate::sink::human) fn exited() -> Why {
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
            cause: Some(crate::model::Cause::ProcessKill),
            why: "x".to_owned(),
            ..EarlierKill::default()
        };
        let text = why(&Why { earlier: vec![kill], looked_at: Vec::new(), ..asked("7") }, Look::default());
        assert!(text.contains("another process with that number had been killed"), "{text}");
        assert!(!text.contains("2nd"), "{text}");
    }
}
