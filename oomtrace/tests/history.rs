//! The history as programs and people use it: the process that keeps it, killed at any time, and what reads it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::borrow::Cow;
use std::io::{BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oomtrace::model::{Answer as Found, Exited, Incident, Why, WhyRecord};
use oomtrace::store::Bounds;
use oomtrace::store::protocol::{self, Answer, Question, Said, ToKeep};
use oomtrace::store::{Entry, History, Identity, Selection, Writer};

fn incident(number: u64, at: Timestamp, container: &str, cause: &str) -> Incident {
    let value = serde_json::json!({
        "schema": 1, "id": format!("{number:08}-test"), "time": format!("{at:.9}"), "node": "node-1",
        "verdict": { "cause": cause, "confidence": "certain", "summary": "x", "why": "ran into its own limit", "evidence": [], "advice": [] },
        "victim": { "pid": 1000 + number, "comm": "java", "cmdline_truncated": false, "container_init": true },
        "collateral": [],
        "container": { "id": format!("{number:064x}"), "name": container, "runtime": "docker", "image": "app:1", "cgroup": "/x" },
        "sender": { "kind": "kernel", "ancestors": [] },
        "signal": { "number": 9, "name": "SIGKILL", "group": true, "kernel_stack": [] },
        "preceding": [], "attribution": "full", "missing": []
    });
    serde_json::from_value(value).unwrap()
}

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_oomtrace"))
}

/// The process that keeps a history, as one that watches starts it.
struct Keeper {
    child: Child,
    to_keep: UnixStream,
    said: BufReader<UnixStream>,
    asked: UnixStream,
}

impl Keeper {
    fn start(path: &Path, bounds: Bounds) -> Self {
        let (to_keep, its_end) = UnixStream::pair().unwrap();
        let (asked, its_asked) = UnixStream::pair().unwrap();
        let child = binary()
            .arg("history-keeper")
            .arg(path)
            .args([bounds.days.to_string(), bounds.bytes.to_string()])
            .stdin(Stdio::from(OwnedFd::from(its_end)))
            .stdout(Stdio::from(OwnedFd::from(its_asked)))
            .process_group(0)
            .spawn()
            .unwrap();
        for socket in [&to_keep, &asked] {
            socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        }
        let said = BufReader::new(to_keep.try_clone().unwrap());
        Self { child, to_keep, said, asked }
    }

    fn tell(&mut self, incidents: &[Incident]) -> std::io::Result<()> {
        for incident in incidents {
            protocol::put(&mut self.to_keep, &ToKeep::Incident(Cow::Borrowed(incident)))?;
        }
        protocol::put(&mut self.to_keep, &ToKeep::Now)
    }

    fn next(&mut self) -> Option<Said> {
        protocol::take(&mut self.said).ok().flatten()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("kept/history.db")
    }

