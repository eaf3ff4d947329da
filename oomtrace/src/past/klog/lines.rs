//! The lines of an OOM report, one by one: what each says, in the forms of 3.10 to 7.3 (`mm/oom_kill.c`, `mm/memcontrol.c`,
//! `mm/memcontrol-v1.c`, `lib/dump_stack.c`).
//!
//! Names of processes and cgroups are within these lines as whoever chose them wrote them. What the kernel itself writes stands at a line's
//! start and at its end, and is looked for from there; a name that could be read in two ways is not read at all.

/// Bytes of a process's name (TASK_COMM_LEN, less its end).
pub const COMM: usize = 15;
/// The kernel writes "no limit" of a page counter in KiB so, with pages of 4 KiB or more (PAGE_COUNTER_MAX).
const NO_LIMIT_KIB: u64 = 1 << 52;

/// What the summary begins with: longer than a process's name, which other lines of the kernel's begin with.
pub const CONSTRAINT: &str = "constraint=CONSTRAINT_";

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A report begins: who ran into the limit, and by which allocation.
    Invoked {
        comm: &'a str,
        gfp: &'a str,
        order: i32,
    },
    /// Whose context it is.
    Context {
        pid: u32,
        comm: &'a str,
    },
    /// A counter of the cgroup whose limit was hit.
    Counter {
        which: Counter,
        usage_bytes: u64,
        limit_bytes: Option<u64>,
    },
    /// memory.stat of that cgroup follows, or (to 4.20) stands here.
    StatOf {
        path: &'a str,
        inline: &'a str,
    },
    /// The header of the table of tasks.
    Table(Vec<&'a str>),
    /// The victim, what ran out, and whose limit it was (4.20, ef8444ea01d7).
    Summary(&'a str),
    /// The same before: `Task in A killed as a result of limit of B`.
    TaskIn(&'a str),
    /// `Memory cgroup out of memory: Kill process 24572 (java) score 0 or sacrifice child`, before 5.0: what ran out. A child of it may be
    /// killed in its place.
    Chosen {
        in_memcg: bool,
    },
    /// `327544 pages RAM`: the machine's, where that ran out.
    HostPages(u64),
    /// Everything in a cgroup is killed with it (memory.oom.group).
    Group {
        path: &'a str,
    },
    /// A process was killed.
    Killed(Killed<'a>),
    /// So many reports were left out: the kernel writes ten in five seconds (DEFAULT_RATELIMIT_BURST).
    Suppressed(u64),
    /// So many records were lost before they were written.
    Dropped(u64),
    Other,
}

/// A counter of a memory cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    Memory,
    /// v2.
    Swap,
    /// v1: memory and swap together.
    MemoryAndSwap,
    /// v1: the kernel's own.
    Kernel,
}

/// `Killed process 9881 (tail) total-vm:27076kB, anon-rss:24192kB, …`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Killed<'a> {
    pub pid: u32,
    pub comm: &'a str,
    /// A memory cgroup ran out. None: this line does not say (before 5.0, where the line before it does).
    pub in_memcg: Option<bool>,
    pub uid: Option<u32>,
    pub total_vm_bytes: u64,
    pub anon_bytes: u64,
    pub file_bytes: u64,
    /// 4.4.
    pub shmem_bytes: Option<u64>,
    /// 5.4.
    pub page_tables_bytes: Option<u64>,
    pub oom_score_adj: Option<i32>,
}

/// What a line says.
#[must_use]
pub fn read(text: &str) -> Line<'_> {
    // From the lines that are alike in every report, to those that any line might be.
    invoked(text)
        .or_else(|| killed(text))
        .or_else(|| chosen(text))
        .or_else(|| text.strip_prefix("oom-kill:").filter(|text| text.starts_with(CONSTRAINT)).map(Line::Summary))
        .or_else(|| text.strip_prefix("Task in ").map(Line::TaskIn))
        .or_else(|| stat_of(text))
        .or_else(|| counter(text))
        .or_else(|| table(text))
        .or_else(|| group(text))
        .or_else(|| context(text))
        .or_else(|| numbered(text))
        .unwrap_or(Line::Other)
}

