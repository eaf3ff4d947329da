//! What was no kill, and looks like one to whoever sees the exit code.

use std::collections::BTreeSet;

use oomtrace::model::{Container, Exited, Record};
use oomtrace::store::{History, Identity, Selection};
use oomtrace::text::quote::quote;
use oomtrace::text::{pod_name, short_id};

/// Names that are said.
const NAMES: usize = 3;

/// ``3 more ended with 137, without a SIGKILL that was seen: `oomtrace why web` says more``; none of none.
pub fn notice(history: &History, selection: &Selection) -> Option<String> {
    let ended = history.exits_between(selection.since, selection.until);
    // It is beside what was asked for.
    let ended = ended.inspect_err(|error| log::debug!("ends with 137: {error}")).ok()?;
    said(&ended.into_iter().filter(|exited| is_wanted(exited, selection)).collect::<Vec<_>>())
}

fn is_wanted(exited: &Exited, selection: &Selection) -> bool {
    let filter = &selection.filter;
    let is_its = || filter.pids.is_empty() || filter.pids.contains(&exited.process.pid);
    let is_there = || {
        let cgroup = exited.process.cgroup.as_deref();
        filter.cgroups.is_empty() || cgroup.is_some_and(|cgroup| filter.is_below_any(cgroup))
    };
    let is_named = || filter.wants(&Record::Exit(exited.clone())) || is_counted_so(exited, selection);
    is_its() && is_there() && is_named()
}

/// It is asked for by a name that counts have, and by nothing else.
fn is_counted_so(exited: &Exited, selection: &Selection) -> bool {
    let mut others = selection.filter.clone();
    others.containers.clear();
    selection.counted
        && selection.filter.wants_name(Identity::of_exit(exited).name())
        && others.wants(&Record::Exit(exited.clone()))
}

/// `shop/web-5d4`; none where not all of that is known.
fn pod_of(container: &Container) -> Option<String> {
    let pod = container.pod.as_ref().filter(|pod| pod.namespace.is_some() && pod.name.is_some())?;
    pod_name(pod).filter(|_| container.user.is_none())
}

fn said(ended: &[Exited]) -> Option<String> {
    let name = |exited: &Exited| match (&exited.container, &exited.unit) {
        // A user may call a container of their own as one of the machine's is called.
        // By its name alone a container of a pod may be one of several.
        (Some(container), _) => pod_of(container).unwrap_or_else(|| {
            let name = container.name.as_deref().filter(|name| !name.is_empty() && container.user.is_none());
            quote(name.unwrap_or_else(|| short_id(&container.id))).into_owned()
        }),
        (None, Some(unit)) => quote(unit).into_owned(),
        (None, None) => exited.process.pid.to_string(),
    };
    let names: BTreeSet<String> = ended.iter().map(name).collect();
    let more = if names.len() > NAMES { " …" } else { "" };
    let which: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
    let ask = match which.as_slice() {
        [] => return None,
        [one] => format!("`oomtrace why {one}` says more"),
        several => format!("`oomtrace why NAME` says more, of {}{more}", several.join(", ")),
    };
    let count = match ended.len() {
        1 => "1 more ended".to_owned(),
        count => format!("{count} more ended"),
    };
    Some(format!("{count} with 137, without a SIGKILL that was seen: {ask}"))
}

#[cfg(test)]
mod tests {
    use glob::Pattern;
    use jiff::Timestamp;
    use oomtrace::filter::Filter;
    use oomtrace::store::{Bounds, Entry, Writer};
    use serde_json::json;

    use super::*;

    fn exited(number: u32, name: &str, user: Option<u32>) -> Exited {
        let value = json!({
            "schema": 1, "id": format!("{number:08}-exit"), "time": format!("2026-11-20T00:{number:02}:00Z"),
            "process": { "pid": 1000 + number, "comm": "sh", "cmdline_truncated": false }, "container_init": true,
            "container": { "id": format!("{number:012}"), "name": name, "runtime": "docker", "user": user, "cgroup": "/x" },
            "code": 137, "why": "x"
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pods_container_is_asked_about_by_its_pod() {
        let mut one = exited(1, "app", None);
        let pod = json!({ "name": "web-5d4", "namespace": "shop", "sandbox": false, "probes": [] });
        one.container.as_mut().unwrap().pod = serde_json::from_value(pod).unwrap();
        assert!(said(&[one]).unwrap().contains("`oomtrace why shop/web-5d4`"));
    }

    #[test]
    fn ends_of_the_time_and_the_place_that_were_asked_for_are_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept/history.db");
        let all = [exited(1, "web", None), exited(2, "web", None), exited(3, "a b", None), exited(4, "web", Some(7))];
        let all: Vec<Entry> = all.into_iter().map(|exited| Entry::Exit(Box::new(exited))).collect();
        Writer::open(&path, Bounds::DEFAULT).unwrap().append(&all).unwrap();
        let history = History::open(&path).unwrap();
        let since = |time: &str| Selection { since: Some(time.parse::<Timestamp>().unwrap()), ..Selection::default() };
        let until = |time: &str| Selection { until: Some(time.parse::<Timestamp>().unwrap()), ..Selection::default() };
        let only = |filter| Selection { filter, ..Selection::default() };
        let of = |name: &str| only(Filter { containers: vec![Pattern::new(name).unwrap()], ..Filter::default() });
        for (selection, expected) in [
            (
                Selection::default(),
                Some(
                    "4 more ended with 137, without a SIGKILL that was seen: `oomtrace why NAME` says more, of 'a b', 000000000004, web",
                ),
            ),
            (
                until("2026-11-20T00:02:00Z"),
                Some("1 more ended with 137, without a SIGKILL that was seen: `oomtrace why web` says more"),
            ),
            (
                until("2026-11-20T00:03:00Z"),
                Some("2 more ended with 137, without a SIGKILL that was seen: `oomtrace why web` says more"),
            ),
            (
                since("2026-11-20T00:04:00Z"),
                Some("1 more ended with 137, without a SIGKILL that was seen: `oomtrace why 000000000004` says more"),
            ),
            (since("2026-11-20T00:05:00Z"), None),
            (of("a?b"), Some("1 more ended with 137, without a SIGKILL that was seen: `oomtrace why 'a b'` says more")),
            (of("db"), None),
            (
                only(Filter { pids: vec![1001], ..Filter::default() }),
                Some("1 more ended with 137, without a SIGKILL that was seen: `oomtrace why web` says more"),
            ),
            (only(Filter { pids: vec![1], ..Filter::default() }), None),
            (only(Filter { cgroups: vec!["/y".to_owned()], ..Filter::default() }), None),
            (only(Filter { causes: vec![oomtrace::model::Cause::OomHost], ..Filter::default() }), None),
        ] {
            assert_eq!(notice(&history, &selection).as_deref(), expected, "{selection:?}");
        }
    }
}
