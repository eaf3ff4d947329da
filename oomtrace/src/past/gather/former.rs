//! Containers that are gone, by what is left of their ends.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::Container;
use crate::past::gather::ended::ended;
use crate::past::gather::whom::Whom;
use crate::past::gather::{KernelLog, Places, podman};
use crate::past::target::{Asked, best_fitting};
use crate::placement::Runtime;

/// Containers that are gone, and of whose ends Docker's events or Podman's still tell. Of those that one runtime had by one name after the
/// other, the last. `missing`: takes what could not be found out, where that is the reason that nobody was found.
pub async fn former(places: &Places, asked: &Asked, log: &KernelLog, missing: Option<&mut Vec<String>>) -> Vec<Whom> {
    let docker = &places.directory.sources().docker;
    let (all, unknown) = match docker.former(Some(&asked.word)).await {
        Ok(former) => {
            let unknown = format!("containers that Docker removed {}", before(former.since_ns));
            (former.containers, Some(unknown))
        }
        Err(error) => {
            let unknown = error.is_missing().then(|| format!("containers that Docker has removed ({error})"));
            (Vec::new(), unknown)
        }
    };
    let all = all.into_iter().map(|ended| (ended.id, ended.metadata)).chain(podman::named(log));
    let found = last_of_each_name(all.map(|(id, metadata)| ended(id, &metadata)), &asked.word);
    if let Some(missing) = missing.filter(|_| found.is_empty()) {
        missing.extend(unknown);
    }
    found
}

/// `before 2026-11-26 03:12:07 +01:00: its events go back no further`; of nanoseconds since 1970. None: it has none from before.
fn before(since_ns: Option<i64>) -> String {
    let since = since_ns.and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok());
    let since = since.map_or_else(
        || "some time ago".to_owned(),
        |since| format!("before {}", since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z")),
    );
    format!("{since}: its events go back no further")
}

/// Those that fit best, and of one name the last one.
fn last_of_each_name(containers: impl Iterator<Item = Container>, word: &str) -> Vec<Whom> {
    let mut last: Vec<Container> = Vec::new();
    for container in best_fitting(containers, word) {
        let has_name = |container: &Container| container.name.as_deref() == Some(word);
        let is_one = |known: &Container| {
            known.runtime == container.runtime
                && (known.id == container.id || (has_name(known) && has_name(&container)))
        };
        last.retain(|known| !is_one(known));
        last.push(container);
    }
    // Podman keeps a container that has ended, and what its journal says of the end is all that is asked of it.
    let removed = |container: Container| {
        let is_removed = container.runtime != Some(Runtime::Podman);
        Whom { is_removed, ..Whom::container(container, Some(false)) }
    };
    last.into_iter().map(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, name: &str) -> Container {
        Container { id: id.repeat(64), name: Some(name.to_owned()), ..Container::default() }
    }

    #[test]
    fn of_those_that_had_one_name_the_last_is_meant() {
        let all = || [("a", "web"), ("b", "api"), ("c", "web"), ("d", "web-2")].map(|(id, name)| container(id, name));
        let meant = |word: &str| -> Vec<String> {
            let found = last_of_each_name(all().into_iter(), word);
            found.into_iter().filter_map(|whom| Some(whom.container?.id.get(..1)?.to_owned())).collect()
        };
        assert_eq!(meant("web"), ["c"]);
        assert_eq!(meant("aaaa"), ["a"]);
        assert!(meant("nobody").is_empty());
        // Another runtime may have one of the same name, and what Podman has is not removed.
        let of = |id: &str, runtime| Container { runtime: Some(runtime), ..container(id, "web") };
        let all = [of("a", Runtime::Docker), of("b", Runtime::Podman), of("c", Runtime::Podman)].into_iter();
        let found = last_of_each_name(all, "web").into_iter();
        let found: Vec<_> = found.map(|whom| (whom.container.unwrap().id.remove(0), whom.is_removed)).collect();
        assert_eq!(found, [('a', true), ('c', false)]);
    }

    #[test]
    fn how_far_back_docker_knows_is_said() {
        let said = before(Some(1_764_126_727_000_000_000));
        assert!(said.starts_with("before 2025-11-2") && said.ends_with(": its events go back no further"), "{said}");
        assert_eq!(before(None), "some time ago: its events go back no further");
    }
}