/// `tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`; with `nodemask=…,` before the order in 4.10 to 4.20.
fn invoked(text: &str) -> Option<Line<'_>> {
    let (comm, rest) = text.rsplit_once(" invoked oom-killer: gfp_mask=")?;
    let (rest, oom_score_adj) = rest.rsplit_once(", oom_score_adj=")?;
    let (gfp, order) = rest.rsplit_once("order=")?;
    let gfp = gfp.split(", nodemask=").next()?.trim_end_matches([',', ' ']);
    let gfp = gfp.split_once('(').and_then(|(_, names)| names.strip_suffix(')')).unwrap_or(gfp);
    is_comm(comm).then_some(())?;
    oom_score_adj.trim_end().parse::<i32>().ok()?;
    Some(Line::Invoked { comm, gfp, order: order.parse().ok()? })
}

/// `CPU: 1 UID: 12345 PID: 9881 Comm: tail Not tainted …` (lib/dump_stack.c; the UID since 6.11).
fn context(text: &str) -> Option<Line<'_>> {
    let rest = text.strip_prefix("CPU: ")?;
    // No name stands before the pid.
    let (before, rest) = rest.split_once("PID: ")?;
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    before.split_whitespace().all(|word| word == "UID:" || is_number(word)).then_some(())?;
    let (pid, rest) = rest.split_once(" Comm: ")?;
    let (comm, _) = [" Kdump: ", " Not tainted ", " Tainted: "].iter().find_map(|end| rest.split_once(end))?;
    is_comm(comm).then_some(())?;
    Some(Line::Context { pid: pid.parse().ok()?, comm })
}

/// `memory: usage 24576kB, limit 24576kB, failcnt 31`.
fn counter(text: &str) -> Option<Line<'_>> {
    let (which, rest) = text.split_once(": usage ")?;
    let which = match which {
        "memory" => Counter::Memory,
        "swap" => Counter::Swap,
        "memory+swap" => Counter::MemoryAndSwap,
        "kmem" => Counter::Kernel,
        _ => return None,
    };
    let (usage, rest) = rest.split_once("kB, limit ")?;
    let (limit, _) = rest.split_once("kB, failcnt ")?;
    let limit: u64 = limit.parse().ok()?;
    let limit_bytes = (limit < NO_LIMIT_KIB).then_some(limit << 10);
    Some(Line::Counter { which, usage_bytes: kib(usage)?, limit_bytes })
}

/// `Memory cgroup stats for /docker/6c26…:`, and before 5.3 (c8713d0b2312) the figures behind it.
fn stat_of(text: &str) -> Option<Line<'_>> {
    let rest = text.strip_prefix("Memory cgroup stats for ")?;
    if let Some(path) = rest.strip_suffix(':') {
        return path.starts_with('/').then_some(Line::StatOf { path, inline: "" });
    }
    let (path, inline) = rest.rsplit_once(": cache:")?;
    path.starts_with('/').then_some(Line::StatOf { path, inline })
}

/// `[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name`: the columns behind the first.
fn table(text: &str) -> Option<Line<'_>> {
    let (first, columns) = text.strip_prefix('[')?.split_once(']')?;
    let columns: Vec<&str> = columns.split_whitespace().collect();
    (first.trim() == "pid" && columns.last() == Some(&"name")).then_some(Line::Table(columns))
}

/// `Tasks in /a are going to be killed due to memory.oom.group set` (4.19).
fn group(text: &str) -> Option<Line<'_>> {
    let path = text.strip_prefix("Tasks in ")?.strip_suffix(" are going to be killed due to memory.oom.group set")?;
    path.starts_with('/').then_some(Line::Group { path })
}

/// `327544 pages RAM`, `oom_kill_process: 12 callbacks suppressed`, `** 12 printk messages dropped **`.
fn numbered(text: &str) -> Option<Line<'_>> {
    if let Some(pages) = text.strip_suffix(" pages RAM") {
        return Some(Line::HostPages(pages.parse().ok()?));
    }
    if let Some(rest) = text.strip_prefix("** ") {
        return Some(Line::Dropped(rest.strip_suffix(" printk messages dropped **")?.parse().ok()?));
    }
    let (function, count) = text.strip_suffix(" callbacks suppressed")?.split_once(": ")?;
    matches!(function, "oom_kill_process" | "__oom_kill_process" | "dump_header").then_some(())?;
    Some(Line::Suppressed(count.parse().ok()?))
}

