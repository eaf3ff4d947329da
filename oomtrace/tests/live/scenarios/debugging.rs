//! What is shown to whoever debugs a kernel, held against what the scenario did itself.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use oomtrace::event::Disposition;
use oomtrace::model::seen::{GeneratedSignal, HistogramUntil, SeenRecord, SignalOutcome};
use oomtrace::model::{Candidate, Cause, Confidence, Record, Skipped};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::needs::Need::{MemoryCgroup, Tracing};
use crate::support::process::{Owned, patience, wait_until};
use crate::support::tracer::{self, Tracer};
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario { name: "debugging::a_kernel_stack_with_offsets", needs: &[Tracing], run: kernel_stack },
    Scenario { name: "debugging::where_the_trigger_was", needs: &[Tracing, MemoryCgroup], run: user_stack },
    Scenario { name: "debugging::whom_it_could_choose", needs: &[Tracing, MemoryCgroup], run: candidates },
    Scenario { name: "debugging::events_as_they_came", needs: &[Tracing], run: raw },
    Scenario { name: "debugging::signals_by_filter", needs: &[Tracing], run: filters },
    Scenario { name: "debugging::how_long_a_signal_takes", needs: &[Tracing], run: histogram },
];

/// Twenty megabytes.
const LIMIT: u64 = 20 << 20;

fn kernel_stack() {
    let mut tracer = Tracer::start(&["--stack"]);
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let frames = incident.signal.kernel_frames.unwrap();
    assert_eq!(frames.len(), incident.signal.kernel_stack.len());
    for (frame, name) in frames.iter().zip(&incident.signal.kernel_stack) {
        let place = frame.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix("+0x")).unwrap();
        let (offset, size) = place.split_once("/0x").unwrap_or((place, "ffffffff"));
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        assert!(number(offset) < number(size), "{frame}");
    }
}

/// A process that allocates without end in `cgroup`.
fn hog(cgroup: &Cgroup) -> Owned {
    let script = format!("echo $$ > {}; exec tail /dev/zero", cgroup.procs().display());
    Owned::spawn(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()))
}

/// The file that has code in this process's memory, and a name that begins so.
fn mapped_file(begin: &str) -> Vec<u8> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let is_it = |path: &&str| path.rsplit('/').next().is_some_and(|name| name.starts_with(begin));
    let path = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(is_it).unwrap();
    std::fs::read(path).unwrap()
}

