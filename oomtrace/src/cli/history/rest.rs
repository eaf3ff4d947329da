//! What one line says of many kills that have none of their own.

use jiff::Timestamp;
use oomtrace::sink::human;
use oomtrace::store::{Identity, OF_PLACE, OF_USER, Of, Rest, What};
use oomtrace::text::quote::quote;

use crate::cli::options;

/// `120 more kills of web, of 118 kinds, from 03:10:05 to 03:40:11, have no lines here, where each place has 10: oomtrace history
/// --container web --since 2026-11-20T03:10:05Z`
pub fn said(rest: &Rest, options: &options::History) -> String {
    let Rest { of, kills, kinds, first, last } = rest;
    let at = |ns: &i64| Timestamp::from_nanosecond((*ns).into()).unwrap_or_default();
    let shown = |ns: &i64| human::time_of(&format!("{:.9}", at(ns)), Timestamp::now(), options.reading.time().into());
    let (whose, share, option) = match of {
        Of::Place(identity) => (identity.name().to_owned(), format!("each place has {OF_PLACE}"), option(identity)),
        Of::User(uid) => {
            (format!("other places of user {uid}"), format!("all places of one user together have {OF_USER}"), None)
        }
    };
    let (more, have) = if *kills == 1 { ("kill", "has no line") } else { ("kills", "have no lines") };
    let kinds = match (kills, kinds) {
        (1, _) => String::new(),
        (_, 1) => ", all alike".to_owned(),
        (_, kinds) => format!(", of {kinds} kinds{}", if rest.has_more_kinds() { " and more" } else { "" }),
    };
    let span = if first == last {
        format!("at {}", shown(first))
    } else {
        format!("from {} to {}", shown(first), shown(last))
    };
    let command = command(options, option, at(first));
    format!(
        "{kills} more {more} of {whose}{kinds}, {span}, {have} here, where {share}: `{command}` shows {}",
        if *kills == 1 { "it" } else { "them" }
    )
}

/// The option, with its value, that finds what has that name: its incidents, and those of whatever else is called so. None where the name would be
/// taken for a pattern.
fn option(identity: &Identity) -> Option<(&'static str, String)> {
    let (option, value) = match identity.what()? {
        What::Container(name) => ("--container", name),
        What::Unit(name) => ("--unit", name),
        What::Program(name) => ("--comm", name),
    };
    (!value.is_empty() && !value.contains(['*', '?', '['])).then_some((option, value))
}

/// What lists them, and has no more options than it takes.
fn command(options: &options::History, option: Option<(&'static str, String)>, since: Timestamp) -> String {
    let path = options.path.iter().map(|path| format!("--history={}", path.display()));
    let since = format!("--since={since:.0}");
    let option = option.map(|(name, value)| format!("{name}={value}"));
    let arguments = path.chain(options.select.arguments()).chain(option).chain([since]);
    arguments.fold("oomtrace history".to_owned(), |command, argument| {
        let (name, value) = argument.split_once('=').unwrap_or((argument.as_str(), ""));
        // What begins like an option is none only behind the sign.
        let between = if value.starts_with('-') { '=' } else { ' ' };
        format!("{command} {name}{between}{}", quote(value))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use oomtrace::model::Container;
    use serde_json::json;

    use super::*;

    fn asked(arguments: &[&str]) -> options::History {
        let words = ["oomtrace", "history", "--time", "utc"].iter().chain(arguments);
        match options::Cli::try_parse_from(words).map(|cli| cli.verb) {
            Ok(Some(options::Verb::History(options))) => options,
            other => panic!("{other:?}"),
        }
    }

    fn container(name: &str) -> Of {
        let container =
            Container { id: "a".repeat(64), name: Some(name.to_owned()), confirmed: true, ..Container::default() };
        Of::Place(Identity::of_container(&container))
    }

    #[test]
    fn a_place_is_asked_for_by_the_option_that_its_name_belongs_to() {
        let of = |container: Option<&str>, unit: Option<&str>, exe: &str| {
            let container = container.map(|name| json!({ "id": "a", "name": name, "confirmed": true, "cgroup": "/a" }));
            let exited = json!({
                "schema": 1, "id": "1-x", "time": "2026-11-20T00:00:00Z", "container_init": false, "code": 137, "why": "x",
                "process": { "pid": 7, "comm": "x", "exe": exe, "cgroup": "/a", "cmdline_truncated": false },
                "container": container, "unit": unit
            });
            Identity::of_exit(&serde_json::from_value(exited).unwrap())
        };
        for (container, unit, exe, expected) in [
            (Some("web"), Some("docker-a.scope"), "/bin/x", Some(("--container", "web"))),
            (Some("we?"), None, "/bin/x", None),
            (None, Some("web.service"), "/bin/x", Some(("--unit", "web.service"))),
            (None, Some("web@[a].service"), "/bin/x", None),
            (None, None, "/tmp/copies/java-7", Some(("--comm", "java-7"))),
            (None, None, "/tmp/*", None),
            (None, None, "/tmp/", None),
        ] {
            let identity = of(container, unit, exe);
            let found = option(&identity);
            assert_eq!(found.as_ref().map(|(option, name)| (*option, name.as_str())), expected, "{identity:?}");
        }
    }

    #[test]
    fn the_command_that_shows_them_is_the_one_that_was_asked_and_the_place() {
        const SPAN: &str = "from 2026-11-20 03:10:05Z to 2026-11-20 03:40:11Z";
        const SINCE: &str = "--since 2026-11-20T03:10:05Z";
        let at = |time: &str| i64::try_from(time.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap();
        let (first, last) = (at("2026-11-20T03:10:05.9Z"), at("2026-11-20T03:40:11Z"));
        let rest = |of, kills, kinds| Rest { of, kills, kinds, first: if kills == 1 { last } else { first }, last };
        for (rest, arguments, expected) in [
            (
                rest(container("web"), 120, 118),
                vec![],
                format!("120 more kills of web, of 118 kinds, {SPAN}, have no lines here, where each place has 10: `oomtrace history --container web {SINCE}` shows them"),
            ),
            (
                rest(container("web"), 2, 1),
                vec!["--cause", "oom_host", "--comm=-x y", "--history", "a b"],
                format!("2 more kills of web, all alike, {SPAN}, have no lines here, where each place has 10: `oomtrace history --history 'a b' --comm='-x y' --cause oom_host --container web {SINCE}` shows them"),
            ),
            // A name that says a command, and one that would be taken for a pattern.
            (
                rest(container("a`;rm"), 2, 2),
                vec![],
                format!("2 more kills of 'a`;rm', of 2 kinds, {SPAN}, have no lines here, where each place has 10: `oomtrace history --container ''\\''a`;rm'\\''' {SINCE}` shows them"),
            ),
            (
                rest(container("a*"), 1, 1),
                vec![],
                "1 more kill of 'a*', at 2026-11-20 03:40:11Z, has no line here, where each place has 10: `oomtrace history --since 2026-11-20T03:40:11Z` shows it".to_owned(),
            ),
            (
                rest(Of::User(1000), 30, 30),
                vec![],
                format!("30 more kills of other places of user 1000, of 30 kinds, {SPAN}, have no lines here, where all places of one user together have 50: `oomtrace history {SINCE}` shows them"),
            ),
        ] {
            assert_eq!(said(&rest, &asked(&arguments)), expected);
        }
    }
}