/// `Memory cgroup out of memory: Killed process 9881 (tail) total-vm:27076kB, …`.
fn killed(text: &str) -> Option<Line<'_>> {
    // The name may hold what stands before it in other lines: the kernel's own words stand at the start.
    let starts = [
        ("Memory cgroup out of memory: Killed process ", Some(true)),
        ("Out of memory: Killed process ", Some(false)),
        ("Out of memory (oom_kill_allocating_task): Killed process ", Some(false)),
        ("Killed process ", None),
    ];
    let (rest, in_memcg) = starts.iter().find_map(|(start, memcg)| Some((text.strip_prefix(start)?, *memcg)))?;
    let (pid, rest) = rest.split_once(" (")?;
    let (named, sizes) = rest.rsplit_once("total-vm:")?;
    let named = named.trim_end();
    // Red Hat's 3.10 has the user behind the name.
    let user = named.strip_suffix(',').and_then(|named| named.rsplit_once("), UID "));
    let (comm, user) = match user {
        Some((comm, uid)) => (comm, Some(uid.parse().ok()?)),
        None => (named.strip_suffix(')')?, None),
    };
    is_comm(comm).then_some(())?;
    let figure = |name: &str| kib(sizes.split_once(name)?.1.split_once("kB")?.0);
    let number = |name: &str| sizes.split_once(name)?.1.split([' ', ',']).next();
    Some(Line::Killed(Killed {
        pid: pid.parse().ok()?,
        comm,
        in_memcg,
        uid: user.or_else(|| number("UID:")?.parse().ok()),
        total_vm_bytes: kib(sizes.split_once("kB")?.0)?,
        anon_bytes: figure("anon-rss:")?,
        file_bytes: figure("file-rss:")?,
        shmem_bytes: figure("shmem-rss:"),
        page_tables_bytes: figure("pgtables:"),
        oom_score_adj: number("oom_score_adj:").and_then(|number| number.trim_end().parse().ok()),
    }))
}

fn chosen(text: &str) -> Option<Line<'_>> {
    let starts = [("Memory cgroup out of memory: Kill process ", true), ("Out of memory: Kill process ", false)];
    let (rest, in_memcg) = starts.iter().find_map(|(start, memcg)| Some((text.strip_prefix(start)?, *memcg)))?;
    let (_, end) = rest.rsplit_once(") score ")?;
    let score = end.split(' ').next()?;
    score.parse::<u64>().ok().map(|_| Line::Chosen { in_memcg })
}

