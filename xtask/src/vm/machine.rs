//! A machine, from power on to power off, and whoever watches it: a machine that has died, was paused, stands still or never ends
//! is ended at once, and the run goes on without it.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use xtask::say;

use super::monitor;
use super::processor_time::processor_time;
use crate::time_limit::Spoken;
use crate::{interrupt, progress};

/// What a machine prints first when it has reached user space: see `initramfs.sh`.
pub const USER_SPACE: &str = "oomtrace: user space";
/// A running machine is looked at this often.
const LOOK: Duration = Duration::from_millis(200);
/// One that says nothing that is shown is mentioned this often.
const MENTION: Duration = Duration::from_secs(60);
/// Bytes of one line of the console.
const LONGEST_LINE: u64 = 64 << 10;
/// Lines of the console, and of QEMU's own output, that a fault is reported with.
const LAST_LINES: usize = 5;
/// How long the console's reader may take to end after the machine: something else may hold its pipe.
const READER_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How long a machine may do what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From power on to the first line of user space.
    pub user_space: Duration,
    /// Without a line on the console.
    pub silence: Duration,
    /// Without the use of any processor: whoever runs a kernel takes its timer's interrupts at least.
    pub standstill: Duration,
    /// From power on to power off.
    pub whole: Duration,
}

/// Why a machine did not get from power on to power off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// QEMU ended by itself, with an error.
    Died(ExitStatus),
    /// QEMU has paused it, in this state.
    Paused(String),
    /// It did not reach user space.
    NoUserSpace(Duration),
    /// Its console was silent.
    Silent(Duration),
    /// It used no processor.
    StoodStill(Duration),
    /// It was still running.
    TooLong(Duration),
    /// This run was interrupted.
    Interrupted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(status) => match status.signal() {
                Some(signal) => write!(f, "QEMU died of signal {signal}"),
                None => write!(f, "QEMU ended with {}", status.code().unwrap_or_default()),
            },
            Self::Paused(state) if state == "io-error" => {
                f.write_str("QEMU paused it: io-error (is the disk full that has the target directory, or /var/tmp?)")
            }
            Self::Paused(state) => write!(f, "QEMU paused it: {state}"),
            Self::NoUserSpace(time) => write!(f, "no user space within {}", Spoken(*time)),
            Self::Silent(time) => write!(f, "it said nothing for {}", Spoken(*time)),
            Self::StoodStill(time) => write!(f, "it stood still for {}", Spoken(*time)),
            Self::TooLong(time) => write!(f, "it was still running after {}", Spoken(*time)),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Fault {}

/// What is watched.
pub struct Machine<'a> {
    /// For people: `Linux 6.1.176`.
    pub name: &'a str,
    /// Where QEMU's protocol is spoken.
    pub monitor: PathBuf,
    /// Gets all that the machine and QEMU say.
    pub log: &'a Path,
    pub limits: Limits,
    /// The lines of the console that are shown.
    pub shown: fn(&str) -> bool,
}

enum News {
    Line(String),
    /// There are no more lines.
    End,
    Paused(String),
}

