//! How a systemd unit ended, by `systemctl show`: the properties of its last run, which the next start sets back (systemd.service(5)).

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::past::child;

/// Bytes of what systemctl prints.
const MAX_BYTES: usize = 256 << 10;
/// How long it may take.
const WITHIN: Duration = Duration::from_secs(5);

const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,ExecMainPID,ExecMainStartTimestamp,\
    ExecMainExitTimestamp,ActiveEnterTimestamp,InactiveEnterTimestamp,NRestarts,MemoryMax,ControlGroup,OOMKills,ManagedOOMKills";

/// A unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    pub name: String,
    /// It is there, or was.
    pub is_loaded: bool,
    pub is_active: bool,
    /// `success`, `oom-kill`, `signal`, `timeout`, `watchdog`, `exit-code` …
    pub result: Option<String>,
    /// How its main process ended: by a signal, or by itself.
    pub end: Option<End>,
    pub started: Option<Timestamp>,
    pub exited: Option<Timestamp>,
    pub restarts: Option<u32>,
    pub memory_max: Option<u64>,
    pub cgroup: Option<String>,
    /// Processes in it that the kernel's OOM killer ended, since its cgroup was made (259).
    pub oom_kills: Option<u64>,
    /// The same of systemd-oomd's (259).
    pub oomd_kills: Option<u64>,
}

/// How a main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exited(u32),
    Signal(u32),
}

/// Asks for a unit of the machine's; `.service` may be left out.
///
/// # Errors
/// When there is no systemctl, or it says nothing.
pub fn show(name: &str) -> io::Result<Unit> {
    let program = child::program("systemctl").ok_or_else(|| io::Error::other("there is no systemctl here"))?;
    in_utc_if_it_can(|times| ask(&program, name, times))
}

/// systemctl does not know the option before 247.
fn in_utc_if_it_can(ask: impl Fn(Option<&str>) -> io::Result<Unit>) -> io::Result<Unit> {
    ask(Some(IN_UTC)).or_else(|error| if error.to_string().contains(IN_UTC) { ask(None) } else { Err(error) })
}

const IN_UTC: &str = "--timestamp=utc";

fn ask(program: &Path, name: &str, times: Option<&str>) -> io::Result<Unit> {
    let mut arguments = vec!["show".to_owned(), "--no-pager".to_owned(), format!("--property={PROPERTIES}")];
    arguments.extend(times.map(str::to_owned));
    arguments.extend(["--".to_owned(), name.to_owned()]);
    let mut text = String::new();
    let ended = child::lines(program, &arguments, (MAX_BYTES, WITHIN), |line| {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
        std::ops::ControlFlow::Continue(())
    })?;
    match ended.error {
        Some(error) => Err(io::Error::other(error)),
        None if ended.is_cut => Err(io::Error::other("systemctl did not answer in time")),
        None => Ok(parse(&text)),
    }
}

/// Reads its lines, `NAME=VALUE` each.
#[must_use]
pub fn parse(text: &str) -> Unit {
    let all: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let get = |name: &str| all.get(name).copied().filter(|value| !value.is_empty() && *value != "[not set]");
    let number = |name: &str| get(name).and_then(|value| value.parse::<u64>().ok());
    let status = get("ExecMainStatus").and_then(|status| status.parse().ok());
    // CLD_EXITED, CLD_KILLED and CLD_DUMPED of siginfo (bits/siginfo-consts.h).
    let end = match (get("ExecMainCode"), status) {
        (Some("1"), Some(status)) => Some(End::Exited(status)),
        (Some("2" | "3"), Some(signal)) => Some(End::Signal(signal)),
        _ => None,
    };
    Unit {
        name: get("Id").unwrap_or_default().to_owned(),
        is_loaded: get("LoadState") == Some("loaded"),
        // It waits to be started again (`auto-restart`, 254: `auto-restart-queued`).
        is_active: matches!(get("ActiveState"), Some("active" | "reloading" | "activating" | "deactivating"))
            && !get("SubState").is_some_and(|state| state.starts_with("auto-restart")),
        result: get("Result").map(str::to_owned),
        end,
        started: get("ExecMainStartTimestamp").or(get("ActiveEnterTimestamp")).and_then(time),
        exited: get("ExecMainExitTimestamp").or(get("InactiveEnterTimestamp")).and_then(time),
        restarts: number("NRestarts").and_then(|count| u32::try_from(count).ok()),
        memory_max: number("MemoryMax").filter(|max| *max < u64::MAX),
        cgroup: get("ControlGroup").map(str::to_owned),
        oom_kills: number("OOMKills"),
        oomd_kills: number("ManagedOOMKills"),
    }
}

