//! What `oomtrace why` finds of kills that nobody watched: by the kernel's log alone, by Docker alone, and where nothing is left.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::{Output, Stdio};

use oomtrace::model::{Answer, Cause, Confidence, Source, Why, WhyRecord};

use crate::Scenario;
use crate::support::docker::{Container, docker, socket};
use crate::support::needs::Need::{self, Alone, Busybox, Docker, MachineRoot, MemoryCgroup};
use crate::support::process::{run, wait_until};
use crate::support::tracer::command;

/// The kernel writes ten reports in five seconds: others' kills would leave none for these.
const OOM: &[Need] = &[Alone, Busybox, Docker, MemoryCgroup, MachineRoot];
const NEEDS: &[Need] = &[Busybox, Docker];

pub const ALL: &[Scenario] = &[
    Scenario { name: "past::an_oom_kill_that_nobody_watched_by_the_kernels_log", needs: OOM, run: by_kernel_log },
    Scenario { name: "past::an_oom_kill_that_nobody_watched_by_docker_alone", needs: OOM, run: by_docker_alone },
    Scenario { name: "past::a_stop_that_nobody_watched", needs: NEEDS, run: stopped },
    Scenario { name: "past::what_is_left_of_a_container_that_was_removed", needs: OOM, run: removed },
    Scenario { name: "past::without_a_target_the_last_kill_may_be_dockers", needs: OOM, run: last },
    Scenario { name: "past::a_container_that_ended_by_itself_after_a_childs_oom_kill", needs: OOM, run: child },
    Scenario { name: "past::one_with_megabytes_of_labels_hides_no_other", needs: OOM, run: labels },
    Scenario { name: "past::an_exit_with_137_that_nobody_watched_is_no_certain_kill", needs: NEEDS, run: exits },
    Scenario { name: "past::of_what_never_ran_docker_says_why", needs: NEEDS, run: unstarted },
    Scenario { name: "past::a_container_that_lives_was_not_killed", needs: NEEDS, run: alive },
    Scenario { name: "past::what_a_process_writes_to_the_kernels_log_counts_for_nothing", needs: NEEDS, run: forged },
    Scenario { name: "past::a_word_that_may_mean_several_is_asked_about", needs: NEEDS, run: ambiguous },
    Scenario { name: "past::a_report_is_made_of_an_answer", needs: NEEDS, run: report },
];

/// `oomtrace why` as a user runs it, asking the private daemon.
fn ask(arguments: &[&str]) -> Output {
    let mut why = command();
    why.arg("why").args(arguments).arg("--no-journal").stdin(Stdio::null());
    why.arg("--docker-socket").arg(socket().unwrap()).args(["--kubernetes", "off"]);
    why.output().unwrap()
}

