//! What there is now of what ended: whether it runs again, waits for that, is down, or is gone.

use std::borrow::Cow;

use super::block::Block;
use super::words::when;
use super::{Look, TimeForm};
use crate::model::{Advice, Answer, Cause, Container, Incident, TargetKind, Verdict, Why, WhyTarget};
use crate::text::quote::quote;
use crate::text::{bytes, name_or_id, times};
use crate::words::advice::client::engine_target;

/// The line about it, and the command that helps.
pub(super) fn now(why: &Why, block: &mut Block) {
    if why.is_removed == Some(true) {
        block.line("now", &gone(why));
    }
    let Some(target) = &why.target else { return };
    if matches!(why.answer, Answer::Alive | Answer::Nothing) {
        return;
    }
    let before = block.text.len();
    life(why, target, block);
    let label = if block.text.len() > before { "" } else { "now" };
    limit_now(why).iter().for_each(|limit| block.line(label, limit));
}

/// Whether it lives.
fn life(why: &Why, target: &WhyTarget, block: &mut Block) {
    match (target.is_running, &target.running_since) {
        // Of its containers another one may run, and this one none.
        (Some(true), _) if target.kind == TargetKind::Pod => block.line("now", "its pod is there"),
        (Some(true), _) if target.is_paused == Some(true) => {
            let own = target.container.as_ref().and_then(engine_target);
            block.line("now", if own.is_some() { "it is paused, and goes on with:" } else { "it is paused" });
            own.iter().for_each(|(engine, name)| block.command(&format!("{engine} unpause {name}")));
        }
        (Some(true), Some(since)) => {
            let at = |look: Look| when(since, look);
            let relative = Look { time: TimeForm::Relative, ..block.look };
            let again = target.restarts.filter(|count| *count > 0);
            let again = again.map(|count| format!("; its restart policy started it again {}", times(count)));
            let again = again.unwrap_or_default();
            block.line("now", &format!("it runs, since {} ({}){again}", at(block.look), at(relative)));
        }
        (Some(true), None) => block.line("now", "it runs"),
        (Some(false), _) if why.is_removed != Some(true) => down(target, block),
        _ => {}
    }
}

/// A container that is there, and does not run.
fn down(target: &WhyTarget, block: &mut Block) {
    // Nobody but its runtime says that it is only stopped.
    let (Some(container), Some(restarts)) = (&target.container, target.restarts) else { return };
    let start = engine_target(container).map(|(engine, name)| format!("{engine} start {name}"));
    let colon = if start.is_some() { ":" } else { "" };
    let policy = container.restart_policy.as_deref();
    if target.is_restarting == Some(true) {
        let policy = policy.map(|policy| format!(" ({})", quote(policy))).unwrap_or_default();
        return block.line("now", &format!("it is down, and its restart policy{policy} is about to start it again"));
    }
    let most = policy.and_then(|policy| policy.strip_prefix("on-failure:")?.parse::<u32>().ok());
    let said = match (policy, most) {
        (_, Some(most)) if restarts >= most => {
            format!("it is down: its restart policy has started it again {}, and does so no more", times(restarts))
        }
        (None, _) => "it is down, and has no restart policy that would start it again".to_owned(),
        (Some(policy), _) => format!("it is down, and its restart policy ({}) has not started it again", quote(policy)),
    };
    block.line("now", &format!("{said}{colon}"));
    start.iter().for_each(|command| block.command(command));
}

/// `web was removed: what is to be done about it is for the next one`
fn gone(why: &Why) -> String {
    let name = why.ended_in().map_or(Cow::Borrowed("it"), name_or_id);
    let has_advice = why.verdict().is_some_and(|verdict| !verdict.advice.is_empty());
    let next = if has_advice { ": give the next one what is said above when it is made" } else { "" };
    format!("{name} was removed{next}")
}

/// `its limit is 256 MiB now, and was 32 MiB then`: of a container, or of the one that has its name now.
fn limit_now(why: &Why) -> Option<String> {
    let (then, now) = limits(why)?;
    (then != now).then(|| format!("its limit is {} now, and was {} then", bytes(now), bytes(then)))
}

