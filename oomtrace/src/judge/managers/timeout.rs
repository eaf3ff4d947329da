//! When timeout(1) sends SIGKILL: what its own command line says, read as coreutils reads it (src/timeout.c, 8.0 to 9.7).

use crate::node::signals::{self, SIGKILL};

/// Long options, and whether a value follows.
const LONG: [(&str, bool); 7] = [
    ("foreground", false),
    ("help", false),
    ("kill-after", true),
    ("preserve-status", false),
    ("signal", true),
    ("verbose", false),
    ("version", false),
];

/// When it kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<'a> {
    /// The time limit, as it was given.
    pub duration: &'a str,
    /// `--kill-after`, where it sends another signal at the limit.
    pub kill_after: Option<&'a str>,
    /// The command that it runs.
    pub runs: &'a [String],
}

/// `90`, `1.5m`, `2h`, `1d`, in seconds; none for what timeout refuses, and for 0, which is no limit.
#[must_use]
pub fn seconds(duration: &str) -> Option<f64> {
    let (number, unit) = match duration.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, duration.get(number.len()..)?),
        None => (duration, "s"),
    };
    let each = match unit {
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => 1.0,
    };
    number.parse::<f64>().ok().map(|number| number * each).filter(|seconds| *seconds > 0.0)
}

/// The limit that it kills by, of its `arguments` without its own name; none when it sends no SIGKILL by itself, or does not run.
#[must_use]
pub fn limit(arguments: &[String]) -> Option<Limit<'_>> {
    let (mut signal, mut kill_after) = (None, None);
    let mut rest = arguments.iter();
    let mut words = rest.by_ref().map(String::as_str);
    let duration = loop {
        let word = words.next()?;
        if word == "--" {
            break words.next()?;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let (option, takes_value) = long_option(name)?;
            let value = match (takes_value, value) {
                (true, Some(value)) => value,
                (true, None) => words.next()?,
                (false, None) => "",
                (false, Some(_)) => return None,
            };
            match option {
                "signal" => signal = Some(value),
                "kill-after" => kill_after = Some(value),
                "help" | "version" => return None,
                _ => {}
            }
            continue;
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else { break word };
        for (at, letter) in letters.char_indices() {
            if matches!(letter, 'f' | 'p' | 'v') {
                continue;
            }
            // The rest of the word is the value, or the next word is.
            let rest = letters.get(at + 1..).filter(|rest| !rest.is_empty());
            let value = rest.or_else(|| words.next())?;
            match letter {
                's' => signal = Some(value),
                'k' => kill_after = Some(value),
                _ => return None,
            }
            break;
        }
    };
    // Without a command it runs nothing.
    let runs = Some(rest.as_slice()).filter(|runs| !runs.is_empty())?;
    let is_kill = match signal {
        Some(name) => signals::number(name)? == SIGKILL,
        None => false,
    };
    match (is_positive(duration)?, kill_after.map(is_positive)) {
        (true, _) if is_kill => Some(Limit { duration, kill_after: None, runs }),
        // 0 switches it off.
        (_, Some(Some(true))) => Some(Limit { duration, kill_after, runs }),
        _ => None,
    }
}

/// A long option by any beginning that only it has.
fn long_option(name: &str) -> Option<(&'static str, bool)> {
    if let Some(exact) = LONG.iter().find(|(option, _)| *option == name) {
        return Some(*exact);
    }
    let mut starting = LONG.iter().filter(|(option, _)| option.starts_with(name));
    starting.next().filter(|_| starting.next().is_none()).copied()
}

/// A number of seconds, or with a unit, is more than none; none when it is no duration.
fn is_positive(duration: &str) -> Option<bool> {
    let number = duration.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or(duration);
    number.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|number| number > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_coreutils_reads_them() {
        const AT_LIMIT: (&str, Option<&str>) = ("5", None);
        const AFTER: (&str, Option<&str>) = ("5", Some("3"));
        for (command, expected) in [
            ("-s KILL 5 sleep 9", Some(AT_LIMIT)),
            ("-sKILL 5 sleep 9", Some(AT_LIMIT)),
            ("-s 9 5 sleep 9", Some(AT_LIMIT)),
            ("--signal=SIGKILL 5 sleep 9", Some(AT_LIMIT)),
            ("--signal kill 5 sleep 9", Some(AT_LIMIT)),
            ("--sig=KILL 5 sleep 9", Some(AT_LIMIT)),
            ("-vfs KILL -- 5 sleep 9", Some(AT_LIMIT)),
            // The first SIGKILL is at the limit.
            ("-s KILL -k 3 5 sleep 9", Some(AT_LIMIT)),
            ("-k 3 5 sleep 9", Some(AFTER)),
            ("-k3 5 sleep 9", Some(AFTER)),
            ("-vk3 5 sleep 9", Some(AFTER)),
            ("--kill-after=3 5 sleep 9", Some(AFTER)),
            ("--kill-after 3 5 sleep 9", Some(AFTER)),
            ("--kill=3 5 sleep 9", Some(AFTER)),
            ("--foreground -s TERM -k 3 5 sleep 9", Some(AFTER)),
            ("-k 3 -k 0 5 sleep 9", None),
            ("-s KILL -s TERM 5 sleep 9", None),
            ("5 sleep 9", None),
            ("-s INT 5 sleep 9", None),
            // Its command's options are not its own.
            ("5 kill -s KILL -k 3", None),
            ("5 sh -c x --kill-after=3", None),
            ("-- 5 sh -k 3", None),
            // It does not run.
            ("-k 3 5", None),
            ("-k 3 x sleep", None),
            ("-x 5 sleep 9", None),
            ("--ver 5 sleep 9", None),
            ("--help -k 3 5 sleep 9", None),
            ("--version -k 3 5 sleep 9", None),
            ("-s NONE 5 sleep 9", None),
            ("-k", None),
            ("--signal", None),
            ("", None),
        ] {
            let arguments: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let found = limit(&arguments);
            assert_eq!(found.map(|limit| (limit.duration, limit.kill_after)), expected, "timeout {command}");
            assert!(found.is_none_or(|limit| limit.runs == ["sleep", "9"]), "timeout {command}");
        }
    }
}
