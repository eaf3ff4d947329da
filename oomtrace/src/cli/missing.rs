//! What runtimes did not say of containers, in words that each verb that lists these has.

use std::collections::BTreeMap;

use oomtrace::sink::notices;

/// Different reasons that are said.
const MAX_REASONS: usize = 5;

/// Says once each, for how many containers.
pub fn say<'a>(reasons: impl IntoIterator<Item = &'a str>) {
    said(reasons).iter().for_each(|said| notices::say(said));
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
    counts.into_iter().take(MAX_REASONS).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_once_for_how_many() {
        let lines = said(["docker: no", "podman: no", "docker: no"]);
        assert_eq!(lines, ["not known of 2 containers: docker: no", "not known of one container: podman: no"]);
        assert_eq!(said((0..9).map(|_| "x").chain(["a", "b", "c", "d", "e"])).len(), MAX_REASONS);
    }
}
