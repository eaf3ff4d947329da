//! What runtimes did not say of containers, in words that each verb that lists these has.

use std::collections::BTreeMap;

use oomtrace::sink::notices;

/// Different reasons that a person is shown.
const MAX_REASONS: usize = 5;

/// Says once each, for how many containers; a few of them.
pub fn say<'a>(reasons: impl IntoIterator<Item = &'a str>) {
    shown(said(reasons)).iter().for_each(|said| notices::say(said));
}

/// A few of them, and how many more there are.
fn shown(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MAX_REASONS);
    lines.truncate(MAX_REASONS);
    lines.extend((more > 0).then(|| format!("and {more} more reasons why something is not known")));
    lines
}

/// The same as lines: `not known of 3 containers: docker: permission denied`.
pub fn said<'a>(reasons: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for why in reasons {
        *counts.entry(why).or_default() += 1;
    }
    let line = |(why, containers): (&str, usize)| {
        let of = if containers > 1 { format!("of {containers} containers") } else { "of one container".to_owned() };
        format!("not known {of}: {why}")
    };
    counts.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_once_for_how_many() {
        let lines = said(["docker: no", "podman: no", "docker: no"]);
        assert_eq!(lines, ["not known of 2 containers: docker: no", "not known of one container: podman: no"]);
        let many = || said((0..9).map(|_| "x").chain(["a", "b", "c", "d", "e", "f"]));
        assert_eq!((many().len(), shown(many()).len()), (7, MAX_REASONS + 1));
        assert_eq!(shown(many()).last().map(String::as_str), Some("and 2 more reasons why something is not known"));
    }
}
