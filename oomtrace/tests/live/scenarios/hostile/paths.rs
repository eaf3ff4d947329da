//! Signals and stacks that look like another path than they took.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc;
use oomtrace::model::{Attribution, Cause, Confidence, Incident, Record, SenderKind, SignalPath};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::docker::{Container, docker};
use crate::support::needs::Need::{Alone, Busybox, Docker, MachineRoot, MemoryCgroup, RealTime, SteadyCpus, Tracing};
use crate::support::process::{Owned, run, wait_until};
use crate::support::tracer::Tracer;
use crate::support::truth;
use crate::support::victim::{Call, Part, queue};

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "hostile::paths::a_timer_over_somebody_elses_system_call",
        needs: &[Alone, Tracing],
        run: timer_over_a_call,
    },
    Scenario { name: "hostile::paths::a_timer_of_every_clock", needs: &[Alone, Tracing], run: every_clock },
    Scenario {
        name: "hostile::paths::a_timer_while_the_oom_killer_is_at_work",
        needs: &[Alone, Tracing, MemoryCgroup],
        run: timer_over_the_oom_killer,
    },
    Scenario { name: "hostile::paths::a_message_queues_notification", needs: &[Tracing], run: message_queue },
    Scenario { name: "hostile::paths::a_descriptor_set_to_kill", needs: &[Tracing], run: set_to_kill },
    Scenario { name: "hostile::paths::a_childs_exit_signal", needs: &[Tracing], run: exit_signal },
    Scenario { name: "hostile::paths::rlimit_rttime", needs: &[Tracing, RealTime], run: rttime },
    Scenario { name: "hostile::paths::a_forged_siginfo", needs: &[Tracing], run: forged },
    Scenario {
        name: "hostile::paths::without_names_of_kernel_functions",
        needs: &[Alone, Tracing],
        run: without_names,
    },
    Scenario {
        name: "hostile::paths::a_signal_that_is_no_stop_signal",
        // An emulated machine's Docker takes too long to say which signal stops the container.
        needs: &[SteadyCpus, Tracing, Busybox, Docker],
        run: no_stop_signal,
    },
    Scenario {
        name: "hostile::paths::a_flood_of_stop_signals_from_inside",
        needs: &[Tracing, Busybox, Docker],
        run: stop_signal_flood,
    },
    Scenario { name: "hostile::paths::what_timeout_was_told", needs: &[MachineRoot, Tracing], run: told_timeout },
];

/// The kernel made it, in nobody's name.
#[track_caller]
fn is_the_kernels(incident: &Incident, cause: Cause, path: SignalPath) {
    truth::is(incident, cause, Confidence::Certain);
    assert_eq!(incident.signal.path, Some(path), "{:?}", incident.signal);
    assert_eq!((incident.sender.kind, &incident.sender.process), (SenderKind::Kernel, &None));
    assert!(incident.requester.is_none() && incident.oom.is_none());
}

/// Starts processes that a timer kills, until one of their kills is seen as a signal: for one in some hundred of them 6.18 fires no
/// signal_generate (seen live, by two tracers at a time), and its end alone says so.
fn killed_by_timer(tracer: &mut Tracer, clock: libc::clockid_t) -> Incident {
    for _ in 0..20 {
        let mut victim = Part::Timer(clock, 5_000_000).start();
        assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
        let incident = tracer.incident(victim.pid());
        if is_signal(&incident) {
            return incident;
        }
    }
    panic!("no timer's signal is seen");
}

/// It is known by a signal, and not by its end alone.
fn is_signal(incident: &Incident) -> bool {
    serde_json::to_value(incident.signal.path).unwrap() != "unseen"
}

