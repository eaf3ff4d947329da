//! An entry of the journal, and what it says.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::past::klog::record::{DRIFT, MAX_TEXT, Record, Stamp, boot};

/// What an entry is about, by its MESSAGE_ID (sd-messages.h).
pub mod id {
    /// A process of a unit was OOM-killed, as memory.events of its cgroup shows when it is looked at.
    pub const UNIT_OUT_OF_MEMORY: &str = "fe6faa94e7774663a0da52717891d8ef";
    /// systemd-oomd killed a unit's cgroup.
    pub const UNIT_OOMD_KILL: &str = "d989611b15e44c9dbf31e3c81256e4ed";
    pub const UNIT_PROCESS_EXIT: &str = "98e322203f7a4ed290d09fe03c09fe15";
    pub const UNIT_FAILURE_RESULT: &str = "d9b373ed55a64feb8242e02dbe79a49c";
    pub const SESSION_START: &str = "8d45620c1a4348dbb17410da57c60c66";
    pub const SESSION_STOP: &str = "3354939424b4456d9802ca8333ed424a";
}

/// What is read of an entry, besides the fields that each has.
pub const FIELDS: &str = "MESSAGE,MESSAGE_ID,SYSLOG_FACILITY,_TRANSPORT,_SOURCE_MONOTONIC_TIMESTAMP,_PID,_UID,_COMM,_SYSTEMD_UNIT,UNIT,COMMAND,EXIT_CODE,\
    EXIT_STATUS,UNIT_RESULT,N_PROCESSES,SESSION_ID,USER_ID,PODMAN_EVENT,PODMAN_NAME,PODMAN_ID,PODMAN_EXIT_CODE";

/// An entry that says something here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    pub said: Said,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A record of the kernel's log; with who wrote it.
    Kernel {
        text: String,
        by_kernel: bool,
        /// When the kernel wrote it, by its own clock.
        stamp: Option<Stamp>,
    },
    /// systemd, of a unit of the machine's.
    UnitOutOfMemory {
        unit: String,
    },
    /// systemd, of what systemd-oomd did to a unit.
    UnitOomdKill {
        unit: String,
        processes: Option<u32>,
    },
    /// systemd: a unit's main process ended.
    UnitProcessExit {
        unit: String,
        code: String,
        status: String,
    },
    /// systemd: how a unit failed, `oom-kill`, `timeout`, `signal` …
    UnitResult {
        unit: String,
        result: String,
    },
    SessionStart {
        session: String,
        user: String,
        /// By whose numbers sessions are counted.
        boot: Option<u128>,
    },
    SessionStop {
        session: String,
        boot: Option<u128>,
    },
    /// Podman's event log: a container of root's ended.
    PodmanDied {
        id: String,
        name: String,
        exit_code: Option<i64>,
    },
}

impl Said {
    /// The unit that it is about.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        match self {
            Self::UnitOutOfMemory { unit }
            | Self::UnitOomdKill { unit, .. }
            | Self::UnitProcessExit { unit, .. }
            | Self::UnitResult { unit, .. } => Some(unit),
            _ => None,
        }
    }

    /// The unit whose main process SIGKILL ended.
    #[must_use]
    pub fn killed_unit(&self) -> Option<&String> {
        match self {
            // As unit_log_process_exit() writes them (src/core/unit.c, 252): the word for si_code, and the number of the signal.
            Self::UnitProcessExit { unit, code, status } => (code == "killed" && status == "9").then_some(unit),
            _ => None,
        }
    }
}

impl Entry {
    /// The kernel's record, if it is one.
    #[must_use]
    pub fn kernel(self) -> Option<Record> {
        match self.said {
            Said::Kernel { text, by_kernel, stamp } => {
                by_kernel.then_some(Record { at: Some(self.at), stamp, number: None, text, by_kernel })
            }
            _ => None,
        }
    }
}

