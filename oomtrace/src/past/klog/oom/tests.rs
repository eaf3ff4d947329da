use super::*;
use crate::past::klog::saved;
use jiff::tz::TimeZone;

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// The reports of a log that a machine wrote: 3.10 to 7.3, v1 and v2.
fn of(log: &str) -> Found {
    let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    let records: Vec<Record> = log.lines().filter_map(|line| saved::parse(line, now, &TimeZone::UTC)).collect();
    reports(&records)
}

macro_rules! log {
    ($name:literal) => {
        of(include_str!(concat!("logs/", $name)))
    };
}

type Brief<'a> = (Option<&'a str>, Option<&'a str>, u32, &'a str, Option<Constraint>, Option<(u64, Option<u64>)>);

/// A report's owner, cgroup, victim, constraint, and usage and limit in KiB.
fn brief(report: &Report) -> Brief<'_> {
    let victim = &report.victims[0];
    let usage = report.memory.map(|usage| (usage.usage_bytes / KIB, usage.limit_bytes.map(|limit| limit / KIB)));
    (report.owner.as_deref(), report.cgroup.as_deref(), victim.pid, &victim.comm, report.constraint, usage)
}

#[test]
fn each_kernels_report_says_whose_limit_it_was() {
    use Constraint::Memcg;
    const PODMAN: &str =
        "/machine.slice/libpod-e9d845f97d86c4618333d735169792f5581c44a27d38d3d872406d2a9ececf3f.scope/container";
    const POD: &str = "/kubepods/pod95387fa4-da9c-11e7-9d36-5254b24cbf5e/6895a3e13439535852d3184ac2aadd26d7363cc035f171545ec7d4ce74073b0b";
    const SLICE: &str =
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12be0f08_da27_11e9_99ac_069044000888.slice";
    const UNIT: &str = "/system.slice/oomtrace-test-514-0.service";
    const SCOPE: &str =
        "/oomtrace-test-1589-49/docker-49adca1e87ff1b4ec0c361d1b99eb80440072e2f4876e815094fd1e520e15e5f.scope";
    let in_slice = format!("{SLICE}/docker-4304197e5a46240357356250fcaf602bb4930f1b87157b73ae5e240f4a67a150.scope");
    for (found, owner, cgroup, pid, comm, limit) in [
        (log!("3.10-pod.dmesg"), POD, POD, 28438, "java", 512 * MIB),
        (log!("4.18-pod.syslog"), SLICE, in_slice.as_str(), 4254, "python3", 120 * MIB),
        (log!("5.0-leaker.dmesg"), "/leaker", "/leaker", 23793, "leaker", 512 * MIB),
        (log!("5.10-v1.dmesg"), "/oomtrace-test-335-8", "/oomtrace-test-335-8", 900, "tail", 16 * MIB),
        (log!("5.10-v2.dmesg"), "/oomtrace-test-281-2", "/oomtrace-test-281-2", 2621, "tail", 24 * MIB),
        (log!("6.1-podman.dmesg"), PODMAN, PODMAN, 575, "tail", 24 * MIB),
        (log!("6.1-unit.dmesg"), UNIT, UNIT, 887, "tail", 24 * MIB),
        (log!("6.18-v1.kmsg"), SCOPE, SCOPE, 9881, "tail", 24 * MIB),
        (log!("7.3.dmesg"), "/oomtrace-selftest-309", "/oomtrace-selftest-309", 313, "oomtrace", 16 * MIB),
    ] {
        assert_eq!(found.reports.len(), 1, "{owner}");
        let report = &found.reports[0];
        let limit_kib = limit / KIB;
        let expected = (Some(owner), Some(cgroup), pid, comm, Some(Memcg), Some((limit_kib, Some(limit_kib))));
        assert_eq!(brief(report), expected);
        assert!(report.has_start && !report.is_ambiguous, "{owner}");
        assert_eq!(report.trigger.as_ref().map(|trigger| trigger.comm.as_str()), Some(comm), "{owner}");
        assert!(report.tasks.iter().any(|task| task.pid == pid && task.comm == comm), "{owner}: {:?}", report.tasks);
        assert!(report.stat.len() > 8, "{owner}: {:?}", report.stat);
    }
}

