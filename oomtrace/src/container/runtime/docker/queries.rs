//! What Docker is asked for: the paths of its API, with the filters that choose what it says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::container::is_file_name;

/// All containers, those that do not run among them.
pub const ALL: &str = "/containers/json?all=true";
/// Those that run.
pub const RUNNING: &str = "/containers/json";
/// Those that Docker waits to start again.
#[must_use]
pub fn restarting() -> String {
    format!("{RUNNING}?filters={}", encoded(&json!({ "status": ["restarting"] })))
}

/// The version.
pub const VERSION: &str = "/version";

/// What happens to containers that matters while it is watched.
const WATCHED: [&str; 6] = ["kill", "stop", "restart", "rename", "update", "exec_create"];

/// What the list says of the container `id`.
#[must_use]
pub fn glance(id: &str) -> String {
    format!("{ALL}&filters={}", encoded(&json!({ "id": [id] })))
}

/// What the list says of containers that are called `word`, and of those whose ids begin so: two questions, since Docker wants all of several
/// filters to hold. None where no container can be called so.
#[must_use]
pub fn named(word: &str) -> Option<[String; 2]> {
    // Docker takes both for regular expressions. A dot is all that a name may have of what means more there (names.RestrictedNameChars, 20.10).
    let word = is_file_name(word).then(|| word.replace('.', "[.]"))?;
    let of = |filter| format!("{ALL}&filters={}", encoded(&filter));
    Some([of(json!({ "name": [format!("^/?{word}$")] })), of(json!({ "id": [format!("^{word}")] }))])
}

/// The container `id` in full.
#[must_use]
pub fn inspect(id: &str) -> String {
    format!("/containers/{id}/json")
}

/// What happens from `since`, a time since 1970, on; the answer ends with the daemon.
#[must_use]
pub fn events(since: Duration) -> String {
    let filters = encoded(&json!({ "type": ["container"], "event": WATCHED }));
    format!("/events?filters={filters}&since={}.{:09}", since.as_secs(), since.subsec_nanos())
}

/// All events that Docker still has, until now.
#[must_use]
pub fn past_events() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("/events?since=0&until={}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// Those of the container with that id or name.
#[must_use]
pub fn past_events_of(container: &str) -> String {
    format!("{}&filters={}", past_events(), encoded(&json!({ "container": [container] })))
}

/// Those that say that a container ended.
#[must_use]
pub fn past_ends() -> String {
    format!("{}&filters={}", past_events(), encoded(&json!({ "type": ["container"], "event": ["die"] })))
}

fn encoded(filters: &serde_json::Value) -> String {
    utf8_percent_encode(&filters.to_string(), NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(path: &str) -> String {
        percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned()
    }

    #[test]
    fn a_name_is_asked_for_as_it_is_written() {
        let [name, id] = named("shop_web.1").unwrap();
        assert!(name.is_ascii() && !name.contains(['{', '"', '[', '^', ' ']), "{name}");
        assert_eq!(decoded(&name), r#"/containers/json?all=true&filters={"name":["^/?shop_web[.]1$"]}"#);
        assert_eq!(decoded(&id), r#"/containers/json?all=true&filters={"id":["^shop_web[.]1"]}"#);
        for word in ["", "a b", "web|api", "../x", "w*"] {
            assert_eq!(named(word), None, "{word}");
        }
    }

    #[test]
    fn events_are_chosen_by_the_daemon() {
        let path = decoded(&events(Duration::new(7, 9)));
        assert!(path.starts_with(r#"/events?filters={"event":["kill","stop","#), "{path}");
        assert!(path.ends_with("&since=7.000000009"), "{path}");
        assert!(decoded(&past_events_of("abc")).ends_with(r#"&filters={"container":["abc"]}"#));
        assert!(decoded(&past_ends()).ends_with(r#"&filters={"event":["die"],"type":["container"]}"#));
        assert!(!past_events().contains("filters"));
    }
}
