//! What Podman wrote into the journal of its containers' ends.

use jiff::Timestamp;

use crate::container::metadata::Metadata;
use crate::model::{Container, SaidEnd};
use crate::past::answer::Ended;
use crate::past::ends::KILLED;
use crate::past::gather::KernelLog;
use crate::past::gather::ended::ended;
use crate::past::journal::Said;
use crate::placement::Runtime;

/// An end.
struct Died<'a> {
    at: Timestamp,
    id: &'a str,
    name: &'a str,
    exit_code: Option<i64>,
}

impl Died<'_> {
    fn metadata(&self) -> Metadata {
        let name = Some(self.name.to_owned()).filter(|name| !name.is_empty());
        Metadata { runtime: Some(Runtime::Podman), name, ..Metadata::default() }.bounded()
    }

    fn of(&self, container: Container) -> Ended {
        let time = Some(format!("{:.9}", self.at));
        let end = SaidEnd { by: "Podman".to_owned(), time, exit_code: self.exit_code, ..SaidEnd::default() };
        Ended { end, container: Some(container), ..Ended::default() }
    }
}

/// Ends of that container.
pub fn ends_of(container: &Container, log: &KernelLog) -> impl Iterator<Item = Ended> {
    died(log).filter(|died| died.id == container.id).map(|died| died.of(container.clone()))
}

/// Ends with 137, of whatever container.
pub fn killed(log: &KernelLog) -> impl Iterator<Item = Ended> {
    let killed = died(log).filter(|died| died.exit_code == Some(KILLED));
    killed.map(|died| died.of(ended(died.id.to_owned(), &died.metadata())))
}

/// Containers that ended, by id, the one that ended last behind the others.
pub fn named(log: &KernelLog) -> impl Iterator<Item = (String, Metadata)> {
    died(log).map(|died| (died.id.to_owned(), died.metadata()))
}

fn died(log: &KernelLog) -> impl Iterator<Item = Died<'_>> {
    log.entries.iter().filter_map(|entry| match &entry.said {
        Said::PodmanDied { id, name, exit_code } => Some(Died { at: entry.at, id, name, exit_code: *exit_code }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::past::journal::Entry;

    #[test]
    fn ends_are_told_by_name_and_by_code() {
        let died = |id: &str, name: &str, exit_code| Entry {
            at: Timestamp::UNIX_EPOCH,
            said: Said::PodmanDied { id: id.to_owned(), name: name.to_owned(), exit_code },
        };
        let mut log = KernelLog::default();
        log.entries = vec![died("a", "web", Some(0)), died("b", "", Some(137)), died("c", "api", None)];
        let names: Vec<Option<String>> = named(&log).map(|(_, metadata)| metadata.name).collect();
        assert_eq!(names, [Some("web".to_owned()), None, Some("api".to_owned())]);
        let killed: Vec<String> = killed(&log).filter_map(|ended| Some(ended.container?.id)).collect();
        assert_eq!(killed, ["b"]);
        let web = Container { id: "a".to_owned(), ..Container::default() };
        let ends: Vec<Option<i64>> = ends_of(&web, &log).map(|ended| ended.end.exit_code).collect();
        assert_eq!(ends, [Some(0)]);
    }
}