impl Machine<'_> {
    /// Runs `command`, which is a QEMU or what plays one, to its end or to its first fault.
    ///
    /// # Errors
    /// A [`Fault`], or what kept it from being run.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        let log = fs::File::create(self.log).with_context(|| format!("cannot create {}", self.log.display()))?;
        let errors = log.try_clone().context("cannot share the console's log")?;
        // A group of its own, so that whatever it starts ends with it.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let (send, news) = channel();
        let console = child.stdout.take().context("QEMU has an output")?;
        let lines = send.clone();
        std::thread::spawn(move || {
            pass(console, log, &lines);
            // Nobody may be waiting for it any more.
            _ = lines.send(News::End);
        });
        // The machine may be gone by the time that it would be reported.
        monitor::watch(self.monitor.clone(), move |state| _ = send.send(News::Paused(state)));
        let mut has_ended = false;
        let ended = self.watch(&mut child, &news, &mut has_ended);
        progress::end(&mut child);
        _ = fs::remove_file(&self.monitor);
        if !has_ended {
            self.take_rest(&news);
        }
        ended.map_err(|fault| match last_words(self.log) {
            words if words.is_empty() || fault == Fault::Interrupted => anyhow::Error::new(fault),
            words => anyhow::Error::new(fault).context(format!("the last that {} said: {words}", self.name)),
        })
    }

    /// `has_ended`: of the console's lines.
    fn watch(&self, child: &mut Child, news: &Receiver<News>, has_ended: &mut bool) -> Result<(), Fault> {
        let limits = self.limits;
        let started = Instant::now();
        let group = child.id();
        let (mut heard, mut mentioned, mut looked) = (started, started, started);
        let mut has_user_space = false;
        let mut used = (processor_time(group), started);
        loop {
            match news.recv_timeout(LOOK) {
                Ok(News::Line(line)) => {
                    heard = Instant::now();
                    has_user_space |= line.contains(USER_SPACE);
                    if self.show(&line) {
                        mentioned = heard;
                    }
                }
                Ok(News::Paused(state)) => return Err(Fault::Paused(state)),
                Ok(News::End) => *has_ended = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
            // A machine that says line after line is looked at all the same, but not for each of them.
            if looked.elapsed() < LOOK {
                continue;
            }
            looked = Instant::now();
            // An error here is that there is no such child: it has ended.
            if let Ok(Some(status)) = child.try_wait() {
                return if status.success() { Ok(()) } else { Err(Fault::Died(status)) };
            }
            let now = processor_time(group);
            if now != used.0 {
                used = (now, Instant::now());
            }
            if interrupt::came() {
                return Err(Fault::Interrupted);
            }
            for (since, limit, fault) in [
                (started, limits.whole, Fault::TooLong(limits.whole)),
                (used.1, limits.standstill, Fault::StoodStill(limits.standstill)),
                (heard, limits.silence, Fault::Silent(limits.silence)),
            ] {
                if since.elapsed() >= limit {
                    return Err(fault);
                }
            }
            if !has_user_space && started.elapsed() >= limits.user_space {
                return Err(Fault::NoUserSpace(limits.user_space));
            }
            if mentioned.elapsed() >= MENTION {
                mentioned = Instant::now();
                say(&format!(
                    "{} has run for {}, of {} at the most",
                    self.name,
                    Spoken(started.elapsed()),
                    Spoken(limits.whole)
                ));
            }
        }
    }

    fn show(&self, line: &str) -> bool {
        let is_shown = (self.shown)(line) || line.contains("Kernel panic");
        if is_shown {
            println!("{line}");
        }
        is_shown
    }

    /// Shows what was said last.
    fn take_rest(&self, news: &Receiver<News>) {
        let started = Instant::now();
        while let Some(left) = READER_ENDS_WITHIN.checked_sub(started.elapsed()) {
            match news.recv_timeout(left) {
                Ok(News::Line(line)) => _ = self.show(&line),
                Ok(News::Paused(_)) => {}
                Ok(News::End) | Err(_) => return,
            }
        }
    }
}

/// Passes the console's lines on, and keeps them.
fn pass(console: impl Read, mut log: fs::File, lines: &Sender<News>) {
    let mut console = BufReader::new(console);
    let mut line = Vec::new();
    while (&mut console).take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A log that cannot be written is no reason to stop.
        _ = log.write_all(&line);
        if lines.send(News::Line(String::from_utf8_lossy(&line).trim_end().to_owned())).is_err() {
            return;
        }
        line.clear();
    }
}