/// Reads a line of its JSON; none when it says nothing here, or not by somebody who knows.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Entry> {
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let get = |name: &str| fields.get(name).and_then(text_of);
    let us: i64 = get("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let mut at = Timestamp::from_microsecond(us).ok()?;
    let said = if get("_TRANSPORT").as_deref() == Some("kernel") {
        // journald reads /dev/kmsg, where processes may write as well: with another facility than the kernel's.
        let by_kernel = get("SYSLOG_FACILITY").as_deref() == Some("0");
        let text = crate::text::clip(&get("MESSAGE")?, MAX_TEXT).to_owned();
        // What /dev/kmsg gave it as the record's time (systemd.journal-fields(7)).
        let source: Option<u64> = get("_SOURCE_MONOTONIC_TIMESTAMP").and_then(|us| us.parse().ok());
        // journald's times are of when it read the record, by both clocks; after a start, or when it was late, that is long after.
        let read: Option<u64> = get("__MONOTONIC_TIMESTAMP").and_then(|us| us.parse().ok());
        let late = read.zip(source).and_then(|(read, source)| i64::try_from(read.checked_sub(source)?).ok());
        // The kernel's log's clock may have gone wrong by as much.
        let drifted = source.and_then(|source| i64::try_from(source).ok()).map_or(0, |source| source / DRIFT);
        let late = late.filter(|late| *late > drifted);
        at = late.and_then(|late| Timestamp::from_microsecond(us.checked_sub(late)?).ok()).unwrap_or(at);
        let stamp = source.map(|us| Stamp { us, boot: boot_of(&get) });
        Said::Kernel { text, by_kernel, stamp }
    } else if get("PODMAN_EVENT").as_deref() == Some("died") {
        // Root's: everybody may write what looks so.
        (get("_UID").as_deref() == Some("0")).then_some(())?;
        let exit_code = get("PODMAN_EXIT_CODE").and_then(|code| code.parse().ok());
        Said::PodmanDied { id: get("PODMAN_ID")?, name: get("PODMAN_NAME").unwrap_or_default(), exit_code }
    } else {
        of_systemd(&get)?
    };
    Some(Entry { at, said })
}

fn of_systemd(get: &dyn Fn(&str) -> Option<String>) -> Option<Said> {
    let is_from = |field: &str, value: &str| get(field).as_deref() == Some(value);
    let is_manager = is_from("_PID", "1") && is_from("_UID", "0");
    let is_logind = is_from("_SYSTEMD_UNIT", "systemd-logind.service") && is_from("_UID", "0");
    let id = get("MESSAGE_ID")?;
    match id.as_str() {
        id::SESSION_START if is_logind => {
            Some(Said::SessionStart { session: get("SESSION_ID")?, user: get("USER_ID")?, boot: boot_of(get) })
        }
        id::SESSION_STOP if is_logind => Some(Said::SessionStop { session: get("SESSION_ID")?, boot: boot_of(get) }),
        _ if !is_manager => None,
        id::UNIT_OUT_OF_MEMORY => Some(Said::UnitOutOfMemory { unit: get("UNIT")? }),
        id::UNIT_OOMD_KILL => {
            let processes = get("N_PROCESSES").and_then(|number| number.parse().ok());
            Some(Said::UnitOomdKill { unit: get("UNIT")?, processes })
        }
        id::UNIT_PROCESS_EXIT if is_mains(get) => {
            Some(Said::UnitProcessExit { unit: get("UNIT")?, code: get("EXIT_CODE")?, status: get("EXIT_STATUS")? })
        }
        id::UNIT_FAILURE_RESULT => Some(Said::UnitResult { unit: get("UNIT")?, result: get("UNIT_RESULT")? }),
        _ => None,
    }
}

/// The boot that an entry is of.
fn boot_of(get: &dyn Fn(&str) -> Option<String>) -> Option<u128> {
    get("_BOOT_ID").as_deref().and_then(boot)
}

/// It is of a unit's main process, and of none that only prepares or ends it, or has it read its settings anew: these have entries of the same
/// kind (`unit_log_process_exit`, src/core/unit.c and service.c of systemd, whose field COMMAND is of 240).
fn is_mains(get: &dyn Fn(&str) -> Option<String>) -> bool {
    match get("COMMAND") {
        Some(command) => command == "ExecStart",
        None => !get("MESSAGE").is_some_and(|message| message.contains("Control process exited")),
    }
}

