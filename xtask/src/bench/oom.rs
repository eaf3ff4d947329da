//! What an OOM kill costs at `mark_victim`: real ones, in a memory cgroup of this bench's own.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::counters::{self, Counters, Counting};
use super::peers::Peer;
use super::watching::{NO_CONTAINERS, Watching};
use super::{Tools, run_kills};

/// OOM kills, one after the other.
pub const KILLS: u64 = 200;
const LIMIT: &str = "8388608";

/// One program's cost at `mark_victim`, in nanoseconds a run.
pub struct Cost {
    pub name: &'static str,
    pub ns: f64,
}

pub fn measure(tools: &Tools) -> Result<Vec<Cost>> {
    let _counting = Counting::start()?;
    let cgroup = Limited::make()?;
    let oomtrace = Watching::settled(&tools.oomtrace, NO_CONTAINERS.as_ref())?;
    let own = cost(tools, &cgroup, "oomtrace", || counters::of(oomtrace.pid(), "mark_victim"))?;
    drop(oomtrace);
    let peer = Peer::bpftrace(tools)?;
    let its = cost(tools, &cgroup, peer.name, || counters::of(peer.pid(), "mark_victim"))?;
    Ok(vec![own, its])
}

fn cost(tools: &Tools, cgroup: &Limited, name: &'static str, read: impl Fn() -> Result<Counters>) -> Result<Cost> {
    let before = read()?;
    run_kills(tools, &["oom", &KILLS.to_string(), &cgroup.0.display().to_string()])?;
    let all = read()?.since(before);
    Ok(Cost { name, ns: all.run_ns as f64 / all.runs.max(1) as f64 })
}

/// A memory cgroup with a small limit; removed when it goes out of scope.
struct Limited(PathBuf);

impl Limited {
    fn make() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
        let mount = |is: fn(&str, &str) -> bool| {
            mounts.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                let [_, path, kind, options, ..] = fields[..] else { return None };
                is(kind, options).then(|| PathBuf::from(path))
            })
        };
        let v1 = mount(|kind, options| kind == "cgroup" && options.split(',').any(|option| option == "memory"));
        let file = if v1.is_some() { "memory.limit_in_bytes" } else { "memory.max" };
        let root = v1.or_else(|| mount(|kind, _| kind == "cgroup2")).context("no cgroup hierarchy is mounted")?;
        let cgroup = Self(root.join(format!("oomtrace-bench-{}", std::process::id())));
        fs::create_dir(&cgroup.0).context("cannot make a cgroup")?;
        fs::write(cgroup.0.join(file), LIMIT).context("cannot limit a cgroup's memory")?;
        Ok(cgroup)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        _ = fs::remove_dir(&self.0);
    }
}