/// `Thu 2026-11-26 15:35:15 UTC`, as `--timestamp=utc` has it (247); before that, times have a zone that is not read.
fn time(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split(' ').collect();
    let [_, date, clock, "UTC"] = words.as_slice() else { return None };
    format!("{date}T{clock}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_was_oom_killed() {
        let unit = parse(
            "ExecMainStartTimestamp=Thu 2026-11-26 15:35:10 UTC\nExecMainExitTimestamp=Thu 2026-11-26 15:35:15 UTC\nExecMainPID=887\n\
             ExecMainCode=2\nExecMainStatus=9\nResult=oom-kill\nNRestarts=0\nMemoryMax=25165824\nId=web.service\nLoadState=loaded\n\
             ActiveState=failed\nSubState=failed\nControlGroup=\nOOMKills=[not set]\n",
        );
        assert_eq!((unit.name.as_str(), unit.is_loaded, unit.is_active), ("web.service", true, false));
        assert_eq!((unit.end, unit.result.as_deref()), (Some(End::Signal(9)), Some("oom-kill")));
        assert_eq!((unit.memory_max, unit.oom_kills, unit.cgroup), (Some(24 << 20), None, None));
        assert_eq!(unit.exited, Some("2026-11-26T15:35:15Z".parse().unwrap()));
    }

    #[test]
    fn an_old_systemctl_is_asked_again_without_what_it_does_not_know() {
        let text = "Id=web.service\nLoadState=loaded\nExecMainExitTimestamp=Thu 2026-11-26 15:35:15 CET\n";
        let old = |times: Option<&str>| match times {
            Some(option) => Err(io::Error::other(format!("systemctl: unrecognized option '{option}'"))),
            None => Ok(parse(text)),
        };
        let unit = in_utc_if_it_can(old).unwrap();
        // Its time is of a zone that is not read.
        assert_eq!((unit.is_loaded, unit.exited), (true, None));
        let is_asked_once = std::cell::Cell::new(0);
        let broken = |_: Option<&str>| {
            is_asked_once.set(is_asked_once.get() + 1);
            Err(io::Error::other("Failed to connect to bus"))
        };
        assert!(in_utc_if_it_can(broken).is_err() && is_asked_once.get() == 1);
    }

    #[test]
    fn a_unit_that_waits_to_be_started_again_does_not_run() {
        for (sub, is_active) in
            [("running", true), ("start", true), ("auto-restart", false), ("auto-restart-queued", false)]
        {
            let unit = parse(&format!("ActiveState=activating\nSubState={sub}\nResult=oom-kill\n"));
            assert_eq!(unit.is_active, is_active, "{sub}");
        }
    }

    #[test]
    fn a_unit_that_is_not_there() {
        let unit = parse(
            "Id=none.service\nLoadState=not-found\nActiveState=inactive\nMemoryMax=infinity\nExecMainCode=0\nExecMainStatus=0\n",
        );
        assert!(!unit.is_loaded && !unit.is_active);
        assert_eq!((unit.end, unit.memory_max, unit.exited), (None, None, None));
        assert_eq!(parse("MemoryMax=18446744073709551615\n").memory_max, None);
    }
}
