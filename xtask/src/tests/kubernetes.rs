//! A few of the scenarios on a real Kubernetes node, for every test run: one of each cause. `cargo xtask k8s` runs all.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use xtask::say;

use super::host::{self, KUBERNETES};
use super::summary::Part;
use crate::time_limit::{Spoken, TimeLimit};
use crate::{interrupt, k8s};

/// Names of the scenarios begin so.
const QUICK: [&str; 10] = [
    "manifests::",
    "oom::burstable",
    "oom::child_of_a_living_init",
    "pod_limit::files_in_memory",
    "probe::liveness_by_exec",
    "probe::exec_times_out",
    "deletion::with_grace",
    "deletion::clean",
    "eviction::by_an_empty_dir",
    "hands::cri_remove_container",
];
/// What a node and they may take: some three times what was seen on two slow processors.
const RUN: Duration = Duration::from_secs(8 * 60);
/// What building the node's programs takes on two slow processors.
const BUILD: Duration = Duration::from_secs(14 * 60);
/// What the first virtual machine, which must run, may want of the time besides.
const MACHINE: Duration = Duration::from_secs(10 * 60);
const ALL: &str = "`cargo xtask k8s` runs all";

/// What is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    Run,
    Build,
    /// When the machines are done, if there is time then.
    Later,
    NotRun(String),
}

fn choose(is_built: bool, before_machines: bool, left: Duration) -> Choice {
    match (is_built, before_machines) {
        (true, true) if left >= RUN + MACHINE => Choice::Run,
        (_, true) => Choice::Later,
        (true, false) if left >= RUN => Choice::Run,
        (false, false) if left >= BUILD + RUN => Choice::Build,
        (true, false) => {
            Choice::NotRun(format!("it may take {}, and {} were left (--limit)", Spoken(RUN), Spoken(left)))
        }
        (false, false) => Choice::NotRun(format!(
            "the node's programs are not built here, which takes some {} once (`cargo xtask k8s --build`), and {} were left (--limit)",
            Spoken(BUILD),
            Spoken(left)
        )),
    }
}

/// Runs them, if it is time for them; none when it is too early. `before_machines`: virtual machines are to run yet.
pub fn quick(workspace: &Path, time: TimeLimit, place: &str, before_machines: bool) -> Result<Option<Vec<Part>>> {
    let names = k8s::names::all(workspace);
    let not_run = |why: String| {
        let what = format!("{} {KUBERNETES}", names.len());
        Ok(Some(vec![Part::not_run(what, place, format!("{why}; {ALL}"))]))
    };
    if interrupt::came() {
        return not_run("interrupted".to_owned());
    }
    if let Some(why) = k8s::missing() {
        return not_run(why);
    }
    match choose(k8s::is_built(workspace), before_machines, time.left()) {
        Choice::Run => {}
        Choice::Later => return Ok(None),
        Choice::NotRun(why) => return not_run(why),
        Choice::Build => {
            let limit = TimeLimit::new(time.left().saturating_sub(RUN));
            // It may be that nothing can be fetched.
            if let Err(error) = k8s::build(workspace, limit) {
                return not_run(format!("the node's programs cannot be made: {error:#}"));
            }
        }
    }
    let (chosen, left_out) = k8s::names::choose(&names, &QUICK);
    say(&format!(
        "{} of {} {KUBERNETES}; {} are left for the whole run",
        chosen.len(),
        names.len(),
        Spoken(time.left())
    ));
    // A process of its own: it enters a network namespace. The program's file may be another one by now, which a build has put there.
    let mut command = Command::new("/proc/self/exe");
    command.arg("k8s").args(QUICK.iter().flat_map(|name| ["--only", name]));
    let mut parts = host::run(&mut command, KUBERNETES, place, TimeLimit::new(time.left().min(RUN)))?;
    parts.push(Part::not_run(
        format!("{} more {KUBERNETES}", left_out.len()),
        place,
        format!("a quick run leaves them out; {ALL}"),
    ));
    Ok(Some(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_is_of_a_few_scenarios_that_there_are() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let names = k8s::names::all(workspace);
        for start in QUICK {
            assert!(names.iter().any(|name| name.starts_with(start)), "no scenario's name starts with {start}");
        }
        let (chosen, _) = k8s::names::choose(&names, &QUICK);
        assert!((8..=12).contains(&chosen.len()), "{chosen:?}");
    }

    #[test]
    fn a_node_is_built_only_in_time_that_nobody_else_needs() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(choose(true, true, minutes(30)), Choice::Run);
        assert_eq!(choose(true, true, minutes(12)), Choice::Later);
        assert_eq!(choose(false, true, minutes(90)), Choice::Later);
        assert_eq!(choose(true, false, minutes(9)), Choice::Run);
        assert_eq!(choose(false, false, minutes(30)), Choice::Build);
        for (is_built, left) in [(true, 2), (false, 15)] {
            let Choice::NotRun(why) = choose(is_built, false, minutes(left)) else { panic!("{left}") };
            assert!(why.contains(&format!("{left} min were left")), "{why}");
        }
    }
}