/// A timer's signal is made in an interrupt, wherever that comes: here over a process that is in kill(2) and its like all the time.
fn timer_over_a_call() {
    let mut tracer = Tracer::start(&[]);
    for (call, function) in
        [(Call::Kill, "sys_kill"), (Call::Tgkill, "sys_tgkill"), (Call::PidfdSendSignal, "sys_pidfd_send_signal")]
    {
        let _busy = Part::Calls(call).start();
        // Until one was over it: the processor may be in between two calls, or with somebody else.
        wait_until(&format!("a timer comes over {function}"), || {
            let incident = killed_by_timer(&mut tracer, libc::CLOCK_MONOTONIC);
            is_the_kernels(&incident, Cause::Timer, SignalPath::PosixTimer);
            incident.signal.kernel_stack.iter().any(|symbol| symbol.ends_with(function))
        });
    }
}

fn every_clock() {
    let mut tracer = Tracer::start(&[]);
    let _busy = Part::Calls(Call::Kill).start();
    for clock in [
        libc::CLOCK_REALTIME,
        libc::CLOCK_MONOTONIC,
        libc::CLOCK_BOOTTIME,
        libc::CLOCK_TAI,
        libc::CLOCK_PROCESS_CPUTIME_ID,
        libc::CLOCK_THREAD_CPUTIME_ID,
    ] {
        is_the_kernels(&killed_by_timer(&mut tracer, clock), Cause::Timer, SignalPath::PosixTimer);
    }
}

/// The OOM killer writes to the console, and stays in one function for long: whoever a timer kills meanwhile is no OOM kill.
fn timer_over_the_oom_killer() {
    const TIMERS: i64 = 40;
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(16 << 20);
    // It starts one process after the other that takes more than there is, on the timers' processor.
    let script = format!(
        "echo $$ > {}; echo 1000 > /proc/self/oom_score_adj; while :; do head -c 64M /dev/zero | tail; done",
        cgroup.procs().display()
    );
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "sh", "-c", &script]).stdout(std::process::Stdio::null()).process_group(0);
    let _hogs = Group(Owned::spawn(&mut command));
    let is_hog = |incident: &Incident| incident.oom.is_some() && incident.victim.process.comm == "tail";
    tracer.wait("the OOM killer is at work", |record| match record {
        Record::Incident(incident) if is_hog(incident) => Some(()),
        _ => None,
    });
    let mut victims: Vec<Owned> =
        (1..=TIMERS).map(|n| Part::Timer(libc::CLOCK_MONOTONIC, n * 20_000_000 + n * n * 1_000).start()).collect();
    for victim in &mut victims {
        assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
    }
    let seen: Vec<Incident> = victims.iter().map(|victim| tracer.incident(victim.pid())).filter(is_signal).collect();
    assert!(seen.len() > victims.len() / 2, "{} seen", seen.len());
    for incident in &seen {
        is_the_kernels(incident, Cause::Timer, SignalPath::PosixTimer);
    }
}

/// A process group that goes with it.
struct Group(Owned);

impl Drop for Group {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.0.pid() as i32);
        _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    }
}

/// Whoever sends the message has nothing to do with what the receiver asked for.
fn message_queue() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut tracer = Tracer::start(&[]);
    let number = std::process::id() * 8 + NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = queue(number);
    // SAFETY: the name lives until the calls are over; the queue's name goes with this scenario.
    let sent_to = unsafe {
        let none = std::ptr::null::<libc::mq_attr>();
        let made = libc::mq_open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600, none);
        assert!(made >= 0, "{}", std::io::Error::last_os_error());
        made
    };
    let victim = Part::Queue(number).start();
    // Only one process may ask for a queue's notification: this one is refused as soon as the other has.
    wait_until("the victim waits for a message", || {
        // SAFETY: zeroes are a value of each field, and SIGEV_NONE is one of them: nothing would come of it.
        let mut nothing: libc::sigevent = unsafe { std::mem::zeroed() };
        nothing.sigev_notify = libc::SIGEV_NONE;
        // SAFETY: the event lives until the calls are over.
        unsafe {
            let refused = libc::mq_notify(sent_to, &raw const nothing) != 0;
            if !refused {
                libc::mq_notify(sent_to, std::ptr::null());
            }
            refused
        }
    });
    // SAFETY: one byte of a text that stays.
    unsafe {
        assert_eq!(libc::mq_send(sent_to, c"x".as_ptr(), 1, 0), 0, "{}", std::io::Error::last_os_error());
        libc::mq_close(sent_to);
        libc::mq_unlink(name.as_ptr());
    }
    let incident = tracer.incident(victim.pid());
    is_the_kernels(&incident, Cause::OtherKernel, SignalPath::MessageQueue);
    let verdict = incident.verdict.unwrap();
    assert!(verdict.summary.contains("mq_notify"), "{}", verdict.summary);
    let me = format!("[{}] sent a message", std::process::id());
    assert!(verdict.evidence.iter().any(|e| e.fact.contains(&me)), "{:?}", verdict.evidence);
}

