use super::*;
use crate::past::klog::oom::reports;
use crate::past::klog::record::Record as Line;
use crate::past::klog::saved;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const MIB: u64 = 1 << 20;

fn placed(log: &str, by_kernel: bool, container: Option<Container>) -> Placed {
    let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    let line = |line| saved::parse(line, now, &TimeZone::UTC).map(|record| Line { by_kernel, ..record });
    let records: Vec<Line> = log.lines().filter_map(line).collect();
    Placed { report: reports(&records).reports.remove(0), container, ..Placed::default() }
}

fn judged(placed: &Placed) -> Incident {
    let identity = Identity { node: Some("node-1".to_owned()), boot_id: Some("abc-1".to_owned()) };
    placed.incident(&identity, LimitsBefore::default()).unwrap()
}

fn container(id: &str, cgroup: &str, confirmed: bool) -> Container {
    Container {
        id: id.to_owned(),
        name: Some("web".to_owned()),
        cgroup: cgroup.to_owned(),
        confirmed,
        ..Container::default()
    }
}

#[test]
fn whose_limit_it_was_and_how_sure_that_is() {
    const ID: &str = "4304197e5a46240357356250fcaf602bb4930f1b87157b73ae5e240f4a67a150";
    let podman = "/machine.slice/libpod-e9d845f97d86c4618333d735169792f5581c44a27d38d3d872406d2a9ececf3f.scope";
    let in_pod = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12be0f08_da27_11e9_99ac_069044000888.slice/docker-{ID}.scope"
    );
    let podmans = |confirmed| Some(container(podman.get(23..87).unwrap(), podman, confirmed));
    let podman_log = include_str!("../klog/oom/logs/6.1-podman.dmesg");
    for (log, by_kernel, container, cause, confidence) in [
        (podman_log, true, podmans(true), Cause::OomContainerLimit, Confidence::Certain),
        (podman_log, true, podmans(false), Cause::OomContainerLimit, Confidence::Likely),
        (podman_log, false, podmans(true), Cause::OomContainerLimit, Confidence::Likely),
        (
            include_str!("../klog/oom/logs/4.18-pod.syslog"),
            true,
            Some(container(ID, &in_pod, true)),
            Cause::OomPodLimit,
            Confidence::Certain,
        ),
        (include_str!("../klog/oom/logs/6.1-unit.dmesg"), true, None, Cause::OomUnitLimit, Confidence::Certain),
        (include_str!("../klog/oom/logs/5.0-leaker.dmesg"), true, None, Cause::OomSliceLimit, Confidence::Certain),
        (include_str!("../klog/oom/logs/6.1-host.dmesg"), true, None, Cause::OomHost, Confidence::Certain),
        (include_str!("../klog/oom/logs/6.1-cpuset.dmesg"), true, None, Cause::OomConstrained, Confidence::Certain),
    ] {
        let incident = judged(&placed(log, by_kernel, container));
        let verdict = incident.verdict.unwrap();
        assert_eq!((verdict.cause, verdict.confidence), (cause, confidence), "{}", verdict.summary);
        assert!(!verdict.why.is_empty() && !verdict.evidence.is_empty());
        // Nothing of it is said to have been seen by hooks.
        let sources: Vec<_> = verdict.evidence.iter().map(|evidence| evidence.source).collect();
        assert!(sources.iter().all(|source| !matches!(source, Source::Kernel | Source::Cgroup)), "{sources:?}");
    }
}

#[test]
fn what_a_report_says_is_there_and_no_more() {
    let log = include_str!("../klog/oom/logs/6.18-v1.kmsg");
    let incident = judged(&placed(log, true, None));
    assert_eq!((incident.victim.process.pid, incident.victim.process.comm.as_str()), (9881, "tail"));
    assert_eq!((incident.victim.process.uid, incident.victim.process.started), (Some(12345), None));
    assert_eq!(incident.trigger.as_ref().map(|trigger| trigger.pid), Some(9881));
    let oom = incident.oom.unwrap();
    let owner = oom.limit_owner.unwrap();
    assert_eq!((owner.limit_bytes, owner.usage_bytes, owner.peak_bytes), (Some(24 * MIB), Some(24 * MIB), None));
    assert_eq!(oom.victim_memory.unwrap().anon_bytes, 24192 << 10);
    let memory = incident.memory.unwrap();
    assert!(memory.levels.is_empty() && memory.timeline.is_none());
    assert_eq!(memory.largest[0].resident_bytes, pages(6449));
    // Of 3.10: what the line leaves out makes no zero.
    let incident = judged(&placed(include_str!("../klog/oom/logs/3.10-pod.dmesg"), true, None));
    assert_eq!(incident.oom.as_ref().unwrap().victim_memory, None);
    // The context's number is a thread's, and no process of the table has it.
    assert_eq!(incident.trigger, None);
    assert!(incident.verdict.unwrap().evidence.iter().any(|fact| fact.fact.contains("java[thread 24572]")));
    // Memory and swap together were full, and memory alone as well: the limit is that of memory.
    assert_eq!(incident.oom.unwrap().limit_owner.unwrap().limit_bytes, Some(512 * MIB));
}

#[test]
fn a_line_alone_makes_a_guess() {
    let line = "Memory cgroup out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0";
    let incident = judged(&placed(&format!("oom_kill_process: 3 callbacks suppressed\n{line}"), true, None));
    let verdict = incident.verdict.unwrap();
    assert_eq!((verdict.cause, verdict.confidence), (Cause::OomSliceLimit, Confidence::Possible));
    assert!(
        verdict.evidence.iter().any(|fact| fact.fact.contains("left the rest of the report out")),
        "{:?}",
        verdict.evidence
    );
    assert_eq!(incident.time, "");
}

#[test]
fn what_is_removed_is_started_with_more_and_not_changed() {
    const ID: &str = "49adca1e87ff1b4ec0c361d1b99eb80440072e2f4876e815094fd1e520e15e5f";
    let of = |is_removed| {
        let mut its = container(ID, &format!("/oomtrace-test-1589-49/docker-{ID}.scope"), true);
        its.runtime = Some(crate::model::Runtime::Docker);
        let placed = Placed { is_removed, ..placed(include_str!("../klog/oom/logs/6.18-v1.kmsg"), true, Some(its)) };
        let advice = judged(&placed).verdict.unwrap().advice;
        let first = advice.into_iter().next().unwrap();
        (first.action.split(" --memory").next().unwrap_or_default().to_owned(), first.command.is_some())
    };
    assert_eq!(of(true), ("start it with".to_owned(), false));
    let (action, has_command) = of(false);
    assert!(action.starts_with("raise the container's memory limit") && has_command, "{action}");
}
