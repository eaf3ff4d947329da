//! cargo's tests on this machine, shown while they run, and counted.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::summary::{Counts, Outcome, Part};
use crate::time_limit::{Spoken, TimeLimit};
use crate::{interrupt, k8s};

/// How often it is looked whether time is over.
const LOOK: Duration = Duration::from_millis(500);
/// What the tests' own set-up and clean-up may take after they were asked to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// What is said of a test binary that crashed.
const NO_RESULT: &str = "it ended without a result";
/// The scenarios' test binary, whose tests are the only ones that a machine may lack something for.
const SCENARIOS: &str = "tests/live/main.rs";
/// How those on a Kubernetes node are called.
pub const KUBERNETES: &str = "Kubernetes scenarios";

/// Runs `what`, which speaks as `cargo test …` does, to its end, or until `time` is over; `place` is this machine.
pub fn run(command: &mut Command, what: &str, place: &str, time: TimeLimit) -> Result<Vec<Part>> {
    // A scenario that starts a copy of the binary keeps no history on this machine.
    command.env("OOMTRACE_HISTORY", "off");
    let started = Instant::now();
    let (output, input) = std::io::pipe().context("cannot make a pipe")?;
    command.stdout(input.try_clone().context("cannot share a pipe")?).stderr(input);
    let mut child = command.spawn().with_context(|| format!("cannot run {what}"))?;
    // The command holds the pipe's other end, which would then never close.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let (send, lines) = channel();
    std::thread::spawn(move || pass(output, |line| send.send(line).is_ok()));
    let mut reader = Reader::new(place);
    let mut cut = None;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => {
                println!("{line}");
                reader.read(&line);
            }
            // Something that a test has left may hold the pipe's other end for as long as it lives.
            Err(RecvTimeoutError::Timeout) if child.try_wait().is_ok_and(|status| status.is_some()) => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let why = match (interrupt::came(), time.is_over()) {
            (true, _) => "interrupted".to_owned(),
            (_, true) => format!("it was still running after {}", Spoken(time.whole())),
            _ => continue,
        };
        end(&mut child);
        cut = Some(why);
        break;
    }
    let status = child.wait().with_context(|| format!("cannot wait for {what}"))?;
    reader.close(cut.as_deref().unwrap_or(NO_RESULT));
    let mut parts = reader.parts;
    let is_well = |part: &Part| part.counts.failed == 0 && part.outcome == Outcome::Ran;
    if (cut.is_some() || !status.success()) && parts.iter().all(is_well) {
        let why = cut.unwrap_or_else(|| status.to_string());
        parts.push(Part { outcome: Outcome::Broke(why), took: started.elapsed(), ..Part::new(what, place) });
    }
    Ok(parts)
}

/// Ends cargo and the test that it runs: SIGTERM for both, which a test's own children end with, and SIGKILL for what stays.
fn end(child: &mut Child) {
    let all = family(child.id());
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for pid in all.iter().filter_map(|pid| i32::try_from(*pid).ok()) {
            // Many are gone by now.
            _ = kill(Pid::from_raw(pid), signal);
        }
        let started = Instant::now();
        while started.elapsed() < ENDS_WITHIN && child.try_wait().is_ok_and(|status| status.is_none()) {
            std::thread::sleep(LOOK);
        }
    }
}

/// A process and all below it.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        all.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        next += 1;
    }
    all
}

fn pass(output: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if !take(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()) {
            return;
        }
        line.clear();
    }
}

/// Reads what cargo and its tests say; a part for each test binary that has tests.
struct Reader {
    place: String,
    /// Of the binary that runs.
    what: String,
    is_running: bool,
    started: Instant,
    failures: Vec<String>,
    skips: Vec<String>,
    is_list_of_skips: bool,
    parts: Vec<Part>,
}

