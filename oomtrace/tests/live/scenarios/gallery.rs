//! The situations of docs/gallery.md, made anew and recorded: only where they are asked for, by `cargo xtask gallery --record`.
//!
//! They change the machine that they run on (slices, settings of systemd-oomd), which is a virtual one.

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use oomtrace::model::Record;
use xtask::situations::{SCENARIOS, Situation, Source, all};

use crate::Scenario;
use crate::support::needs::Need::{self, Busybox, Docker, OwnMachine, Podman, Systemd, Tracing};
use crate::support::process::run;
use crate::support::tracer::Tracer;
use crate::support::truth;

const NEEDS: &[Need] = &[Need::Alone, Tracing, Systemd, OwnMachine, Docker, Podman, Busybox];
/// On an emulated machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Records of a situation come so long after its last kill.
const LATER: Duration = Duration::from_secs(2);
/// Images that all are the same busybox, whose names say what they stand for.
const IMAGES: [&str; 14] = [
    "shop/web:1.4",
    "shop/api:2.0",
    "shop/cache:1",
    "shop/worker:3",
    "shop/pool:1",
    "shop/job:7",
    "shop/search:2",
    "shop/store:1",
    "shop/orders:5",
    "shop/queue:1",
    "shop/updater:1",
    "shop/site:1",
    "shop/agent:1",
    "shop/base:1",
];
/// Makes them. Programs of the machine's own are mounted at /usr where a container needs them.
const MAKE_IMAGES: &str = "\
set -e
mkdir -p /tmp/gallery-image/bin /tmp/gallery-image/tmp
cp /bin/busybox /tmp/gallery-image/bin/busybox
for name in sh sleep tail head kill true dd cat seq pgrep; do ln -sf busybox /tmp/gallery-image/bin/$name; done
for name in lib lib64; do ln -sfn usr/$name /tmp/gallery-image/$name; done
tar -C /tmp/gallery-image -cf /tmp/gallery-image.tar .
docker import /tmp/gallery-image.tar shop/base:1
podman import /tmp/gallery-image.tar localhost/shop/web:1.4";
/// Ends what a situation leaves.
const CLEAN: &str = "\
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force
podman rm --all --force --time 0
for unit in report index mailer exporter thumbnails; do systemctl stop $unit.service; systemctl reset-failed $unit.service; done
for name in earlyoom sleep dd; do ps -C $name -o pid= | xargs --no-run-if-empty kill -9; done
[ ! -d /sys/fs/cgroup/jobs ] || { echo 1 > /sys/fs/cgroup/jobs/cgroup.kill; sleep 0.2; rmdir /sys/fs/cgroup/jobs; }
true";

/// A scenario for each that is made for the page.
pub fn scenarios() -> Vec<Scenario> {
    let own = all().filter(|situation| situation.source == Source::Own);
    let scenario = |situation: &Situation| {
        // There are a few, and they live as long as the process.
        let name: &'static str = Box::leak(format!("{SCENARIOS}{}", situation.name).into_boxed_str());
        Scenario { name, needs: NEEDS, run: play }
    };
    own.map(scenario).collect()
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]).stdin(Stdio::null()).current_dir("/root");
    command
}

fn ensure_images() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        run(&mut shell(MAKE_IMAGES));
        for image in IMAGES.iter().filter(|image| **image != "shop/base:1") {
            run(Command::new("docker").args(["tag", "shop/base:1", image]));
        }
    });
}

struct Cleaned;

impl Drop for Cleaned {
    fn drop(&mut self) {
        _ = shell(CLEAN).output();
    }
}

fn play() {
    let name = truth::scenario().strip_prefix(SCENARIOS).unwrap();
    let situation = all().find(|situation| situation.name == name).unwrap();
    ensure_images();
    // What had these names before must not be chosen by the OOM killer, nor these tests.
    std::fs::write("/proc/self/oom_score_adj", "-1000").unwrap();
    let _cleaned = Cleaned;
    if !situation.before.is_empty() {
        let mut before = shell(&format!("echo 0 > /proc/self/oom_score_adj\n{}", situation.before));
        // What it leaves running would hold a pipe open.
        assert!(before.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "{}", situation.before);
    }
    let mut tracer = Tracer::start(&[]);
    tracer.wait_until_settled();
    // In a session of its own, so that systemd is its parent and not these tests.
    let file = format!("/tmp/gallery-{name}");
    std::fs::write(&file, format!("echo 0 > /proc/self/oom_score_adj\n{}\n", situation.made)).unwrap();
    let log = std::fs::File::create(format!("{file}.log")).unwrap();
    let mut start = Command::new("setsid");
    start.args(["--fork", "bash", &file]).current_dir("/root").env("TERM", "xterm");
    start.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    assert!(start.status().unwrap().success());
    for (cause, number) in situation.is {
        wait_for(&mut tracer, cause, *number);
    }
    if let Some(kind) = situation.also {
        let found = tracer.wait_within(kind, PATIENCE, |record| (kind_of(record) == kind).then_some(()));
        assert!(found.is_some(), "no {kind}; seen {:#?}", tracer.seen);
    }
    // What a runtime is asked late, or says later, belongs to it.
    std::thread::sleep(LATER);
    let ended = tracer.end();
    // On an emulated machine that starves, it may not have ended in time; what is wanted came all the same.
    assert!(ended.status.success() || ended.stderr.contains("in time"), "{}", ended.stderr);
}

/// What a record's line says of itself first.
fn kind_of(record: &Record) -> String {
    serde_json::to_value(record).unwrap()["type"].as_str().unwrap().to_owned()
}

fn wait_for(tracer: &mut Tracer, cause: &str, number: usize) {
    let seen = Cell::new(0);
    let found = tracer.wait_within(cause, PATIENCE, |record| {
        let is_like = matches!(record, Record::Incident(incident) if truth::cause(incident) == cause);
        seen.set(seen.get() + usize::from(is_like));
        (seen.get() >= number).then_some(())
    });
    assert!(found.is_some(), "{} of {number} × {cause}; seen {:#?}", seen.get(), tracer.seen);
}