/// Whoever writes into a socket has nothing to do with what its other end was set to.
fn set_to_kill() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = Part::Async.start();
    victim.wait();
    let incident = tracer.incident(victim.pid());
    is_the_kernels(&incident, Cause::OtherKernel, SignalPath::AsyncIo);
    assert!(incident.verdict.unwrap().summary.contains("F_SETSIG"));
}

fn exit_signal() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = Part::ExitSignal.start();
    victim.wait();
    let incident = tracer.incident(victim.pid());
    is_the_kernels(&incident, Cause::OtherKernel, SignalPath::OtherKernel);
    assert!(incident.verdict.unwrap().summary.contains("exit signal"));
}

fn rttime() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = Part::RealTime.start();
    victim.wait();
    is_the_kernels(&tracer.incident(victim.pid()), Cause::RlimitRttime, SignalPath::RlimitRttime);
}

/// Sends SIGKILL with a siginfo that says what it likes.
fn send_with(code: i32, victim: u32) {
    // struct siginfo on 64 bits: number, errno, code, and what a sender's pid and user id are at.
    let mut info = [0_i32; 32];
    (info[0], info[2], info[4], info[5]) = (libc::SIGKILL, code, 1, 4242);
    // SAFETY: the siginfo is as large as the kernel reads, and the process is ours.
    let sent = unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, victim, libc::SIGKILL, info.as_ptr()) };
    assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
}

/// A sender that looks like a timer, a message queue or a descriptor is a sender.
fn forged() {
    let mut tracer = Tracer::start(&[]);
    for code in [-1, -2, -3, -4, -5, -60] {
        let victim = Owned::sleeper();
        send_with(code, victim.pid());
        let incident = tracer.incident(victim.pid());
        truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
        assert_eq!(incident.signal.path, Some(SignalPath::RtSigqueueinfo), "{code}");
        assert_eq!(incident.sender.process.map(|sender| sender.pid), Some(std::process::id()), "{code}");
    }
}

/// Where the kernel shows no names, only the kernel's own siginfo proves a sender.
fn without_names() {
    let mut tracer = Tracer::start_as(&[], |command| {
        // CAP_SYSLOG (include/uapi/linux/capability.h).
        const SYSLOG: libc::c_int = 34;
        // SAFETY: prctl is async-signal-safe, and takes integers only.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_CAPBSET_DROP, SYSLOG, 0, 0, 0);
                Ok(())
            });
        }
    });
    let missing = tracer.ready.missing.iter().any(|missing| missing.contains("names of kernel functions"));
    assert!(missing, "{:?}", tracer.ready.missing);
    let _busy = Part::Calls(Call::Kill).start();
    for _ in 0..6 {
        let incident = killed_by_timer(&mut tracer, libc::CLOCK_MONOTONIC);
        truth::is(&incident, Cause::Timer, Confidence::Possible);
        assert_eq!((incident.sender.process, incident.attribution), (None, Attribution::Partial));
    }
    let mut victim = Part::Async.start();
    victim.wait();
    assert_eq!(tracer.incident(victim.pid()).verdict.unwrap().confidence, Confidence::Possible);
    // Nobody is accused, and nobody cleared.
    let victim = Owned::sleeper();
    send_with(-2, victim.pid());
    assert_eq!(tracer.incident(victim.pid()).verdict.unwrap().confidence, Confidence::Possible);
    let victim = Owned::sleeper();
    victim.kill(nix::sys::signal::Signal::SIGKILL);
    let incident = tracer.incident(victim.pid());
    // On 7.3 kill(2) has no siginfo.
    let is_proven = incident.signal.code.is_some();
    truth::is(&incident, Cause::ProcessKill, if is_proven { Confidence::Certain } else { Confidence::Possible });
    assert_eq!(incident.sender.process.map(|sender| sender.pid), Some(std::process::id()));
}