/// The limit of its own that a container met, and the one that it has now, or whoever has its name, as its runtime says.
fn limits(why: &Why) -> Option<(u64, u64)> {
    let target = why.target.as_ref().filter(|target| target.restarts.is_some())?;
    let now = target.container.as_ref()?.limits.as_ref()?.memory_bytes?;
    why.verdict().filter(|verdict| verdict.cause == Cause::OomContainerLimit)?;
    Some((why.oom()?.limit_owner.as_ref()?.limit_bytes?, now))
}

/// The verdict without commands that name a container where they would change nothing, or do harm: it is gone, another one has its name, or
/// its limit has been raised since.
pub(super) fn as_it_is_now<'a>(why: &Why, verdict: &'a Verdict, container: Option<&Container>) -> Cow<'a, Verdict> {
    let is_other = why.is_removed == Some(true) || why.is_of_another == Some(true);
    let is_raised = limits(why).is_some_and(|(then, now)| now > then);
    let Some(container) = container.filter(|_| is_other || is_raised) else { return Cow::Borrowed(verdict) };
    let mut verdict = verdict.clone();
    let names_it = |advice: &&mut Advice| advice.command.as_deref().is_some_and(|command| names(command, container));
    verdict.advice.iter_mut().filter(names_it).for_each(|advice| advice.command = None);
    Cow::Owned(verdict)
}

/// The same of an incident.
pub(super) fn without_lost_commands<'a>(why: &Why, incident: &'a Incident) -> Cow<'a, Incident> {
    let now = incident.verdict.as_ref().map(|verdict| as_it_is_now(why, verdict, incident.container.as_ref()));
    match now {
        Some(Cow::Owned(verdict)) => Cow::Owned(Incident { verdict: Some(verdict), ..incident.clone() }),
        _ => Cow::Borrowed(incident),
    }
}

