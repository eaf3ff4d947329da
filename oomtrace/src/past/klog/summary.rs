//! The line that says whose limit was hit and where the victim lived. Its parts stand between words of the kernel's, and two of them are
//! paths, whose names users choose: where the line could be cut in two ways, it is not read.

use crate::filter::is_below;
use crate::past::klog::lines::{CONSTRAINT, is_comm};

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    None,
    Cpuset,
    MemoryPolicy,
    Memcg,
}

/// What the line says. None: it says nothing of it, or something that could be read in two ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub constraint: Option<Constraint>,
    /// The cgroup whose limit was hit.
    pub owner: Option<String>,
    /// The victim's memory cgroup.
    pub cgroup: Option<String>,
    pub pid: Option<u32>,
    pub uid: Option<u32>,
    /// A name in it could be read in two ways, as nobody's name that means no harm can.
    pub is_ambiguous: bool,
}

/// `constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=A,task_memcg=B,task=tail,pid=9881,uid=12345`
/// (`dump_oom_summary`, mm/oom_kill.c, and `mem_cgroup_print_oom_context`, mm/memcontrol.c). `owner`: A, where another line has it alone.
#[must_use]
pub fn summary(text: &str, owner: Option<&str>) -> Summary {
    let mut found = Summary::default();
    let Some(rest) = text.strip_prefix(CONSTRAINT) else { return found };
    found.constraint = match rest.split(',').next() {
        Some("NONE") => Some(Constraint::None),
        Some("CPUSET") => Some(Constraint::Cpuset),
        Some("MEMORY_POLICY") => Some(Constraint::MemoryPolicy),
        Some("MEMCG") => Some(Constraint::Memcg),
        _ => None,
    };
    // The last ones are the kernel's own: a name stands before them.
    let Some((rest, uid)) = rest.rsplit_once(",uid=") else { return found };
    let Some((rest, pid)) = rest.rsplit_once(",pid=") else { return found };
    (found.uid, found.pid) = (uid.trim_end().parse().ok(), pid.parse().ok());
    if found.uid.is_none() || found.pid.is_none() {
        return Summary { is_ambiguous: true, ..Summary::default() };
    }
    let mut all: Vec<(Option<&str>, &str)> = Vec::new();
    for (end, _) in rest.match_indices(",task=") {
        let (Some(head), Some(name)) = (rest.get(..end), rest.get(end + ",task=".len()..)) else { continue };
        if is_comm(name) {
            all.extend(paths(head, owner));
        }
    }
    all.dedup();
    match all.as_slice() {
        [(owner, cgroup)] => {
            found.owner = owner.map(str::to_owned);
            found.cgroup = Some((*cgroup).to_owned());
        }
        [] => {}
        _ => found.is_ambiguous = true,
    }
    found
}

/// Each way to read `…,oom_memcg=A,task_memcg=B` or `…,global_oom,task_memcg=B`.
fn paths<'a>(head: &'a str, known: Option<&str>) -> Vec<(Option<&'a str>, &'a str)> {
    const OWNER: &str = ",oom_memcg=";
    const CGROUP: &str = ",task_memcg=";
    const GLOBAL: &str = ",global_oom";
    let mut all = Vec::new();
    for (at, _) in head.match_indices(CGROUP) {
        let (Some(before), Some(cgroup)) = (head.get(..at), head.get(at + CGROUP.len()..)) else { continue };
        if !cgroup.starts_with('/') {
            continue;
        }
        if before.ends_with(GLOBAL) && known.is_none() {
            all.push((None, cgroup));
        }
        let owners = before.match_indices(OWNER).filter_map(|(at, _)| before.get(at + OWNER.len()..));
        let fits = |owner: &&str| known.is_none_or(|known| known == *owner) && is_within(cgroup, owner);
        all.extend(owners.filter(fits).map(|owner| (Some(owner), cgroup)));
    }
    all
}

