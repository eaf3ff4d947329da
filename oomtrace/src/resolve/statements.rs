//! What others say of an end, in words, and what is known of one that no signal explains.

use crate::correlate::path::Path;
use crate::event::{Signal, Task, Unseen};
use crate::model::{Evidence, SignalPath, Source};
use crate::resolve::context::Context;
use crate::text::quote::quote;

/// All that is said.
pub(super) fn of(
    signal: Option<&Signal>,
    path: Option<Path>,
    unseen: Option<&Unseen>,
    context: &mut Context<'_>,
) -> Vec<Evidence> {
    let others = oomd_says(signal, context).into_iter().chain(notifier(signal, path));
    others.chain(unseen.into_iter().flat_map(known_of)).collect()
}

/// Whoever sent a message to a queue whose receiver had asked for SIGKILL as its notification has nothing to do with that.
fn notifier(signal: Option<&Signal>, path: Option<Path>) -> Option<Evidence> {
    let signal = signal?;
    path.filter(|path| path.path == SignalPath::MessageQueue && path.seen_on_stack)?;
    let Task { comm, key, .. } = &signal.sender;
    let fact = format!(
        "{}[{}] sent a message to a queue, of which the victim had asked to be notified so",
        quote(comm),
        key.pid
    );
    Some(Evidence { fact, source: Source::Kernel })
}

/// What is known of an end that no signal explains.
fn known_of(unseen: &Unseen) -> Vec<Evidence> {
    let mut facts = Vec::new();
    if unseen.lost {
        facts.push("a SIGKILL was generated for it, and there was no room to record by whom".to_owned());
    }
    if unseen.pending && !unseen.lost {
        facts.push("a SIGKILL was pending for it, and its sending was not seen".to_owned());
    }
    if unseen.seccomp {
        facts.push(
            "it was in seccomp's strict mode, in which the kernel ends whoever makes another system call".to_owned(),
        );
    }
    if let Some(tracer) = &unseen.tracer {
        let (comm, pid) = (quote(&tracer.comm), tracer.key.pid);
        facts.push(format!("{comm}[{pid}] traced it, and a tracer can end a process without a signal (PTRACE_CONT)"));
    }
    if facts.is_empty() {
        facts.push(
            "nothing traced it, and it was not in seccomp's strict mode: an error in the kernel can end a process so"
                .to_owned(),
        );
    }
    facts.into_iter().map(|fact| Evidence { fact, source: Source::Kernel }).collect()
}

/// systemd-oomd writes on a cgroup that it killed there: that speaks for it as the sender.
fn oomd_says(signal: Option<&Signal>, context: &mut Context<'_>) -> Option<Evidence> {
    let Signal { sender, victim, .. } = signal?;
    if !sender.exe.as_deref()?.ends_with("/systemd-oomd") {
        return None;
    }
    let cgroup = victim.cgroup_path.as_deref()?;
    let kills = context.facts.oomd_kills(cgroup)?;
    let cgroup = quote(cgroup);
    let fact = format!("systemd-oomd counts {kills} processes that it killed on {cgroup} or above it (oomd_kill)");
    Some(Evidence { fact, source: Source::Cgroup })
}