#[test]
fn the_figures_are_the_kernels() {
    let found = log!("6.18-v1.kmsg");
    let report = &found.reports[0];
    assert_eq!((report.order, report.gfp.as_deref()), (Some(0), Some("GFP_KERNEL")));
    assert_eq!(report.trigger.as_ref().unwrap().pid, Some(9881));
    assert_eq!(report.stat["total_rss"], 24_866_816);
    assert_eq!(report.kernel.unwrap(), Usage { usage_bytes: 236 * KIB, limit_bytes: None });
    let task = &report.tasks[0];
    assert_eq!((task.uid, task.resident_pages, task.swap_pages, task.oom_score_adj), (12345, 6449, 0, 0));
    let victim = &report.victims[0];
    assert_eq!((victim.uid, victim.anon_bytes, victim.page_tables_bytes), (Some(12345), 24192 * KIB, Some(92 * KIB)));
    // Of 3.10: one line of figures, and a user and swap that only the table has.
    let found = log!("3.10-pod.dmesg");
    let report = &found.reports[0];
    assert_eq!((report.stat["total_rss"], report.stat["total_swap"]), (524_188 * KIB, 524_356 * KIB));
    assert_eq!((report.victims[0].uid, report.victims[0].swap_pages), (Some(0), Some(136_409)));
    assert_eq!(report.at, Some("2017-12-07T00:05:15Z".parse().unwrap()));
    // Each cgroup below the owner has figures of its own there: none are of all.
    let found = log!("4.18-pod.syslog");
    assert_eq!(found.reports[0].stat.get("total_rss"), None);
    assert_eq!(found.reports[0].stat["cache"], 0);
}

#[test]
fn a_group_is_one_report_with_each_once() {
    let found = log!("5.10-group.dmesg");
    assert_eq!(found.reports.len(), 1);
    let report = &found.reports[0];
    assert_eq!(report.group.as_deref(), Some("/oomtrace-test-281-9"));
    let pids: Vec<u32> = report.victims.iter().map(|victim| victim.pid).collect();
    assert_eq!(pids, [2742, 2739, 2740, 2741]);
}

#[test]
fn the_machine_and_its_parts() {
    let found = log!("6.1-host.dmesg");
    let report = &found.reports[0];
    assert_eq!((report.constraint, report.owner.as_deref()), (Some(Constraint::None), None));
    assert!(report.cgroup.is_some() && report.memory.is_none(), "{report:?}");
    assert!(report.host_pages.is_some_and(|pages| pages > 100_000), "{:?}", report.host_pages);
    let found = log!("6.1-cpuset.dmesg");
    assert_eq!(found.reports[0].constraint, Some(Constraint::Cpuset));
}

#[test]
fn two_in_one_cgroup_are_two_reports() {
    let mut text = include_str!("logs/6.12-two.dmesg").to_owned();
    text.push_str(include_str!("logs/5.10-v2.dmesg"));
    let found = of(&text);
    assert_eq!(found.reports.len(), 2);
    assert_ne!(found.reports[0].owner, found.reports[1].owner);
}