/// `tail` reads when its memory runs out: in the C library that this process has, too, or in its own code.
fn user_stack() {
    let mut tracer = Tracer::start(&["--stack"]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    // The kernel reads a build id from the page cache alone (kernel/bpf/stackmap.c, 4.17 to 7.3), and the victim's own cgroup would have
    // given up first what it had read itself.
    let library = mapped_file("libc");
    let program = std::fs::read("/usr/bin/tail").unwrap();
    let mut victim = hog(&cgroup);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomSliceLimit);
    let frames = incident.oom.unwrap().trigger_stack.expect("a stack");
    let first = frames.first().unwrap();
    let id = first.build_id.as_ref().unwrap_or_else(|| panic!("no build id: {frames:?}"));
    let id: Vec<u8> = (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
    // It runs out where the buffer is filled, in the library, or where the program writes behind that.
    let is_in = |file: &[u8]| file.windows(id.len()).any(|bytes| bytes == id);
    let (file, name) = if is_in(&program) { (program, "tail") } else { (library, "libc") };
    assert!(is_in(&file) && first.offset.unwrap() < file.len() as u64, "{frames:?}");
    // Its memory may be gone before its files have been read.
    assert!(first.file.as_ref().is_none_or(|file| file.contains(name)), "{frames:?}");
    // The library exports it: `read`, or `__read_nocancel` and the like. The program has no symbols.
    let function = first.function.as_ref();
    let is_known = |function: &String| first.file.is_some() && name == "libc" && function.contains("read");
    assert!(function.is_none_or(is_known), "{frames:?}");
}

fn candidates() {
    let mut tracer = Tracer::start(&["--candidates"]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let outside = Owned::sleeper();
    let mut inside: Vec<(Owned, i32)> = [0, 7, -1000].map(|adj| (Owned::sleeper(), adj)).into();
    // Lowering it takes CAP_SYS_RESOURCE, which not every machine's root has: one is left out then.
    inside.retain(|(process, adj)| {
        let set = std::fs::write(format!("/proc/{}/oom_score_adj", process.pid()), adj.to_string());
        set.map_err(|error| assert!(*adj < 0 && error.kind() == ErrorKind::PermissionDenied, "{error}")).is_ok()
    });
    inside.iter().for_each(|(process, _)| cgroup.add(process.pid()));
    let mut victim = hog(&cgroup);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomSliceLimit);
    let found = incident.oom.unwrap().candidates.unwrap();
    let of = |pid: u32| found.processes.iter().find(|one| one.pid == pid).unwrap();
    for (process, adj) in &inside {
        let one: &Candidate = of(process.pid());
        let skipped = (*adj == -1000).then_some(Skipped::OomScoreAdj);
        assert_eq!((one.comm.as_str(), one.oom_score_adj, one.would_be_skipped), ("sleep", *adj, skipped));
        assert!(!one.chosen && one.rss_bytes > 0 && one.page_tables_bytes > 0, "{one:?}");
        let pages = (one.rss_bytes + one.swap_bytes + one.page_tables_bytes) >> 12;
        assert!(*adj != 0 || one.points == Some(i64::try_from(pages).unwrap()), "{one:?}");
    }
    let chosen = of(victim.pid());
    assert!(chosen.chosen && chosen.rss_bytes > LIMIT / 2, "{chosen:?}");
    // Only those below the limit.
    assert!(
        found.processes.iter().all(|one| one.pid != outside.pid())
            && found.seen as usize == inside.len() + 1
            && !found.incomplete
    );
    assert!(found.read_after_us.is_some_and(|us| us < 10_000_000));
    // Whoever has most is chosen, where nobody has a score to his advantage.
    assert_eq!(found.processes.first().map(|one| one.pid), Some(victim.pid()), "{found:?}");
}

/// Oomtrace, with lines of JSON that are a `T`.
struct Lines<T> {
    child: Owned,
    lines: std::sync::mpsc::Receiver<T>,
}

impl<T: serde::de::DeserializeOwned + Send + 'static> Lines<T> {
    fn start(arguments: &[&str]) -> Self {
        let mut command = tracer::command();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = std::sync::mpsc::channel::<T>();
        std::thread::spawn(move || {
            for line in out.lines() {
                if send.send(serde_json::from_str(&line.unwrap()).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child: Owned::of(child), lines }
    }

    fn next(&self) -> Option<T> {
        self.lines.recv_timeout(patience()).ok()
    }

    /// Ends it; what it still says.
    fn end(mut self) -> Vec<T> {
        self.child.kill(Signal::SIGINT);
        assert!(self.child.wait().success());
        self.lines.iter().collect()
    }
}

fn raw() {
    let oomtrace = Lines::<Record>::start(&["--json", "--raw"]);
    assert!(matches!(oomtrace.next(), Some(Record::Ready(_))));
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let mut before_verdict = Vec::new();
    loop {
        match oomtrace.next().expect("an incident") {
            Record::Event(event) => before_verdict.push(event),
            Record::Incident(incident) if incident.victim.process.pid == victim.pid() => break,
            _ => {}
        }
    }
    let of_victim = |kind: &str, part: &str| {
        let is_its = |event: &&oomtrace::model::KernelEvent| event.fields[part]["key"]["pid"] == victim.pid();
        before_verdict.iter().filter(|event| event.kind == kind).filter(is_its).cloned().collect::<Vec<_>>()
    };
    let signals = of_victim("signal", "victim");
    assert_eq!(signals.len(), 1, "{before_verdict:?}");
    assert_eq!(signals[0].fields["number"], 9);
    assert_eq!(signals[0].fields["sender"]["key"]["pid"], std::process::id());
    assert!(signals[0].fields["stack"][0].as_str().unwrap().starts_with("0xffff"), "{:?}", signals[0]);
    let exits = of_victim("exit", "task");
    assert!(exits.len() == 1 && exits[0].fields["status"] == 9 && exits[0].boot_ns >= signals[0].boot_ns);
    drop(oomtrace.end());
}

/// `oomtrace signals` with these options, watching.
fn signals(options: &[&str]) -> Lines<SeenRecord> {
    let lines = Lines::start(&[&["signals", "--json"], options].concat());
    assert!(matches!(lines.next(), Some(SeenRecord::Ready(_))));
    lines
}

fn generated(records: &[SeenRecord]) -> Vec<&GeneratedSignal> {
    let signals = records.iter().filter_map(|record| match record {
        SeenRecord::Generated(signal) => Some(signal),
        _ => None,
    });
    signals.collect()
}

fn filters() {
    let (receiver, other) = (Owned::sleeper(), Owned::sleeper());
    let pid = receiver.pid().to_string();
    let me = std::process::id();
    let (of_one, ignored) = (signals(&["--receiver", &pid]), signals(&["--ignored", "--receiver", &pid]));
    let (urgent, foreign) = (signals(&["--signal", "URG"]), signals(&["--sender", "1", "--receiver", &pid]));
    let both = ["--receiver", &pid, "--receiver", &other.pid().to_string()];
    let counted = signals(&[&both[..], &["--comm", "sl*", "--sender", &me.to_string(), "--count", "2"]].concat());
    let mut elsewhere = signals(&["--cgroup", "/no/such", "--duration", "1"]);
    other.kill(Signal::SIGURG);
    receiver.kill(Signal::SIGURG);
    receiver.kill(Signal::SIGTERM);
    // Two, and it ends by itself.
    let two: Vec<SeenRecord> = counted.lines.iter().collect();
    assert_eq!(generated(&two).iter().map(|s| s.receiver.pid).collect::<Vec<_>>(), [other.pid(), receiver.pid()]);
    assert!(elsewhere.child.wait().success() && elsewhere.lines.iter().next().is_none());
    let of_one = of_one.end();
    let of_one = generated(&of_one);
    let told: Vec<_> = of_one.iter().map(|s| (s.name.as_str(), s.outcome, s.disposition)).collect();
    let default = Some(Disposition::Default);
    let expected = [("SIGURG", SignalOutcome::Ignored, default), ("SIGTERM", SignalOutcome::Delivered, default)];
    assert_eq!(told, expected);
    for signal in of_one {
        assert_eq!((signal.sender.pid, signal.receiver.pid), (me, receiver.pid()));
        assert_eq!((signal.code, signal.from_kernel, signal.group), (Some(0), false, true));
        assert_eq!((signal.receiver.comm.as_str(), signal.receiver.uid), ("sleep", 0));
        assert!(signal.cgroup.is_some(), "{signal:?}");
    }
    let names = |records: Vec<SeenRecord>| generated(&records).iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(ignored.end()), ["SIGURG"]);
    let urgent = urgent.end();
    let mut pids: Vec<u32> = generated(&urgent).iter().filter(|s| s.sender.pid == me).map(|s| s.receiver.pid).collect();
    pids.sort_unstable();
    let mut expected = [receiver.pid(), other.pid()];
    expected.sort_unstable();
    assert!(pids == expected && generated(&urgent).iter().all(|s| s.name == "SIGURG"), "{urgent:?}");
    assert_eq!(names(foreign.end()), [""; 0]);
}

/// A process that is stopped takes its signal when it goes on, a known time later.
fn histogram() {
    const WAIT: Duration = Duration::from_millis(200);
    let mut receiver = Owned::sleeper();
    let pid = receiver.pid().to_string();
    let watching = signals(&["--histogram", "--signal", "TERM", "--receiver", &pid]);
    receiver.kill(Signal::SIGSTOP);
    let stat = format!("/proc/{pid}/stat");
    wait_until("it is stopped", || std::fs::read_to_string(&stat).unwrap().contains(" T "));
    receiver.kill(Signal::SIGTERM);
    std::thread::sleep(WAIT);
    receiver.kill(Signal::SIGCONT);
    receiver.wait();
    let mut seen = Vec::new();
    while !seen.iter().any(|record| matches!(record, SeenRecord::Ended(_))) {
        seen.push(watching.next().expect("an end"));
    }
    assert_eq!(generated(&seen).len(), 1, "{seen:?}");
    seen.extend(watching.end());
    let of = |record: &SeenRecord| match record {
        SeenRecord::Delivered(taken) | SeenRecord::Ended(taken) => Some((taken.pid, taken.after_ns)),
        _ => None,
    };
    let times: Vec<(u32, u64)> = seen.iter().filter_map(of).collect();
    let [(of_delivery, delivery), (of_exit, exit)] = times[..] else { panic!("{seen:?}") };
    assert_eq!((of_delivery, of_exit), (receiver.pid(), receiver.pid()));
    let waited = WAIT.as_nanos() as u64;
    assert!(waited <= delivery && delivery <= exit && exit < 100 * waited, "{seen:?}");
    for (until, ns) in [(HistogramUntil::Delivery, delivery), (HistogramUntil::Exit, exit)] {
        let is_it =
            |record: &&SeenRecord| matches!(record, SeenRecord::Histogram(histogram) if histogram.until == until);
        let Some(SeenRecord::Histogram(histogram)) = seen.iter().find(is_it) else { panic!("{seen:?}") };
        assert_eq!((histogram.count, histogram.longest_ns), (1, Some(ns)));
        let bucket = histogram.buckets[0];
        assert!(bucket.from_us * 1000 <= ns && ns < bucket.to_us * 1000 && bucket.count == 1, "{histogram:?}");
    }
}