    fn history(&self, arguments: &[&str]) -> Output {
        binary()
            .arg("history")
            .arg("--history")
            .arg(self.path())
            .args(arguments)
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_was_acknowledged_is_there_whenever_its_writer_was_killed() {
    let place = Place::new();
    let at: Timestamp = Timestamp::now();
    // How long it takes to the first acknowledgement on this machine, now.
    let began = Instant::now();
    let elsewhere = Place::new();
    let mut keeper = Keeper::start(&elsewhere.path(), Bounds::DEFAULT);
    keeper.tell(&[incident(0, at, "web", "oom_host")]).unwrap();
    assert_eq!(keeper.next(), Some(Said::Kept));
    keeper.kill();
    let first = began.elapsed();
    let (mut number, mut acknowledged) = (0_u64, Vec::new());
    for round in 0..100_u32 {
        let mut keeper = Keeper::start(&place.path(), Bounds::DEFAULT);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(keeper.child.id()).unwrap());
        // From before it has opened the file to the middle of whatever it does; no two rounds alike.
        let killed_after = first * (round * 37 % 100) / 40;
        let killer = std::thread::spawn(move || {
            std::thread::sleep(killed_after);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        loop {
            let some: Vec<Incident> =
                (0..1 + number % 5).map(|more| incident(number + more, at, "web", "oom_container_limit")).collect();
            number += some.len() as u64;
            if keeper.tell(&some).is_err() || keeper.next() != Some(Said::Kept) {
                break;
            }
            acknowledged.extend(some);
        }
        killer.join().unwrap();
        keeper.kill();
        // As it is left: nobody repairs it first.
        if round % 10 == 9 && !acknowledged.is_empty() {
            check(&place.path(), &acknowledged);
        }
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    check(&place.path(), &acknowledged);
    Writer::open(&place.path(), Bounds::DEFAULT).unwrap().check().unwrap();
    let strays = std::fs::read_dir(place.path().parent().unwrap()).unwrap().flatten();
    let strays: Vec<_> = strays.filter(|file| file.file_name().to_string_lossy().contains("corrupt")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

fn check(path: &Path, acknowledged: &[Incident]) {
    let history = match History::open(path) {
        Ok(history) => history,
        Err(error) => panic!("{error}, with {} acknowledged", acknowledged.len()),
    };
    for incident in acknowledged {
        assert_eq!(history.by_id(&incident.id).unwrap().as_ref(), Some(incident));
    }
}

#[test]
fn a_damaged_history_is_moved_aside_and_keeping_goes_on() {
    let place = Place::new();
    let at = Timestamp::now();
    let mut keeper = Keeper::start(&place.path(), Bounds::DEFAULT);
    keeper.tell(&(0..50).map(|n| incident(n, at, "web", "oom_host")).collect::<Vec<_>>()).unwrap();
    assert_eq!(keeper.next(), Some(Said::Kept));
    keeper.kill();
    // A page in the middle, of the file and of what its log has of it.
    for file in [place.path(), PathBuf::from(format!("{}-wal", place.path().display()))] {
        let Ok(mut bytes) = std::fs::read(&file) else { continue };
        let middle = bytes.len() / 2 / 4096 * 4096;
        if let Some(page) = bytes.get_mut(middle..middle + 4096) {
            page.fill(0x5a);
        }
        std::fs::write(&file, bytes).unwrap();
    }
    let mut keeper = Keeper::start(&place.path(), Bounds::DEFAULT);
    keeper.tell(&[incident(77, at, "web", "oom_host")]).unwrap();
    let said: Vec<Said> = std::iter::from_fn(|| keeper.next().filter(|said| *said != Said::Kept)).collect();
    assert!(History::open(&place.path()).unwrap().by_id("00000077").unwrap().is_some(), "{said:?}");
    drop(keeper.to_keep);
}

#[test]
fn what_cannot_be_kept_is_refused_and_nothing_is_touched() {
    let place = Place::new();
    std::fs::create_dir(place.path().parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("CREATE TABLE mine(x); INSERT INTO mine VALUES (1)").unwrap();
    drop(db);
    let before = std::fs::read(place.path()).unwrap();
    let mut keeper = Keeper::start(&place.path(), Bounds::DEFAULT);
    let said = keeper.next();
    assert!(matches!(&said, Some(Said::Refused(why)) if why.contains("not a history of oomtrace's")), "{said:?}");
    assert_eq!(keeper.next(), None);
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn it_answers_what_there_was_before_and_ends_when_nobody_is_left() {
    let place = Place::new();
    let at: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    let bounds = Bounds { days: 36_500, ..Bounds::DEFAULT };
    let mut keeper = Keeper::start(&place.path(), bounds);
    let earlier = |number: u64| at - jiff::SignedDuration::from_hours(i64::try_from(number).unwrap());
    let all = [
        incident(1, earlier(3), "web", "oom_container_limit"),
        incident(2, earlier(2), "web", "runtime_kill"),
        incident(3, earlier(1), "api", "runtime_kill"),
        incident(4, at, "web", "oom_container_limit"),
    ];
    keeper.tell(&all).unwrap();
    assert_eq!(keeper.next(), Some(Said::Kept));
    let key = Identity::of(&all[0]).key().to_owned();
    let before = i64::try_from(at.as_nanosecond()).unwrap();
    protocol::put(&mut keeper.asked, &Question { number: 9, key, before, lives: true }).unwrap();
    let Answer { number, earlier } = protocol::take(&mut BufReader::new(&keeper.asked)).unwrap().unwrap();
    let earlier = earlier.unwrap();
    assert_eq!(number, 9);
    assert_eq!(earlier.causes.iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert_eq!((earlier.first, earlier.last), (Some(all[0].time.clone()), Some(all[1].time.clone())));
    let Keeper { mut child, to_keep, said, asked } = keeper;
    drop((to_keep, said, asked));
    let until = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kept(place: &Place) -> Vec<Incident> {
    let now = Timestamp::now();
    let hours = |number: u64| now - jiff::SignedDuration::from_hours(i64::try_from(number).unwrap());
    let mut all: Vec<Incident> = (0..120)
        .map(|n| incident(n, hours(200 - n), if n % 3 == 0 { "web" } else { "api" }, "oom_container_limit"))
        .collect();
    all.push(incident(120, hours(1), "web", "runtime_kill"));
    let mut writer = Writer::open(&place.path(), Bounds::DEFAULT).unwrap();
    let entries: Vec<Entry> = all.iter().cloned().map(|incident| Entry::Incident(Box::new(incident))).collect();
    writer.append(&entries).unwrap();
    all
}

#[test]
fn the_verb_lists_what_was_asked_for_in_its_order() {
    let place = Place::new();
    let all = kept(&place);
    let json = |arguments: &[&str]| -> Vec<Incident> {
        let output = place.history(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(json(&["--last", "2"]), all[119..]);
    assert_eq!(json(&[]).len(), 100);
    assert_eq!(json(&["--since", "2 h ago"]), all[120..]);
    assert_eq!(json(&["--container", "w*", "--cause", "oom", "--since", "10 days ago"]).len(), 40);
    let output = place.history(&["--last", "1"]);
    let line = text(&output.stdout);
    assert!(line.contains("web: ran into its own limit") && line.lines().count() == 1, "{line}");
    assert!(text(&place.history(&["--container", "*"]).stderr).contains("the last 100 of 121"));
    // Neither of the two has all lines, and what is said to show the rest of one shows it.
    let output = place.history(&[]);
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(["web: ", "api: "].map(|name| shown.matches(name).count()), [10, 10], "{shown}");
    assert!(said.contains("70 more kills of api, all alike, from ") && !said.contains("the last"), "{said}");
    let command = said.split('`').find(|part| part.contains("--container api")).unwrap();
    let again =
        Command::new("sh").arg("-c").arg(command.replacen("oomtrace", env!("CARGO_BIN_EXE_oomtrace"), 1)).output();
    assert_eq!(text(&again.unwrap().stdout).lines().count(), 80, "{command}");
    let nothing = place.history(&["--container", "none"]);
    assert!(nothing.status.success() && text(&nothing.stderr).contains("no such kill of container none"));
    let wrong = place.history(&["--since", "one day"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("yesterday 03:00"), "{}", text(&wrong.stderr));
    let absent = binary().args(["history", "--history", "/nonexistent/x.db"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(1));
    assert!(text(&absent.stderr).contains("there is no history at /nonexistent/x.db"));
}

#[test]
fn like_kills_are_on_one_line_and_each_on_its_own_where_all_are_asked_for() {
    let place = Place::new();
    let at = |minute: i64| Timestamp::now() - jiff::SignedDuration::from_mins(300 - minute);
    let mut all = vec![incident(0, at(0), "db", "oom_container_limit")];
    all.extend((1..=40).map(|n| incident(n, at(60 + n.cast_signed()), "web", "oom_container_limit")));
    let mut writer = Writer::open(&place.path(), Bounds::DEFAULT).unwrap();
    writer
        .append(&all.iter().cloned().map(|incident| Entry::Incident(Box::new(incident))).collect::<Vec<_>>())
        .unwrap();
    for form in ["brief", "text"] {
        let output = place.history(&["--last", "2", "--format", form]);
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        let heads: Vec<&str> = shown.lines().filter(|line| line.contains("SIGKILL")).collect();
        assert_eq!(heads.len(), 2, "{shown}");
        assert!(
            heads[0].contains("db: ") && heads[1].contains("web ×40 from ") && heads[1].contains(": ran into"),
            "{shown}"
        );
        assert!(said.contains("39 kills are counted with a later one like them (--all shows each)"), "{said}");
        let output = place.history(&["--all", "--format", form]);
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(shown.lines().filter(|line| line.contains("SIGKILL")).count(), 41, "{shown}");
        assert!(!shown.contains("×40") && said.is_empty(), "{said}");
    }
    // Programs get all there is.
    assert_eq!(text(&place.history(&["--json"]).stdout).lines().count(), 41);
    assert_eq!(text(&place.history(&["--format", "csv", "--last", "2"]).stdout).lines().count(), 3);
    // Those that cannot be read are on no line, and the line is there all the same; or they are said to be unreadable, and nothing else.
    let damage = |from: u32| {
        let db = rusqlite::Connection::open(place.path()).unwrap();
        db.execute("UPDATE record SET json = '{' WHERE seq >= ?1", [from]).unwrap();
        let output = place.history(&[]);
        (text(&output.stdout), text(&output.stderr))
    };
    let (shown, said) = damage(40);
    assert!(shown.contains("web ×38 from "), "{shown}");
    assert!(said.contains("2 incidents cannot be read") && said.contains("37 kills are counted with"), "{said}");
    let (shown, said) = damage(2);
    assert!(shown.contains("db: ") && !shown.contains("web"), "{shown}");
    assert!(said.contains("40 incidents cannot be read") && !said.contains("counted with"), "{said}");
}

#[test]
fn the_last_kill_of_a_container_is_found_behind_a_crowd_of_others() {
    let place = Place::new();
    let now = Timestamp::now();
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let of_host = |number| {
        let mut incident = Incident { container: None, ..incident(number, now, "", "process_kill") };
        incident.victim.process.cgroup = Some("/user.slice".to_owned());
        incident
    };
    let mut web = incident(0, now, "web", "oom_container_limit");
    web.victim.process.cgroup = Some("/x".to_owned());
    let all = std::iter::once(web).chain((1..=2_100).map(of_host));
    let entry = |incident: Incident| Entry::Incident(Box::new(Incident { boot_id: Some(boot_id.clone()), ..incident }));
    Writer::open(&place.path(), Bounds::DEFAULT).unwrap().append(&all.map(entry).collect::<Vec<_>>()).unwrap();
    let last = |filters: &[&str]| {
        let output =
            binary().arg("last-kills").arg(place.path()).arg("2200-01-01T00:00:00Z").args(filters).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let all = last(&[]);
    assert!(all.contains(r#""places":["/x"],"kill":{"incident":"00000000-test""#), "{all}");
    assert!(all.contains(r#""count":2100"#) && all.contains(r#""kills":2101"#), "{all}");
    assert!(last(&["--cause=oom"]).contains(r#""kills":1,"#));
}

#[test]
fn counts_are_a_chart_or_json() {
    let place = Place::new();
    kept(&place);
    let output = place.history(&["--by", "container"]);
    let chart = text(&output.stdout);
    let lines: Vec<Vec<&str>> = chart.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(lines, [["CONTAINER", "INCIDENTS"], ["api", "80"], ["web", "41"]], "{chart}");
    assert!(!chart.contains('\u{1b}') && chart.contains('#'), "{chart}");
    let output = place.history(&["--by", "cause", "--json"]);
    let first: serde_json::Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["by"], &first["key"], &first["count"]),
        (&"cause".into(), &"oom_container_limit".into(), &120.into())
    );
    let hours = place.history(&["--by", "hour", "--csv"]);
    assert_eq!(hours.status.code(), Some(2));
    let hours = text(&place.history(&["--by", "hour", "--format", "csv", "--since", "150 h ago"]).stdout);
    assert!(hours.lines().count() > 100 && hours.starts_with("by,key,count,first,last\n"), "{hours}");
}

/// What `oomtrace why` says, asking nobody but this history and this log of the kernel's.
fn why(place: &Place, word: &str, log: Option<&Path>) -> Output {
    let mut why = binary();
    why.args([
        "why",
        word,
        "--json",
        "--no-journal",
        "--wtmp",
        "/nonexistent",
        "--docker-socket",
        "/nonexistent/docker.sock",
    ]);
    match log {
        Some(log) => why.arg("--kernel-log").arg(log),
        None => why.arg("--no-kernel-log"),
    };
    why.arg("--history").arg(place.path()).env("KUBECONFIG", "/nonexistent").stdin(Stdio::null()).output().unwrap()
}

fn answer(output: &Output) -> Why {
    let WhyRecord::Why(why) = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr)));
    *why
}

/// An OOM kill ten days ago, and the report of it in a journal, whose clock has gone wrong by a minute.
fn oom_killed(place: &Place) -> (Incident, PathBuf) {
    let at = Timestamp::now() - jiff::SignedDuration::from_hours(240);
    let mut killed = incident(7, at, "web", "oom_container_limit");
    killed.id = "18ea58b4c3ec11ea-63494450-9881".to_owned();
    (killed.victim.process.pid, killed.victim.process.comm) = (9881, "tail".to_owned());
    killed.boot_id = Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned());
    let oom = serde_json::json!({
        "scope": "memcg", "at_limit": [],
        "victim_memory": { "anon_bytes": 24_772_608, "file_bytes": 1_642_496, "shmem_bytes": 0, "swap_bytes": 0,
            "page_tables_bytes": 94_208, "total_vm_bytes": 27_725_824 }
    });
    killed.oom = Some(serde_json::from_value(oom).unwrap());
    // Another one of the group that the kernel killed with it.
    let mut member = killed.victim.process.clone();
    member.pid = 9882;
    killed.collateral = vec![oomtrace::model::Collateral { process: member, role: oomtrace::model::Role::OomGroup }];
    Writer::open(&place.path(), Bounds::DEFAULT).unwrap().append(&[Entry::Incident(Box::new(killed.clone()))]).unwrap();
    let late = (at + jiff::SignedDuration::from_secs(60)).as_microsecond();
    let report = include_str!("../src/past/klog/oom/logs/6.18-v1.kmsg");
    let lines = report.lines().filter_map(|line| line.split_once(';')).map(|(_, message)| {
        let line = serde_json::json!({
            "__REALTIME_TIMESTAMP": late.to_string(), "_TRANSPORT": "kernel", "SYSLOG_FACILITY": "0", "MESSAGE": message
        });
        format!("{line}\n")
    });
    let log = place.0.path().join("kernel.json");
    std::fs::write(&log, lines.collect::<String>()).unwrap();
    (killed, log)
}

#[test]
fn what_was_kept_of_a_kill_is_the_one_answer_whatever_the_kernels_log_says_of_it() {
    let place = Place::new();
    let (killed, log) = oom_killed(&place);
    // The log alone says it otherwise.
    let elsewhere = Place::new();
    assert_eq!(answer(&why(&elsewhere, "pid:9881", Some(&log))).answer, Found::Killed);
    for word in [killed.id.as_str(), "incident:18ea", "18EA58b4c", "18ea58b4c3ec11ea-6349", "pid:9881", "pid:9882"] {
        let why = answer(&why(&place, word, Some(&log)));
        assert_eq!((why.answer, why.incident.as_ref()), (Found::Watched, Some(&killed)), "{word}: {}", why.summary);
        assert!(why.reconstructed.is_none() && why.earlier.is_empty(), "{word}: {:?}", why.earlier);
    }
}

#[test]
fn the_beginning_of_an_id_is_one_or_those_that_begin_so_are_listed() {
    let place = Place::new();
    let (killed, _) = oom_killed(&place);
    let mut other = incident(8, Timestamp::now(), "api", "runtime_kill");
    other.id = "18ea58b4ffffffff-63494450-12".to_owned();
    Writer::open(&place.path(), Bounds::DEFAULT).unwrap().append(&[Entry::Incident(Box::new(other.clone()))]).unwrap();
    let report = |arguments: &[&str]| binary().arg("report").arg("--markdown").args(arguments).output().unwrap();
    let path = place.path().display().to_string();
    let kept = place.history(&["--json"]).stdout;
    let from = place.0.path().join("kills.jsonl").display().to_string();
    std::fs::write(&from, kept).unwrap();
    for output in [
        why(&place, "18ea58b4", None),
        report(&["18ea58b4", "--history", &path]),
        report(&["18ea58b4", "--from", &from]),
    ] {
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&killed.id) && said.contains(&other.id) && output.stdout.is_empty(), "{said}");
    }
    for output in [
        why(&place, "18ea58b4f", None),
        report(&["18ea58b4f", "--history", &path]),
        report(&["18ea58b4f", "--from", &from]),
        // However it is written.
        why(&place, "18EA58B4F", None),
        report(&["18EA58B4F", "--history", &path]),
        report(&["18EA58B4F", "--from", &from]),
    ] {
        assert!(output.status.success() && text(&output.stdout).contains(&other.id), "{output:?}");
    }
    assert_eq!(why(&place, "18eb", None).status.code(), Some(2));
}

#[test]
fn an_exit_with_137_that_was_no_kill_is_kept_and_is_the_answer() {
    let place = Place::new();
    let at = Timestamp::now();
    let mut child = incident(1, at, "web-of-the-test", "oom_container_limit");
    let container = child.container.as_mut().unwrap();
    (container.confirmed, container.id) = (true, "e".repeat(64));
    let exited: Exited = serde_json::from_value(serde_json::json!({
        "schema": 1, "id": "00000002-exit", "time": format!("{at:.9}"), "node": "node-1", "container_init": true, "code": 137,
        "process": { "pid": 7, "comm": "sh", "cmdline_truncated": false },
        "container": child.container,
        "why": "exited with 137 by itself: no SIGKILL ended it; its child java[1001] was OOM-killed 3 ms before",
        "after": { "incident": child.id, "pid": 1001, "comm": "java", "is_child": true, "is_oom": true, "before_ms": 3 }
    }))
    .unwrap();
    let mut keeper = Keeper::start(&place.path(), Bounds::DEFAULT);
    protocol::put(&mut keeper.to_keep, &ToKeep::Exit(Cow::Borrowed(&exited))).unwrap();
    keeper.tell(&[]).unwrap();
    assert_eq!(keeper.next(), Some(Said::Kept));
    // The container is gone, and nobody else knows of it.
    let alone = answer(&why(&place, "web-of-the-test", None));
    assert_eq!((alone.answer, alone.exit.as_ref(), alone.incident), (Found::Ended, Some(&exited), None));
    assert!(
        alone.summary.contains("exited with 137 by itself: no SIGKILL ended it; its child java"),
        "{}",
        alone.summary
    );
    keeper.tell(&[child.clone()]).unwrap();
    assert_eq!(keeper.next(), Some(Said::Kept));
    keeper.kill();
    for word in ["web-of-the-test", "eeeeeeee", "pid:7", "incident:00000002"] {
        let with_child = answer(&why(&place, word, None));
        assert_eq!(
            (with_child.answer, with_child.exit.as_ref(), with_child.incident.as_ref()),
            (Found::Ended, Some(&exited), Some(&child)),
            "{word}"
        );
    }
}

#[test]
fn a_history_that_is_turned_off_or_is_not_oomtraces_is_said_to_be() {
    for verb in [&["history"][..], &["history", "--by", "cause"], &["report", "--markdown"]] {
        let off = binary().args(verb).env("OOMTRACE_HISTORY", "off").output().unwrap();
        let said = text(&off.stderr);
        assert_eq!(off.status.code(), Some(1), "{said}");
        assert!(said.contains("OOMTRACE_HISTORY=off turns it off") && said.contains("--history FILE"), "{said}");
    }
    let place = Place::new();
    kept(&place);
    let named = binary().args(["history", "--json"]).env("OOMTRACE_HISTORY", place.path()).output().unwrap();
    assert_eq!(text(&named.stdout).lines().count(), 100);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o666)).unwrap();
    for output in [
        place.history(&[]),
        binary().arg("report").arg("--markdown").arg("--history").arg(place.path()).output().unwrap(),
    ] {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains("others may write to it (mode 0666)"), "{}", text(&output.stderr));
    }
    let why = answer(&why(&place, "unit:oomtrace-test-none.service", None));
    assert!(why.looked_at.iter().any(|looked| looked.place == "history" && looked.is_missing), "{:?}", why.looked_at);
    let mut keeper = Keeper::start(&place.path(), Bounds::DEFAULT);
    let said = keeper.next();
    assert!(matches!(&said, Some(Said::Refused(why)) if why.contains("others may write")), "{said:?}");
}

#[test]
fn a_report_of_nonsense_is_refused_with_what_is_accepted() {
    let place = Place::new();
    kept(&place);
    let garbage = place.0.path().join("garbage");
    std::fs::write(&garbage, "neither JSON\nnor anything else\n").unwrap();
    let garbage = garbage.display().to_string();
    let path = place.path().display().to_string();
    for (arguments, accepted) in [
        (&["--from", garbage.as_str()][..], "oomtrace --json"),
        (&["--from", "/nonexistent/garbage"], "oomtrace --json"),
        (&["--since", "garbage", "--history", &path], "yesterday 03:00"),
        (&["--until", "garbage", "--history", &path], "yesterday 03:00"),
        (&["--time", "garbage", "--history", &path], "utc"),
    ] {
        let output = binary().args(["report", "--markdown"]).args(arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(accepted) && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
    // Its head and its rows are of one zone.
    let report = |time: &str| {
        let mut report = binary();
        report.args(["report", "--markdown", "--since", "10 days ago", "--time", time, "--history", &path]);
        text(&report.env("TZ", "Asia/Tokyo").output().unwrap().stdout)
    };
    let (local, utc) = (report("local"), report("utc"));
    assert!(local.contains("times are local (Asia/Tokyo)") && local.contains("+09:00"), "{local}");
    assert!(utc.contains("times are UTC") && utc.contains("+00:00") && !utc.contains("+09:00"), "{utc}");
    // The short help has what says which history.
    for verb in ["why", "report", "history"] {
        let help = text(&binary().args([verb, "-h"]).output().unwrap().stdout);
        assert!(help.contains("--history <FILE>"), "{help}");
    }
}

#[test]
fn hours_have_their_first_and_last_kill_and_names_are_found_again() {
    let place = Place::new();
    let all = kept(&place);
    let json = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let output = place.history(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let hours = json(&["--by", "hour"]);
    let last = hours.last().unwrap();
    assert_eq!((&last["first"], &last["last"]), (&all[120].time.clone().into(), &all[120].time.clone().into()));
    let empty = hours.iter().find(|hour| hour["count"] == 0).unwrap();
    assert!(empty["first"].is_null() && empty["key"].is_string(), "{empty}");
    for (by, option) in [("container", "--container"), ("image", "--image"), ("comm", "--comm"), ("cause", "--cause")] {
        for group in json(&["--by", by]) {
            let found = json(&[option, group["key"].as_str().unwrap(), "--since", "30 days ago"]);
            assert_eq!(found.len() as u64, group["count"].as_u64().unwrap(), "{by} {group}");
        }
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    kept(&place);
    let mut child = binary()
        .args(["history", "--json", "--history"])
        .arg(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

/// Whoever may read the files needs no right to write, and no privilege.
#[test]
fn reading_needs_no_right_to_write() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let all = kept(&place);
    let directory = place.path().parent().unwrap().to_owned();
    for entry in std::fs::read_dir(&directory).unwrap().flatten() {
        std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    for directory in [directory.as_path(), place.0.path()] {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    // With its log beside it, as a writer leaves it that was killed; and settled.
    for _ in 0..2 {
        let output = unprivileged(&place.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(&all[120].id));
        Writer::open(&place.path(), Bounds::DEFAULT).unwrap().settle().unwrap();
    }
    // Even without the files that SQLite has beside it.
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{suffix}", place.path().display())).unwrap();
    }
    assert!(text(&unprivileged(&place.path()).stdout).contains(&all[120].id));
    assert!(History::open(&place.path()).unwrap().count(&Selection::default()).unwrap() == 121);
}

fn unprivileged(path: &Path) -> Output {
    let copy = tempfile::tempdir().unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = copy.path().join("oomtrace");
    // By a process of its own: one of this process's children that is just being made could still have it open to write.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_oomtrace")).arg(&program).status().unwrap();
    assert!(copied.success());
    let mut command = Command::new(&program);
    command.args(["history", "--json", "--last", "1", "--history"]).arg(path).uid(65_534).gid(65_534);
    let output = command.output().unwrap();
    std::io::stderr().flush().unwrap();
    output
}

#[test]
fn an_incident_that_there_is_not_is_no_fault_of_the_history() {
    let place = Place::new();
    kept(&place);
    let output = why(&place, "incident:ffff", None);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("has the id ffff, or one that begins so; `oomtrace history --history")
            && !said.contains("not known"),
        "{said}"
    );
    std::fs::remove_file(place.path()).unwrap();
    let said = text(&why(&place, "incident:ffff", None).stderr);
    assert!(said.contains("the history was not read: there is no history at"), "{said}");
}

#[test]
fn what_can_be_explained_is_and_the_rest_is_wrong() {
    let output = binary().args(["explain", "137", "nonsense", "OOMKilled"]).output().unwrap();
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(shown.contains("128 + 9: ended by SIGKILL") && shown.contains("a child was OOM-killed"), "{shown}");
    assert!(said.starts_with("oomtrace: invalid value nonsense for <CODE>: it is no exit code"), "{said}");
}
