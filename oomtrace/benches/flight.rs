//! What following memory costs: `cargo bench -p oomtrace --bench flight`, as root. Makes cgroups that are called as containers', has some of
//! them use memory, and reads the processor time of the one thread that follows them from the kernel's own accounting.
//!
//! Arguments: seconds to measure (120 by default).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on fails by panicking, and prints what it found"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oomtrace::node::cgroups;
use oomtrace::own::descriptors;
use oomtrace::run::flight::FlightRecorder;

/// Names the role of a process that uses memory and gives it back.
const MOVES: &str = "OOMTRACE_BENCH_MOVES";

fn main() {
    if std::env::var_os(MOVES).is_some() {
        return moves();
    }
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(120);
    descriptors::raise();
    println!("| cgroups | of them busy | processor, % of a core | wake-ups/s | readings/s | bytes each |");
    println!("|---|---|---|---|---|---|");
    for (count, busy) in [(0, 0), (100, 0), (1000, 0), (100, 100), (1000, 200)] {
        measure(count, busy, Duration::from_secs(seconds));
    }
}

fn measure(count: usize, busy: usize, time: Duration) {
    let crowd = Crowd::make(count, busy);
    let others = FlightRecorder::start(None).unwrap();
    // What the machine has besides is followed as well.
    let started = Instant::now();
    while others.rows().unwrap().iter().filter(|row| row.cgroup.contains(&crowd.name)).count() < count {
        assert!(started.elapsed() < Duration::from_secs(120), "not all are followed");
        std::thread::sleep(Duration::from_millis(100));
    }
    // What has just begun is looked at more often.
    std::thread::sleep(Duration::from_secs(75));
    let (cpu, before, began) = (ran(), others.seen(), Instant::now());
    std::thread::sleep(time);
    let (cpu, after, took) = (ran() - cpu, others.seen(), began.elapsed().as_secs_f64());
    println!(
        "| {} | {busy} | {:.4} | {:.2} | {:.1} | {} |",
        after.cgroups,
        cpu as f64 / 1e9 / took * 100.0,
        (after.wakes - before.wakes) as f64 / took,
        (after.readings - before.readings) as f64 / took,
        after.bytes / after.cgroups.max(1)
    );
}

/// Nanoseconds that the thread has run (Documentation/scheduler/sched-stats.rst).
fn ran() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let is_it = |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == "flight");
    let thread = tasks.map(|task| task.path()).find(is_it).expect("the thread is there");
    fs::read_to_string(thread.join("schedstat")).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// Cgroups below one of the benchmark's own; removed when it goes out of scope.
struct Crowd {
    root: PathBuf,
    name: String,
    processes: Vec<Child>,
}

impl Crowd {
    fn make(count: usize, busy: usize) -> Self {
        let hierarchies = cgroups::hierarchies().unwrap();
        let mount = &cgroups::memory(&hierarchies).expect("a memory controller").mount;
        let name = format!("oomtrace-bench-{}", std::process::id());
        let root = mount.join(&name);
        fs::create_dir(&root).expect("this takes root");
        let mut crowd = Self { root, name, processes: Vec::new() };
        // v2.
        for dir in [mount.as_path(), &crowd.root] {
            _ = fs::write(dir.join("cgroup.subtree_control"), "+memory");
        }
        for number in 0..count {
            let own = crowd.root.join(format!("docker-{number:064x}.scope"));
            fs::create_dir(&own).unwrap();
            let limit = if own.join("memory.max").exists() { "memory.max" } else { "memory.limit_in_bytes" };
            fs::write(own.join(limit), "67108864").unwrap();
            if number < busy {
                crowd.processes.push(start(&own));
            }
        }
        crowd
    }
}

fn start(cgroup: &Path) -> Child {
    let me = std::env::current_exe().unwrap();
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\"", cgroup.display());
    let mut command = Command::new("sh");
    command.args(["-c", &enter]).arg(me).env(MOVES, "1").stdin(Stdio::null());
    command.spawn().unwrap()
}

/// Up to 8 MiB more, for some seconds each.
fn moves() {
    let mut mib = 1;
    loop {
        let block = vec![1_u8; mib << 20];
        std::thread::sleep(Duration::from_secs(3));
        drop(std::hint::black_box(block));
        mib = mib % 8 + 1;
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for process in &mut self.processes {
            _ = process.kill();
            _ = process.wait();
        }
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
            _ = fs::remove_dir(entry.path());
        }
        _ = fs::remove_dir(&self.root);
    }
}