/// Its answer, and its exit status.
fn why(arguments: &[&str]) -> (Why, i32) {
    let output = ask(&[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let WhyRecord::Why(why) = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    (*why, output.status.code().unwrap())
}

/// A container that ran over its limit and has ended, of which the kernel has written a whole report: it leaves some out when there are
/// many at once.
fn over_its_limit() -> Container {
    for _ in 0..20 {
        let container = Container::run(&["--memory", "24m"], "exec tail /dev/zero");
        assert_eq!(container.exit_code(), "137");
        let (found, _) = why(&[&container.name]);
        if found
            .reconstructed
            .as_ref()
            .is_some_and(|found| found.oom.as_ref().is_some_and(|oom| oom.limit_owner.is_some()))
        {
            return container;
        }
    }
    panic!("the kernel's log has no whole report of any of twenty kills");
}

fn by_kernel_log() {
    let container = over_its_limit();
    let (why, status) = why(&[&container.name]);
    let found = why.reconstructed.as_ref().unwrap();
    let verdict = found.verdict.as_ref().unwrap();
    assert_eq!((why.answer, status), (Answer::Killed, 0), "{why:?}");
    assert_eq!((verdict.cause, verdict.confidence), (Cause::OomContainerLimit, Confidence::Certain), "{verdict:?}");
    assert_eq!(found.victim.as_ref().unwrap().process.comm, "tail");
    assert_eq!(found.oom.as_ref().unwrap().limit_owner.as_ref().unwrap().limit_bytes, Some(24 << 20));
    assert_eq!(found.container.as_ref().unwrap().name.as_deref(), Some(container.name.as_str()));
    assert_eq!(found.end.as_ref().unwrap().exit_code, Some(137));
    assert!(verdict.evidence.iter().any(|fact| fact.source == Source::Kmsg), "{verdict:?}");
    assert!(
        verdict
            .advice
            .iter()
            .any(|advice| advice.command.as_ref().is_some_and(|command| command.contains(" update --memory ")))
    );
    // The text says that it was put together.
    let text = String::from_utf8(ask(&[&container.name]).stdout).unwrap();
    assert!(
        text.starts_with("after the fact (certain") && text.contains("OOM KILL") && text.contains("unseen"),
        "{text}"
    );
    // Its id is as good as its name.
    assert_eq!(self::why(&[&container.id[..12]]).0.answer, Answer::Killed);
}

fn by_docker_alone() {
    let container = over_its_limit();
    let (why, status) = why(&[&container.name, "--no-kernel-log"]);
    let found = why.reconstructed.as_ref().unwrap();
    let verdict = found.verdict.as_ref().unwrap();
    assert_eq!((why.answer, status, verdict.cause), (Answer::Killed, 0, Cause::OomContainerLimit), "{why:?}");
    assert!(verdict.confidence < Confidence::Certain, "{verdict:?}");
    assert!(found.victim.is_none() && found.oom.is_none(), "Docker knows of no process: {found:?}");
    assert!(verdict.evidence.iter().all(|fact| matches!(fact.source, Source::Runtime | Source::Logins)), "{verdict:?}");
}

fn stopped() {
    for (arguments, cause) in [(&["stop", "-t", "1"][..], Cause::RuntimeStopTimeout), (&["kill"], Cause::RuntimeKill)] {
        let container = Container::run(&[], "exec sleep 1000");
        wait_until("the container runs", || container.is_running());
        run(docker().args(arguments).arg(&container.name));
        assert_eq!(container.exit_code(), "137");
        let (why, status) = why(&[&container.name]);
        let verdict = why.reconstructed.as_ref().unwrap().verdict.as_ref().unwrap();
        assert_eq!((why.answer, status), (Answer::Killed, 0), "{why:?}");
        assert_eq!((verdict.cause, verdict.confidence), (cause, Confidence::Likely), "{verdict:?}");
    }
}

fn unstarted() {
    let made = Container::create(&[]);
    let (made, status) = why(&[&made.name]);
    assert_eq!((made.answer, status), (Answer::Nothing, 1), "{made:?}");
    assert!(made.summary.ends_with("was made, and nobody has started it"), "{made:?}");
    let failed = Container::create_of(&[], "no-such-program");
    assert!(!docker().args(["start", &failed.name]).output().unwrap().status.success());
    let (failed, status) = why(&[&failed.name]);
    assert_eq!((failed.answer, status), (Answer::Nothing, 1), "{failed:?}");
    let said = &failed.summary;
    assert!(said.contains("did not start") && said.contains("127") && said.contains("no-such-program"), "{said}");
}

fn removed() {
    // Its end is in Docker's events, and the kernel's report in the kernel's log.
    let container = over_its_limit();
    run(docker().arg("rm").arg(&container.name));
    for asked in [&container.name, &container.id[..12]] {
        let (why, status) = why(&[asked]);
        let found = why.reconstructed.as_ref().unwrap();
        let verdict = found.verdict.as_ref().unwrap();
        assert_eq!((why.answer, status, verdict.cause), (Answer::Killed, 0, Cause::OomContainerLimit), "{why:?}");
        assert_eq!(verdict.confidence, Confidence::Certain, "{verdict:?}");
        assert_eq!(found.container.as_ref().unwrap().name.as_deref(), Some(container.name.as_str()));
        assert_eq!(found.end.as_ref().unwrap().exit_code, Some(137), "{found:?}");
    }
    // A kill that was asked for is in Docker's events alone.
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    run(docker().args(["rm", "--force", &container.name]));
    let (why, status) = why(&[&container.name]);
    let verdict = why.reconstructed.as_ref().unwrap().verdict.as_ref().unwrap();
    assert_eq!((why.answer, status), (Answer::Killed, 0), "{why:?}");
    assert_eq!((verdict.cause, verdict.confidence), (Cause::RuntimeKill, Confidence::Likely), "{verdict:?}");
}

fn last() {
    let before = over_its_limit();
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    run(docker().args(["kill", &container.name]));
    assert_eq!(container.exit_code(), "137");
    let (found, status) = why(&["--no-history"]);
    assert_eq!(status, 0, "{found:?}");
    is_last(&found, &container, Some(Cause::RuntimeKill));
    // The kernel's report and Docker's word of the one before are one kill.
    let of_before: Vec<_> = found.earlier.iter().filter(|kill| kill.place.contains(&before.name)).collect();
    assert_eq!(of_before.len(), 1, "{:?}", found.earlier);
    assert_eq!(of_before[0].cause, Some(Cause::OomContainerLimit));
    let text = String::from_utf8(ask(&["--no-history"]).stdout).unwrap();
    assert!(text.contains(&container.name) && text.contains("Docker was asked to kill it"), "{text}");
}

/// The container's end is the last one, with that cause, or those that are said to be later are of what others do on this machine meanwhile.
fn is_last(found: &Why, container: &Container, expected: Option<Cause>) {
    let last = found.reconstructed.as_ref().unwrap_or_else(|| panic!("{found:?}"));
    let named = last.container.as_ref().and_then(|last| last.name.as_deref());
    let cause = if named == Some(&container.name) {
        last.verdict.as_ref().map(|verdict| verdict.cause)
    } else {
        let own = found.earlier.iter().find(|kill| kill.place == container.name);
        let own = own.unwrap_or_else(|| panic!("{} is not in {found:?}", container.name));
        assert!(own.time < last.time, "{found:?}");
        own.cause
    };
    assert_eq!(cause, expected, "{found:?}");
}

fn child() {
    // The kernel leaves some reports out when there are many at once.
    for _ in 0..20 {
        let container = Container::run(&["--memory", "24m"], "tail /dev/zero; exit 3");
        assert_eq!(container.exit_code(), "3");
        let found = why(&[&container.name]).0.reconstructed.unwrap();
        let Some(verdict) = found.verdict.filter(|_| found.oom.is_some()) else { continue };
        assert_eq!(verdict.cause, Cause::OomContainerLimit);
        assert!(verdict.why.contains("the container was not killed, and ended with exit code 3"), "{}", verdict.why);
        return;
    }
    panic!("the kernel's log has no whole report of any of twenty kills");
}

fn labels() {
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("labels");
    // Lines that the client takes, of more bytes than a list is read.
    let lines: Vec<String> = (0..200).map(|number| format!("l{number}={}", "x".repeat(60_000))).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let labelled = Container::create(&["--label-file", file.to_str().unwrap()]);
    run(docker().args(["kill", &container.name]));
    assert_eq!(container.exit_code(), "137");
    for asked in [&container.name, &container.id] {
        let (found, _) = why(&[asked]);
        assert_eq!(found.target.unwrap().container.unwrap().id, container.id, "{asked}");
    }
    // Of itself nobody reads that much, and it is said.
    let said = String::from_utf8(ask(&[&labelled.name]).stderr).unwrap();
    assert!(said.contains("length limit exceeded"), "{said}");
    let (found, _) = why(&[&container.name]);
    let verdict = found.reconstructed.unwrap().verdict.unwrap();
    assert_eq!(verdict.cause, Cause::RuntimeKill, "{verdict:?}");
    // Without a target it is known by Docker's word on the container, for its events alone leave open what is a label's.
    let dockers = |found: &Why| found.looked_at.iter().find(|looked| looked.place == "docker").unwrap().clone();
    let (found, _) = why(&["--no-history", "--no-kernel-log"]);
    // Asked for ends alone, Docker says nothing of signals.
    is_last(&found, &container, None);
    // Removed, it is known by its events.
    run(docker().args(["rm", "--force", &container.name]));
    let looked = dockers(&why(&["--no-history", "--no-kernel-log"]).0);
    assert!(looked.is_missing && looked.said.contains("others are not known"), "{looked:?}");
    let (found, _) = why(&[&container.name]);
    assert_eq!(found.reconstructed.unwrap().verdict.unwrap().cause, Cause::RuntimeKill);
}

fn exits() {
    let container = Container::run(&[], "exit 137");
    assert_eq!(container.exit_code(), "137");
    let (found, status) = why(&[&container.name]);
    let verdict = found.reconstructed.as_ref().unwrap().verdict.as_ref();
    assert_eq!(status, 0);
    assert!(verdict.is_none_or(|verdict| verdict.confidence == Confidence::Possible), "{verdict:?}");
    assert!(verdict.is_none_or(|verdict| verdict.why.contains("exited with 137 by itself")), "{verdict:?}");
    let (found, _) = why(&[&container.name, "--no-kernel-log"]);
    assert_eq!(found.answer, Answer::Unexplained, "{found:?}");
    assert!(found.summary.contains("exit(137)"), "{}", found.summary);
    // One that ended as it should was not killed.
    let container = Container::run(&[], "exit 3");
    assert_eq!(container.exit_code(), "3");
    let (found, status) = why(&[&container.name]);
    assert_eq!((found.answer, status), (Answer::Ended, 0), "{found:?}");
}

fn alive() {
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    let (found, status) = why(&[&container.name]);
    assert_eq!((found.answer, status, found.reconstructed), (Answer::Alive, 1, None));
    assert_eq!(found.target.unwrap().is_running, Some(true));
    assert!(found.looked_at.iter().any(|looked| looked.place == "kernel log"), "{:?}", found.looked_at);
    // What is not there is nothing that is known: not even that there is something to be asked about.
    let output = ask(&["oomtrace-test-nobody"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let (found, status) = why(&["unit:oomtrace-test-nobody.service"]);
    assert_eq!((found.answer, status), (Answer::Nothing, 1), "{found:?}");
}

fn forged() {
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    // By either of Docker's drivers.
    for path in [format!("/docker/{}", container.id), format!("/system.slice/docker-{}.scope", container.id)] {
        forge(&path);
    }
    let (found, status) = why(&[&container.name]);
    assert_eq!((found.answer, status), (Answer::Alive, 1), "{found:?}");
}

/// Writes into the kernel's log, as far as a process can, that the OOM killer was in that cgroup.
fn forge(path: &str) {
    let lines = [
        "tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0".to_owned(),
        format!("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={path},task_memcg={path},task=tail,pid=9881,uid=0"),
        "Memory cgroup out of memory: Killed process 9881 (tail) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0".to_owned(),
    ];
    for line in &lines {
        // With the kernel's own facility, which the kernel does not give to others.
        let mut log = OpenOptions::new().write(true).open("/dev/kmsg").unwrap();
        log.write_all(format!("<4>{line}\n").as_bytes()).unwrap();
    }
}

fn ambiguous() {
    let container = Container::run(&[], "exec sleep 1000");
    // Its first process's number is its name as well.
    let number = container.init().to_string();
    run(docker().args(["rename", &container.name, &number]));
    let output = ask(&[&number]);
    let said = String::from_utf8(output.stderr).unwrap();
    run(docker().args(["rename", &number, &container.name]));
    assert_eq!(output.status.code(), Some(2), "{said}");
    let short = &container.id[..12];
    assert!(said.contains(&format!("container:{short}")) && said.contains(&format!("pid:{number}")), "{said}");
    assert!(output.stdout.is_empty());
}

fn report() {
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    run(docker().args(["kill", &container.name]));
    assert_eq!(container.exit_code(), "137");
    let answer = ask(&[&container.name, "--json"]);
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("why.json"), directory.path().join("report.html"));
    std::fs::write(&from, &answer.stdout).unwrap();
    let output = command().arg("report").arg("--from").arg(&from).arg("-o").arg(&to).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(&to).unwrap();
    assert!(page.contains(&format!("<title>{}: ", container.name)) && page.contains("After the fact"), "{page}");
    let output = command().arg("report").arg("--markdown").arg("--from").arg(&from).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with(&format!("# {}: ", container.name)));
}