impl Reader {
    fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            what: String::new(),
            is_running: false,
            started: Instant::now(),
            failures: Vec::new(),
            skips: Vec::new(),
            is_list_of_skips: false,
            parts: Vec::new(),
        }
    }

    fn read(&mut self, line: &str) {
        if let Some(binary) = line.trim_start().strip_prefix("Running ") {
            // `     Running unittests src/lib.rs (target/debug/deps/oomtrace-0123456789abcdef)`
            self.begin(binary);
        } else if let Some(test) = line.strip_prefix("test ").and_then(|line| line.strip_suffix("FAILED")) {
            self.failures.push(test.trim_end().trim_end_matches("...").trim_end().to_owned());
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.end(result);
        } else if self.is_list_of_skips && line.starts_with("  ") {
            if let Some(part) = self.parts.last_mut() {
                part.skips.push(line.trim().to_owned());
            }
        } else {
            // `9 skipped:`, and each in a line of its own, behind the result.
            let number = line.strip_suffix(" skipped:").map(str::parse::<usize>);
            self.is_list_of_skips = matches!(number, Some(Ok(_)));
        }
    }

    fn begin(&mut self, binary: &str) {
        self.close(NO_RESULT);
        self.is_running = true;
        let (source, path) = binary.split_once(" (").unwrap_or((binary, ""));
        let package = path.rsplit('/').next().and_then(|name| name.rsplit_once('-')).map_or("", |(name, _)| name);
        let unit = source.strip_prefix("unittests ");
        self.what = match (source, unit) {
            (SCENARIOS, _) => "scenarios".to_owned(),
            (k8s::SCENARIOS, _) => KUBERNETES.to_owned(),
            (_, Some(_)) => format!("unit tests of {package}"),
            (other, None) => other.trim_start_matches("tests/").trim_end_matches(".rs").to_owned(),
        };
        self.started = Instant::now();
        self.failures.clear();
        self.skips.clear();
        self.is_list_of_skips = false;
    }

    /// A binary that runs ends here, without a result.
    fn close(&mut self, why: &str) {
        if std::mem::take(&mut self.is_running) {
            self.parts.push(Part {
                outcome: Outcome::Broke(why.to_owned()),
                took: self.started.elapsed(),
                failures: std::mem::take(&mut self.failures),
                ..Part::new(self.what.clone(), self.place.clone())
            });
        }
    }

    /// `ok. 95 passed; 0 failed; 9 ignored; 0 measured; 0 filtered out; finished in 310.52s`
    fn end(&mut self, result: &str) {
        let number = |of: &str| {
            let before = result.split(of).next().filter(|before| before.len() < result.len())?;
            before.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
        };
        let count = |of: &str| number(of).unwrap_or(0);
        let counts = Counts { passed: count(" passed"), failed: count(" failed"), skipped: count(" ignored") };
        self.is_running = false;
        if counts == Counts::default() {
            return;
        }
        self.parts.push(Part {
            counts,
            took: self.started.elapsed(),
            failures: std::mem::take(&mut self.failures),
            is_required: true,
            ..Part::new(self.what.clone(), self.place.clone())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "   Compiling oomtrace v0.1.0 (/x/oomtrace)
    Finished `test` profile [optimized + debuginfo] target(s) in 1.00s
     Running unittests src/lib.rs (target/debug/deps/oomtrace-15c3dc6bc0d7e83a)

running 2 tests
test a::b ... ok
test a::c ... FAILED

failures:
    a::c

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

     Running unittests src/main.rs (target/debug/deps/oomtrace-aaaaaaaaaaaaaaaa)

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/live/main.rs (target/debug/deps/live-bbbbbbbbbbbbbbbb)

running 11 tests
test oom::a              ... ok
test oom::b              ... ignored

test result: ok. 9 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 2.01s

2 skipped:
  oom::b: no /bin/busybox (busybox-static)
  oom::c: no curl (curl)
     Running tests/replay.rs (target/debug/deps/replay-cccccccccccccccc)
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.01s
     Running tests/k8s/main.rs (target/debug/deps/k8s-dddddddddddddddd)
xtask: starting containerd

running 12 tests
test oom::burstable                                           ... ok
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 16.99s

scenario                     of                                expected
12 claims: 12 right, 0 known to be wrong, 0 wrong
";

    #[test]
    fn each_binary_with_tests_is_a_part() {
        let mut reader = Reader::new("Linux 6.18");
        SAID.lines().for_each(|line| reader.read(line));
        let names: Vec<&str> = reader.parts.iter().map(|part| part.what.as_str()).collect();
        assert_eq!(names, ["unit tests of oomtrace", "scenarios", "replay", KUBERNETES]);
        let [unit, scenarios, replay, on_node] = &reader.parts[..] else { panic!() };
        assert_eq!(on_node.counts.passed, 12);
        assert_eq!(unit.counts, Counts { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(unit.failures, ["a::c"]);
        assert_eq!(scenarios.counts, Counts { passed: 9, failed: 0, skipped: 2 });
        assert_eq!(scenarios.skips, ["oom::b: no /bin/busybox (busybox-static)", "oom::c: no curl (curl)"]);
        assert!(replay.skips.is_empty() && replay.failures.is_empty());
    }

    fn shell(script: &str, seconds: u64) -> (Vec<Part>, Duration) {
        let started = Instant::now();
        let time = TimeLimit::new(Duration::from_secs(seconds));
        let parts = run(Command::new("sh").args(["-c", script]), "a test", "here", time).unwrap();
        (parts, started.elapsed())
    }

    #[test]
    fn tests_that_hang_are_ended_with_what_they_started() {
        let (parts, took) = shell("echo '     Running tests/a.rs (x/a-0)'; sleep 1000", 1);
        assert!(matches!(&parts[..], [Part { outcome: Outcome::Broke(why), .. }] if why.contains("still running")));
        assert_eq!(parts[0].what, "a");
        assert!(took < ENDS_WITHIN, "SIGTERM is enough: {took:?}");
    }

    #[test]
    fn a_test_binary_that_crashes_is_a_failure_by_name() {
        let result = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let script = format!(
            "echo ' Running tests/a.rs (x/a-0)'; echo ' Running tests/b.rs (x/b-0)'; echo '{result}'; exit 101"
        );
        let (parts, _) = shell(&script, 60);
        let [a, b] = &parts[..] else { panic!("{parts:?}") };
        assert_eq!((a.what.as_str(), &a.outcome), ("a", &Outcome::Broke(NO_RESULT.to_owned())));
        assert_eq!((b.counts.passed, &b.outcome), (3, &Outcome::Ran));
    }

    #[test]
    fn what_a_test_leaves_behind_is_not_waited_for() {
        let result = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let (parts, took) = shell(&format!("echo ' Running tests/a.rs (x/a-0)'; echo '{result}'; sleep 20 &"), 60);
        assert_eq!((parts.len(), parts[0].counts.passed), (1, 3));
        assert!(took < Duration::from_secs(15), "{took:?}");
    }

    #[test]
    fn a_cargo_that_fails_without_a_test_is_a_failure() {
        let (parts, _) = shell("echo 'error[E0308]: mismatched types'; exit 101", 60);
        assert!(matches!(&parts[..], [Part { outcome: Outcome::Broke(why), .. }] if why.contains("101")), "{parts:?}");
    }
}