fn kib(number: &str) -> Option<u64> {
    number.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// It may be a process's name. One that is longer is no name of the kernel's, and what it stands in is no line of an OOM report.
#[must_use]
pub fn is_comm(name: &str) -> bool {
    // A byte that is no UTF-8 has become a character of three.
    name.chars().map(|c| if c == '\u{fffd}' { 1 } else { c.len_utf8() }).sum::<usize>() <= COMM
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn who_ran_into_it() {
        for (text, comm, gfp, order) in [
            ("tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", "tail", "GFP_KERNEL", 0),
            ("java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=-998", "java", "0xd0", 0),
            (
                "mem invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null),  order=0, oom_score_adj=0",
                "mem",
                "GFP_HIGHUSER_MOVABLE",
                0,
            ),
            (
                "kworker/u4:2 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0",
                "kworker/u4:2",
                "GFP_KERNEL",
                -1,
            ),
            (
                "x invoked oom-k invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=3, oom_score_adj=0",
                "x invoked oom-k",
                "GFP_KERNEL",
                3,
            ),
        ] {
            let expected = Line::Invoked { comm, gfp, order };
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn who_was_killed() {
        for (text, expected) in [
            (
                "Memory cgroup out of memory: Killed process 9881 (tail) total-vm:27076kB, anon-rss:24192kB, file-rss:1604kB, \
                 shmem-rss:0kB, UID:12345 pgtables:92kB oom_score_adj:-5",
                Killed {
                    pid: 9881,
                    comm: "tail",
                    in_memcg: Some(true),
                    uid: Some(12345),
                    total_vm_bytes: 27076 << 10,
                    anon_bytes: 24192 << 10,
                    file_bytes: 1604 << 10,
                    shmem_bytes: Some(0),
                    page_tables_bytes: Some(92 << 10),
                    oom_score_adj: Some(-5),
                },
            ),
            (
                "Memory cgroup out of memory: Killed process 15617 (python3) total-vm:11892kB, anon-rss:4292kB, file-rss:3428kB, shmem-rss:0kB",
                Killed {
                    pid: 15617,
                    comm: "python3",
                    in_memcg: Some(true),
                    total_vm_bytes: 11892 << 10,
                    anon_bytes: 4292 << 10,
                    file_bytes: 3428 << 10,
                    shmem_bytes: Some(0),
                    ..Killed::default()
                },
            ),
            (
                "Killed process 28438 (java) total-vm:20255636kB, anon-rss:466160kB, file-rss:13684kB",
                Killed {
                    pid: 28438,
                    comm: "java",
                    total_vm_bytes: 20_255_636 << 10,
                    anon_bytes: 466_160 << 10,
                    file_bytes: 13684 << 10,
                    ..Killed::default()
                },
            ),
            (
                "Killed process 18177 (palo_be), UID 7, total-vm:70347780kB, anon-rss:45563572kB, file-rss:0kB, shmem-rss:0kB",
                Killed {
                    pid: 18177,
                    comm: "palo_be",
                    uid: Some(7),
                    total_vm_bytes: 70_347_780 << 10,
                    anon_bytes: 45_563_572 << 10,
                    shmem_bytes: Some(0),
                    ..Killed::default()
                },
            ),
            // A name that would be another line's end.
            (
                "Out of memory: Killed process 7 (x) total-vm:1kB) total-vm:1024kB, anon-rss:512kB, file-rss:0kB, shmem-rss:0kB, UID:0 \
                 pgtables:4kB oom_score_adj:0",
                Killed {
                    pid: 7,
                    comm: "x) total-vm:1kB",
                    in_memcg: Some(false),
                    uid: Some(0),
                    total_vm_bytes: MIB,
                    anon_bytes: 512 << 10,
                    shmem_bytes: Some(0),
                    page_tables_bytes: Some(4096),
                    oom_score_adj: Some(0),
                    ..Killed::default()
                },
            ),
        ] {
            assert_eq!(read(text), Line::Killed(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_line_of_the_kernels_is_none() {
        for text in [
            "",
            "Memory cgroup out of memory: Killed process 1 (a name that is too long) total-vm:1kB, anon-rss:1kB, file-rss:0kB",
            "a name that is too long invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0",
            "x invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=none",
            "x: Killed process 1 (init) total-vm:1kB, anon-rss:1kB, file-rss:0kB",
            "oom-kill:x[99]: segfault at 0 ip 00005555 sp 00007ffe error 4 in x[5555+1000]",
            "oom_reaper: reaped process 9881 (tail), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
            "net_ratelimit: 12 callbacks suppressed",
            "CPU: 1 PID: x Comm: tail Not tainted 6.1",
            "Memory cgroup stats for me:",
            "memory: usage kB, limit 1kB, failcnt 0",
        ] {
            assert_eq!(read(text), Line::Other, "{text}");
        }
    }

    #[test]
    fn the_rest() {
        let counter = |which, usage_bytes, limit_bytes| Line::Counter { which, usage_bytes, limit_bytes };
        for (text, expected) in [
            ("memory: usage 24576kB, limit 24576kB, failcnt 31", counter(Counter::Memory, 24 * MIB, Some(24 * MIB))),
            (
                "memory+swap: usage 1024kB, limit 9007199254740988kB, failcnt 0",
                counter(Counter::MemoryAndSwap, MIB, None),
            ),
            ("swap: usage 0kB, limit 0kB, failcnt 0", counter(Counter::Swap, 0, Some(0))),
            ("Memory cgroup stats for /a b:", Line::StatOf { path: "/a b", inline: "" }),
            (
                "Memory cgroup stats for /a: cache:: cache:32KB rss:4KB",
                Line::StatOf { path: "/a: cache:", inline: "32KB rss:4KB" },
            ),
            ("Tasks in /a are going to be killed due to memory.oom.group set", Line::Group { path: "/a" }),
            (
                "Memory cgroup out of memory: Kill process 24572 (java) score 0 or sacrifice child",
                Line::Chosen { in_memcg: true },
            ),
            ("Out of memory: Kill process 7 (a) score 912 or sacrifice child", Line::Chosen { in_memcg: false }),
            ("oom_kill_process: 12 callbacks suppressed", Line::Suppressed(12)),
            ("** 7 printk messages dropped **", Line::Dropped(7)),
            (
                "CPU: 1 UID: 12345 PID: 9881 Comm: tail Not tainted 6.18.44 #1 PREEMPT(none)",
                Line::Context { pid: 9881, comm: "tail" },
            ),
            (
                "CPU: 2 PID: 7 Comm: PID: 1 Comm: x Kdump: loaded Tainted: G T 3.10.0",
                Line::Context { pid: 7, comm: "PID: 1 Comm: x" },
            ),
            (
                "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
                Line::Table(vec!["uid", "tgid", "total_vm", "rss", "nr_ptes", "swapents", "oom_score_adj", "name"]),
            ),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