/// The last lines of a log, on one.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut last: VecDeque<&str> =
        text.lines().rev().map(str::trim).filter(|l| !l.is_empty()).take(LAST_LINES).collect();
    last.make_contiguous().reverse();
    last.into_iter().collect::<Vec<_>>().join(" / ").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::killpg;
    use nix::unistd::Pid;

    const SHORT: Limits = Limits {
        user_space: Duration::from_secs(20),
        silence: Duration::from_secs(20),
        standstill: Duration::from_secs(20),
        whole: Duration::from_secs(20),
    };

    /// The result of a program that plays QEMU, and its process group's id, which it writes as its first line.
    fn played(script: &str, limits: Limits) -> (Result<()>, String) {
        let directory = std::env::temp_dir().join(format!("oomtrace-machine-{:?}", std::thread::current().id()));
        fs::create_dir_all(&directory).unwrap();
        let log = directory.join("log");
        let machine =
            Machine { name: "a machine", monitor: directory.join("monitor"), log: &log, limits, shown: |_| false };
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo $$; {script}")]);
        let ended = machine.run(&mut command);
        let said = fs::read_to_string(&log).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        (ended, said)
    }

    fn fault(script: &str, limits: Limits) -> Fault {
        let (ended, said) = played(script, limits);
        let group = Pid::from_raw(said.lines().next().unwrap().parse().unwrap());
        // Also a child that plays dead is gone with its group, once whoever adopted it has reaped it.
        let started = Instant::now();
        while killpg(group, None).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(20), "something of it is left");
            std::thread::sleep(Duration::from_millis(10));
        }
        ended.unwrap_err().downcast_ref::<Fault>().unwrap().clone()
    }

    #[test]
    fn one_that_runs_to_its_end_is_well() {
        let (ended, said) = played("echo 'oomtrace: user space'; echo done", SHORT);
        ended.unwrap();
        assert!(said.ends_with("done\n"), "{said}");
    }

    #[test]
    fn one_that_dies_is_reported_with_its_last_words() {
        let (ended, _) = played("echo 'KVM internal error' >&2; kill -ABRT $$", SHORT);
        let error = ended.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Fault::Died(status)) if status.signal() == Some(6)), "{error:?}");
        assert!(format!("{error:#}").contains("KVM internal error"), "{error:#}");
        assert!(matches!(fault("exit 3", SHORT), Fault::Died(status) if status.code() == Some(3)));
    }

    #[test]
    fn one_that_stands_still_is_ended_with_all_that_it_started() {
        let limit = Duration::from_secs(1);
        let still = Limits { standstill: limit, ..SHORT };
        // The shell waits for a child that ignores what can be ignored, and holds the console open.
        assert_eq!(fault("trap '' TERM INT HUP; sleep 1000 & wait", still), Fault::StoodStill(limit));
        let silent = Limits { silence: limit, ..SHORT };
        assert_eq!(fault("while :; do :; done", silent), Fault::Silent(limit));
    }

    #[test]
    fn one_that_never_gets_anywhere_is_ended() {
        let limit = Duration::from_secs(1);
        let chatter = "while :; do echo booting; sleep 0.05; done";
        assert_eq!(fault(chatter, Limits { user_space: limit, ..SHORT }), Fault::NoUserSpace(limit));
        let script = format!("echo '{USER_SPACE}'; {chatter}");
        assert_eq!(fault(&script, Limits { whole: limit, user_space: limit, ..SHORT }), Fault::TooLong(limit));
    }

    #[test]
    fn one_that_qemu_pauses_is_ended_at_once() {
        // A QEMU that says so by its protocol, and then waits as the real one does.
        let directory = std::env::temp_dir().join(format!("oomtrace-paused-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("monitor");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let qemu = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"{\"QMP\": {}}\n").unwrap();
            assert!(lines.next().unwrap().unwrap().contains("qmp_capabilities"));
            stream.write_all(b"{\"return\": {}}\n{\"event\": \"STOP\"}\n").unwrap();
            assert!(lines.next().unwrap().unwrap().contains("query-status"));
            stream.write_all(b"{\"return\": {\"status\": \"internal-error\"}}\n").unwrap();
        });
        let log = directory.join("log");
        let machine = Machine { name: "a machine", monitor: socket, log: &log, limits: SHORT, shown: |_| false };
        let error = machine.run(Command::new("sleep").arg("1000")).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Fault::Paused("internal-error".to_owned())));
        qemu.join().unwrap();
        fs::remove_dir_all(&directory).unwrap();
    }
}