/// A word of the command is the container's name, or its id.
fn names(command: &str, container: &Container) -> bool {
    let is_its = |word: &str| word == container.id || container.name.as_deref() == Some(word);
    command.split_whitespace().any(is_its)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Runtime;
    use crate::past::answer::{Traces, answer};

    fn container() -> Container {
        let (name, runtime) = (Some("web".to_owned()), Some(Runtime::Docker));
        Container { id: "a".repeat(64), name, runtime, confirmed: true, ..Container::default() }
    }

    /// What is said of the answer, with nothing found, that it was an end.
    fn said(change: impl FnOnce(&mut Why)) -> String {
        let identity = crate::node::identity::Identity::default();
        let mut why = answer(None, None, Traces::default(), &identity, jiff::Timestamp::UNIX_EPOCH);
        why.answer = Answer::Ended;
        why.target = Some(WhyTarget {
            kind: TargetKind::Container,
            name: "web".to_owned(),
            container: Some(container()),
            is_running: Some(false),
            running_since: None,
            is_restarting: Some(false),
            is_paused: Some(false),
            restarts: Some(0),
        });
        change(&mut why);
        let mut block = Block { text: String::new(), look: Look::default() };
        now(&why, &mut block);
        block.text
    }

    #[test]
    fn what_is_down_is_said_to_be_and_how_it_is_started() {
        let policy = |why: &mut Why, policy: &str, restarts| {
            let target = why.target.as_mut().unwrap();
            target.container.as_mut().unwrap().restart_policy = Some(policy.to_owned());
            target.restarts = Some(restarts);
        };
        for (text, expected) in [
            (said(|_| {}), "it is down, and has no restart policy that would start it again:"),
            (said(|why| policy(why, "on-failure:3", 3)), "started it again 3 times, and does so no more:"),
            (said(|why| policy(why, "on-failure:3", 1)), "restart policy (on-failure:3) has not started it again:"),
            (said(|why| policy(why, "always", 4)), "its restart policy (always) has not started it again:"),
        ] {
            assert!(text.contains(expected) && text.contains("docker start web"), "{text}");
        }
        let waits = said(|why| {
            policy(why, "always", 4);
            why.target.as_mut().unwrap().is_restarting = Some(true);
        });
        assert!(waits.contains("it is down, and its restart policy (always) is about to start it again"), "{waits}");
        assert!(!waits.contains("docker start"), "{waits}");
        let paused = said(|why| {
            let target = why.target.as_mut().unwrap();
            (target.is_running, target.is_paused) = (Some(true), Some(true));
        });
        assert!(
            paused.contains("it is paused, and goes on with:") && paused.contains("docker unpause web"),
            "{paused}"
        );
        // Another container of the pod may run.
        let of_pod = said(|why| {
            let target = why.target.as_mut().unwrap();
            (target.kind, target.is_running, target.restarts) = (TargetKind::Pod, Some(true), None);
        });
        assert!(of_pod.contains("its pod is there") && !of_pod.contains("it runs"), "{of_pod}");
        // Nobody that knows it says that it could be started.
        assert_eq!(said(|why| why.target.as_mut().unwrap().restarts = None), "");
        assert_eq!(said(|why| why.answer = Answer::Nothing), "");
    }

    #[test]
    fn a_command_that_would_lower_the_limit_is_left_out() {
        use crate::judge::tests::{in_container, oom};
        use crate::model::{LimitLevel, Limits, OomScope};
        let mut incident =
            in_container(oom(&[("/docker/x", 32, Some(32))], Some((0, LimitLevel::Container)), OomScope::Memcg));
        incident.container = Some(container());
        let command = "docker update --memory 48m web".to_owned();
        let advice = Advice { action: "raise it".to_owned(), why: String::new(), command: Some(command) };
        let mut verdict = crate::judge::tests::judged(&incident);
        (verdict.cause, verdict.advice) = (Cause::OomContainerLimit, vec![advice]);
        incident.verdict = Some(verdict);
        let of = |mib: u64, is_of_another| {
            let mut has_command = false;
            let text = said(|why| {
                let limits = Limits { memory_bytes: Some(mib << 20), ..Limits::default() };
                why.target.as_mut().unwrap().container.as_mut().unwrap().limits = Some(limits);
                why.incident = Some(incident.clone());
                why.is_of_another = is_of_another;
                let left = without_lost_commands(why, &incident).into_owned();
                has_command = left.verdict.unwrap().advice[0].command.is_some();
            });
            (has_command, text.contains("its limit is") && text.contains("MiB now, and was 32 MiB then"))
        };
        assert_eq!(of(32, None), (true, false));
        assert_eq!(of(256, None), (false, true));
        assert_eq!(of(16, None), (true, true));
        // Another one has its name.
        assert_eq!(of(32, Some(true)), (false, false));
    }

    #[test]
    fn what_names_a_removed_container_is_no_command_any_more() {
        let mut incident = crate::judge::tests::in_container(crate::judge::tests::kill("/usr/bin/bash"));
        incident.container = Some(container());
        let of = |command: &str| Advice {
            action: "raise it".to_owned(),
            why: String::new(),
            command: Some(command.to_owned()),
        };
        let record = crate::words::conclude(crate::judge::tests::case(incident));
        let crate::model::Record::Incident(mut incident) = record else { panic!("an incident") };
        incident.verdict.as_mut().unwrap().advice =
            vec![of("docker update --memory 36m web"), of("docker service update web_1"), of("systemctl start web-x")];
        let mut shown = Vec::new();
        let text = said(|why| {
            why.is_removed = Some(true);
            why.incident = Some(incident.clone());
            let left = without_lost_commands(why, &incident).into_owned();
            shown = left.verdict.unwrap().advice.into_iter().map(|advice| advice.command.is_some()).collect();
        });
        assert_eq!(shown, [false, true, true]);
        assert!(text.contains("web was removed: give the next one what is said above"), "{text}");
        assert!(!text.contains("down"), "{text}");
    }
}