/// A field is a string; with bytes that are no UTF-8 a list of numbers; where it is there several times, a list of these.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(all) if all.iter().all(Value::is_u64) => {
            let bytes: Option<Vec<u8>> = all.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
            Some(String::from_utf8_lossy(&bytes?).into_owned())
        }
        Value::Array(all) => all.first().and_then(text_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &str) -> Option<Said> {
        parse(format!(r#"{{"__REALTIME_TIMESTAMP":"1764000000000001",{fields}}}"#).as_bytes()).map(|entry| entry.said)
    }

    #[test]
    fn who_wrote_it_counts_and_not_what_is_written() {
        let unit = || "web.service".to_owned();
        let exit = |more: &str| {
            format!(
                r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","_PID":"1","_UID":"0","UNIT":"web.service","EXIT_CODE":"killed","EXIT_STATUS":"9",{more}"#
            )
        };
        let killed = || Said::UnitProcessExit { unit: unit(), code: "killed".to_owned(), status: "9".to_owned() };
        for (fields, expected) in [
            (
                r#""_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","MESSAGE":"x""#,
                Some(Said::Kernel { text: "x".to_owned(), by_kernel: true, stamp: None }),
            ),
            (
                r#""_TRANSPORT":"kernel","SYSLOG_FACILITY":"3","MESSAGE":[120,255]"#,
                Some(Said::Kernel { text: "x\u{fffd}".to_owned(), by_kernel: false, stamp: None }),
            ),
            (
                r#""_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","MESSAGE":"x","_SOURCE_MONOTONIC_TIMESTAMP":"152700479","_BOOT_ID":"0000000000000000000000000000001f""#,
                Some(Said::Kernel {
                    text: "x".to_owned(),
                    by_kernel: true,
                    stamp: Some(Stamp { us: 152_700_479, boot: Some(0x1f) }),
                }),
            ),
            (
                r#""MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef","_PID":"1","_UID":"0","UNIT":"web.service""#,
                Some(Said::UnitOutOfMemory { unit: unit() }),
            ),
            (r#""MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef","_PID":"77","_UID":"1000","UNIT":"web.service""#, None),
            (
                r#""MESSAGE_ID":"d989611b15e44c9dbf31e3c81256e4ed","_PID":"1","_UID":"0","UNIT":"web.service","N_PROCESSES":"3""#,
                Some(Said::UnitOomdKill { unit: unit(), processes: Some(3) }),
            ),
            (
                r#""MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","_PID":"1","_UID":"0","UNIT":"web.service","UNIT_RESULT":"timeout""#,
                Some(Said::UnitResult { unit: unit(), result: "timeout".to_owned() }),
            ),
            (
                r#""PODMAN_EVENT":"died","_UID":"0","PODMAN_ID":"a","PODMAN_NAME":"web","PODMAN_EXIT_CODE":"137""#,
                Some(Said::PodmanDied { id: "a".to_owned(), name: "web".to_owned(), exit_code: Some(137) }),
            ),
            (r#""PODMAN_EVENT":"died","_UID":"1000","PODMAN_ID":"a","PODMAN_NAME":"web""#, None),
            (
                r#""MESSAGE_ID":"8d45620c1a4348dbb17410da57c60c66","_PID":"1","_UID":"0","SESSION_ID":"3","USER_ID":"alice""#,
                None,
            ),
            (
                r#""MESSAGE_ID":"8d45620c1a4348dbb17410da57c60c66","_SYSTEMD_UNIT":"systemd-logind.service","_UID":"0","SESSION_ID":"3","USER_ID":["alice","x"]"#,
                Some(Said::SessionStart { session: "3".to_owned(), user: "alice".to_owned(), boot: None }),
            ),
            (&exit(r#""COMMAND":"ExecStart""#), Some(killed())),
            (&exit(r#""COMMAND":"ExecReload""#), None),
            (&exit(r#""MESSAGE":"web.service: Main process exited, code=killed, status=9/KILL""#), Some(killed())),
            (&exit(r#""MESSAGE":"web.service: Control process exited, code=exited, status=1/FAILURE""#), None),
            (r#""MESSAGE":"x""#, None),
        ] {
            assert_eq!(said(fields), expected, "{fields}");
        }
        assert_eq!(parse(b"{"), None);
        assert_eq!(parse(br#"{"MESSAGE":"x"}"#), None);
    }

    #[test]
    fn a_record_is_of_when_the_kernel_wrote_it_and_not_of_when_journald_read_it() {
        let at = |clocks: &str| {
            let line = format!(
                r#"{{"__REALTIME_TIMESTAMP":"1764000000000000","_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","MESSAGE":"x"{clocks}}}"#
            );
            parse(line.as_bytes()).unwrap().at.as_microsecond()
        };
        for (clocks, us) in [
            (r#","__MONOTONIC_TIMESTAMP":"90000000","_SOURCE_MONOTONIC_TIMESTAMP":"30000000""#, 1_763_999_940_000_000),
            // Without one of both, or where they are not of one boot.
            (r#","__MONOTONIC_TIMESTAMP":"90000000""#, 1_764_000_000_000_000),
            (r#","_SOURCE_MONOTONIC_TIMESTAMP":"30000000""#, 1_764_000_000_000_000),
            (r#","__MONOTONIC_TIMESTAMP":"90000000","_SOURCE_MONOTONIC_TIMESTAMP":"90000001""#, 1_764_000_000_000_000),
            // After sixty days, by a clock that is a hundred seconds behind.
            (
                r#","__MONOTONIC_TIMESTAMP":"5184000000000","_SOURCE_MONOTONIC_TIMESTAMP":"5183900000000""#,
                1_764_000_000_000_000,
            ),
        ] {
            assert_eq!(at(clocks), us, "{clocks}");
        }
    }
}