#[test]
fn what_the_kernel_left_out_is_known_to_be_missing() {
    // Of an eleventh report within five seconds there is the last line alone.
    let found = of("\
[ 12.0] oom_kill_process: 3 callbacks suppressed
[ 12.1] Memory cgroup out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0
[ 12.2] Out of memory: Killed process 8 (y) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0
** 12 printk messages dropped **
");
    assert_eq!((found.reports.len(), found.suppressed, found.dropped), (2, 3, 12));
    let first = &found.reports[0];
    assert_eq!((first.has_start, first.constraint, first.owner.as_deref()), (false, Some(Constraint::Memcg), None));
    assert_eq!((first.suppressed, found.reports[1].suppressed), (3, 0));
    // Whether it was the machine, a cpuset or a policy stands in the part that is missing.
    assert_eq!(found.reports[1].constraint, None);
    // The end of a report whose start the log has lost.
    let log = include_str!("logs/5.10-v2.dmesg");
    let end: Vec<&str> = log.lines().skip_while(|line| !line.contains("oom-kill:")).collect();
    let found = of(&end.join("\n"));
    assert_eq!(found.reports[0].owner.as_deref(), Some("/oomtrace-test-281-2"));
    assert!(!found.reports[0].has_start && found.reports[0].memory.is_none());
    // A start alone is no kill.
    let start: Vec<&str> = log.lines().take_while(|line| !line.contains("oom-kill:")).collect();
    assert!(of(&start.join("\n")).reports.is_empty());
}

#[test]
fn names_that_read_like_the_kernels_words_name_nobody_else() {
    let killed = |comm: &str| {
        format!(
            "Memory cgroup out of memory: Killed process 7 ({comm}) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:7 pgtables:4kB oom_score_adj:0"
        )
    };
    let summary = |comm: &str, path: &str| {
        format!(
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={path},task_memcg={path},task={comm},pid=7,uid=7"
        )
    };
    // A name of one process, in the place of another's pid and user.
    let found = of(&format!("{}\n{}\n", summary(",pid=1,uid=0", "/a"), killed(",pid=1,uid=0")));
    assert_eq!(brief(&found.reports[0]), (Some("/a"), Some("/a"), 7, ",pid=1,uid=0", Some(Constraint::Memcg), None));
    // A cgroup that is called like another one's line: it is said that it cannot be read, and nobody else is named.
    let all = "oom_memcg=/a,task_memcg=/a/b,task_memcg=/a,task_memcg=/a/b";
    let hostile = format!(
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,{all},task=x,pid=7,uid=7"
    );
    let found = of(&format!("{hostile}\n{}\n", killed("x")));
    assert_eq!((found.reports[0].cgroup.as_deref(), found.reports[0].is_ambiguous), (None, true));
    // The line that has the owner alone leaves one way to read it.
    let start =
        "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\nMemory cgroup stats for /a:";
    let found = of(&format!("{start}\n{hostile}\n{}\n", killed("x")));
    assert_eq!(found.reports[0].cgroup.as_deref(), Some("/a/b,task_memcg=/a,task_memcg=/a/b"));
    // Of another victim: what the line says is not this one's.
    let found = of(&format!("{}\n{}\n", summary("x", "/other").replace("pid=7", "pid=9"), killed("x")));
    assert_eq!((found.reports[0].owner.as_deref(), found.reports[0].constraint), (None, Some(Constraint::Memcg)));
    // A line feed in a name ends no record.
    let record = Record { text: killed("a\nb"), by_kernel: true, ..Record::default() };
    assert_eq!(reports([&record]).reports[0].victims[0].comm, "a\nb");
}

#[test]
fn whoever_writes_a_line_of_a_report_vouches_for_all_of_it() {
    let lines = [
        "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "Memory cgroup stats for /a:",
        "anon 4096",
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[      7]     0     7     6594     6383    90112        0             0 x",
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=x,pid=7,uid=0",
        "Memory cgroup out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0",
    ];
    let by_kernel = |others: Option<usize>| {
        let records = lines.iter().enumerate().map(|(index, line)| Record {
            text: (*line).to_owned(),
            by_kernel: others != Some(index),
            ..Record::default()
        });
        let records: Vec<Record> = records.collect();
        let found = reports(&records);
        assert_eq!((found.reports.len(), found.reports[0].tasks.len()), (1, 1));
        found.reports[0].by_kernel
    };
    assert!(by_kernel(None));
    for (others, line) in lines.iter().enumerate() {
        assert!(!by_kernel(Some(others)), "{line}");
    }
}

/// As `dmesg -S` writes them: each line of a record has the record's prefix.
#[test]
fn lines_of_a_record_about_something_else_are_no_report() {
    let killed = "Out of memory: Killed process 777 (mysqld) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0";
    let invoked = "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0";
    let fault = "evil[9]: segfault at 0 ip 0 sp 0 error 4 in x";
    let read = |lines: &[(u64, &str)]| {
        let record = |(us, line): &(u64, &str)| Record {
            text: (*line).to_owned(),
            stamp: Some(Stamp { us: *us, boot: None }),
            ..Record::default()
        };
        let records: Vec<Record> = lines.iter().map(record).collect();
        let found = reports(&records);
        (found.reports.len(), found.imitated)
    };
    for (what, lines, expected) in [
        ("one line", vec![(1, fault), (1, killed)], (0, 1)),
        ("all of it", vec![(1, fault), (1, invoked), (1, killed)], (0, 1)),
        ("of two records", vec![(1, fault), (1, invoked), (2, fault), (2, killed)], (0, 1)),
        ("the kernel's", vec![(1, fault), (2, invoked), (3, killed)], (1, 0)),
        ("of a quick kernel", vec![(1, fault), (2, invoked), (2, killed)], (1, 0)),
        ("the end of one", vec![(1, fault), (2, killed)], (1, 0)),
    ] {
        assert_eq!(read(&lines), expected, "{what}");
    }
}

#[test]
fn what_others_make_the_kernel_say_within_a_report_changes_nothing_of_it() {
    let logs = [
        include_str!("logs/3.10-pod.dmesg"),
        include_str!("logs/5.0-leaker.dmesg"),
        include_str!("logs/5.10-v2.dmesg"),
        include_str!("logs/5.10-group.dmesg"),
        include_str!("logs/6.1-host.dmesg"),
        include_str!("logs/6.12-two.dmesg"),
    ];
    // Processes that crash, and their names.
    let names = [
        "x",
        "oom-kill:x",
        "oom-kill:constra",
        "Task in /a",
        "Killed process ",
        "[pid]",
        "[1]1 1 1 1 1 1 ",
        r"\x0aanon 9\x0ax",
    ];
    for log in logs {
        let lines: Vec<&str> = log.lines().collect();
        let expected = of(log);
        for (name, at) in names.iter().flat_map(|name| (0..=lines.len()).map(move |at| (name, at))) {
            let crash =
                format!("[ 1.0] {name}[99]: segfault at 0 ip 0005 sp 0007 error 4 in x[5000+1000] likely on CPU 1");
            let (before, after) = lines.split_at(at);
            let found = of(&[before, &[crash.as_str()], after].concat().join("\n"));
            assert_eq!(found, expected, "{name} before {:?}", after.first());
        }
    }
}

#[test]
fn a_summary_of_another_victim_takes_no_summarys_place() {
    let log = include_str!("logs/5.10-v2.dmesg");
    let other = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/b,task=x,pid=9,uid=0\n";
    let end = log.find("Memory cgroup out of memory: Killed").and_then(|at| log[..at].rfind('\n')).unwrap() + 1;
    assert_eq!(of(&format!("{}{other}{}", &log[..end], &log[end..])), of(log));
}