/// `A killed as a result of limit of B`: the victim's memory cgroup, and the limit's owner (`mem_cgroup_print_oom_info`, to 4.20). None where
/// it could be read in two ways.
#[must_use]
pub fn task_in(text: &str) -> Option<(String, String)> {
    const BETWEEN: &str = " killed as a result of limit of ";
    let cut =
        text.match_indices(BETWEEN).filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + BETWEEN.len()..)?)));
    let mut fitting = cut.filter(|(cgroup, owner)| cgroup.starts_with('/') && is_within(cgroup, owner));
    match (fitting.next(), fitting.next()) {
        (Some((cgroup, owner)), None) => Some((cgroup.to_owned(), owner.to_owned())),
        _ => None,
    }
}

/// The cgroup is the owner, or below it: the only owners there are.
fn is_within(cgroup: &str, owner: &str) -> bool {
    owner.starts_with('/') && is_below(cgroup, owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &str) -> String {
        format!("constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,{paths},pid=9881,uid=7")
    }

    #[test]
    fn paths_are_read_where_there_is_one_way_to() {
        for (paths, known, owner, cgroup) in [
            ("oom_memcg=/a,task_memcg=/a/b,task=tail", None, Some("/a"), Some("/a/b")),
            ("oom_memcg=/a,task_memcg=/a,task=x,task=y", None, Some("/a"), Some("/a")),
            ("global_oom,task_memcg=/a/b,task=tail", None, None, Some("/a/b")),
            ("oom_memcg=/,task_memcg=/a,task=t", None, Some("/"), Some("/a")),
            // A cgroup that is called like the end of the line, and one like its middle.
            (
                "oom_memcg=/a,task_memcg=/a/x,task=y,pid=1,uid=0,task=z",
                None,
                Some("/a"),
                Some("/a/x,task=y,pid=1,uid=0"),
            ),
            ("oom_memcg=/a,task_memcg=/a,task_memcg=/a,task=t", None, None, None),
            ("oom_memcg=/a,task_memcg=/a,task_memcg=/a,task=t", Some("/a,task_memcg=/a"), None, None),
            (
                "oom_memcg=/e,oom_memcg=/e,task_memcg=/e,oom_memcg=/e/x,task=t",
                None,
                Some("/e,oom_memcg=/e"),
                Some("/e,oom_memcg=/e/x"),
            ),
            ("oom_memcg=/a,task_memcg=/a/b,task_memcg=/a,task_memcg=/a/b,task=t", None, None, None),
            (
                "oom_memcg=/a,task_memcg=/a/b,task_memcg=/a,task_memcg=/a/b,task=t",
                Some("/a"),
                Some("/a"),
                Some("/a/b,task_memcg=/a,task_memcg=/a/b"),
            ),
            // A name that could be the end of a path: which it is does not follow.
            ("oom_memcg=/a,task_memcg=/a/x,task=y,task=z", None, None, None),
            ("oom_memcg=/other,task_memcg=/a,task=t", None, None, None),
        ] {
            let found = summary(&of(paths), known);
            assert_eq!((found.owner.as_deref(), found.cgroup.as_deref()), (owner, cgroup), "{paths}");
            assert_eq!(
                (found.pid, found.uid, found.constraint),
                (Some(9881), Some(7), Some(Constraint::Memcg)),
                "{paths}"
            );
        }
        // A cpuset's name says nothing of memory cgroups, however it reads.
        let hostile = "constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/v,task_memcg=/v,task=a,mems_allowed=0,\
                       oom_memcg=/e,task_memcg=/e,task=t,pid=9,uid=7";
        assert_eq!(summary(hostile, Some("/e")).cgroup.as_deref(), Some("/e"));
    }

    #[test]
    fn the_older_form() {
        for (text, expected) in [
            ("/a/b killed as a result of limit of /a", Some(("/a/b", "/a"))),
            ("/a killed as a result of limit of /a", Some(("/a", "/a"))),
            ("/a killed as a result of limit of /b", None),
            ("/a killed as a result of limit of /a killed as a result of limit of /a", None),
        ] {
            let expected = expected.map(|(cgroup, owner)| (cgroup.to_owned(), owner.to_owned()));
            assert_eq!(task_in(text), expected, "{text}");
        }
    }
}