/// SIGHUP asks nothing to stop, where the image does not say so.
fn no_stop_signal() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "trap : HUP; while :; do sleep 1; done");
    run(docker().args(["kill", "--signal", "HUP", &container.name]));
    run(docker().args(["kill", &container.name]));
    let incident = tracer.incident_in(&container.name);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    // It is said, and no more.
    assert_eq!(incident.preceding.first().map(|earlier| earlier.signal), Some(1));
    let container = Container::run(&["--stop-signal", "HUP"], "trap : HUP; while :; do sleep 1; done");
    run(docker().args(["stop", "--time", "1", &container.name]));
    let incident = tracer.incident_in(&container.name);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    let described = incident.container.unwrap();
    assert_eq!((described.stop_signal.as_deref(), described.stop_timeout_s), (Some("HUP"), Some(10)));
}

/// A container that sends its own first process stop signals hides no request of the runtime's.
fn stop_signal_flood() {
    let mut tracer = Tracer::start(&[]);
    // The flood begins when the request has come.
    let flood = "trap 'i=0; while [ $i -lt 40 ]; do kill -QUIT 1; i=$((i+1)); done; touch /done' TERM; trap : QUIT; \
                 while :; do sleep 1; done";
    let container = Container::run(&[], flood);
    run(docker().args(["stop", "--time", "2", &container.name]));
    let incident = tracer.incident_in(&container.name);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    let verdict = incident.verdict.unwrap();
    assert!(verdict.summary.contains("after SIGTERM"), "{}", verdict.summary);
}

/// timeout(1) kills by the limit that it was given, and not by one that it was not; what only has its name says nothing.
fn told_timeout() {
    let mut tracer = Tracer::start(&[]);
    let stubborn = ["sh", "-c", "trap '' TERM; exec sleep 1000"];
    let sleeper = ["sleep", "1000"];
    for (options, command, said) in [
        (&["-s", "KILL", "0.1"][..], &sleeper[..], Some("says when it kills: /usr/bin/timeout -s KILL 0.1 sleep 1000")),
        (&["-vk", "0.1", "0.1"], &stubborn, Some("says when it kills: /usr/bin/timeout -vk 0.1 0.1 sh")),
        (
            &["--foreground", "--kill=0.2", "--", "0.1"],
            &stubborn,
            Some("says when it kills: /usr/bin/timeout --foreground --kill=0.2 -- 0.1 sh"),
        ),
    ] {
        let evidence = evidence_of(&mut tracer, "/usr/bin/timeout", options, command);
        assert!(evidence.contains(said.unwrap()), "{evidence}");
    }
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("timeout");
    std::fs::copy("/usr/bin/timeout", &own).unwrap();
    let evidence = evidence_of(&mut tracer, own.to_str().unwrap(), &["-s", "KILL", "0.1"], &sleeper);
    assert!(!evidence.contains("says when it kills"), "{evidence}");
}

/// What is said of the kill of the command that this timeout runs.
fn evidence_of(tracer: &mut Tracer, program: &str, options: &[&str], command: &[&str]) -> String {
    // A process group of its own: timeout kills all of its own group.
    let parent = Owned::spawn(Command::new(program).args(options).args(command).process_group(0));
    let incident = tracer.wait("the kill of a command", |record| match record {
        Record::Incident(incident) if incident.victim.process.ppid == Some(parent.pid()) => Some(incident.clone()),
        _ => None,
    });
    assert_eq!(incident.sender.process.as_ref().map(|sender| sender.pid), Some(parent.pid()));
    let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    verdict.evidence.iter().map(|evidence| format!("{}\n", evidence.fact)).collect()
}
