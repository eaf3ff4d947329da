//! Who was logged in, by wtmp(5) and what logind says in the journal. Whoever was there may have killed by hand; that somebody was there
//! proves nothing.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

use crate::model::Session;
use crate::node::files;
use crate::past::journal::{Entry, Said};

/// Where it is.
pub const WTMP: &str = "/var/log/wtmp";
/// Bytes of it that are read, the latest ones: 27,000 logins.
const MAX_BYTES: u64 = 10 << 20;
/// Sessions that are kept.
const MAX_SESSIONS: usize = 4096;

/// What a record is, of those that are looked at (utmp.h).
const BOOT_TIME: i16 = 2;
const USER_PROCESS: i16 = 7;
const DEAD_PROCESS: i16 = 8;

/// Bytes of a record, and where its time is: glibc keeps 32 bits of it where it once had a 32-bit sibling (bits/utmp.h,
/// __WORDSIZE_TIME64_COMPAT32).
const RECORD: usize =
    if cfg!(any(target_arch = "x86_64", target_arch = "powerpc64", target_arch = "s390x")) { 384 } else { 400 };
const TIME: usize = if RECORD == 384 { 340 } else { 344 };

/// A session's times, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub user: String,
    pub tty: String,
    pub from: Option<String>,
    pub since: i64,
    pub until: Option<i64>,
}

/// Reads the machine's record of logins.
///
/// # Errors
/// When it cannot be read: newer distributions have none (they keep `/var/lib/wtmpdb`).
pub fn read(path: &Path) -> io::Result<Vec<Span>> {
    let mut file: File = files::open(path)?;
    let size = file.metadata()?.len();
    let whole = size - size % RECORD as u64;
    let from = whole.saturating_sub(MAX_BYTES - MAX_BYTES % RECORD as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(whole - from).read_to_end(&mut bytes)?;
    Ok(spans(&bytes))
}

/// The sessions in records of wtmp.
#[must_use]
pub fn spans(bytes: &[u8]) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    for record in bytes.chunks_exact(RECORD) {
        let Some((kind, line, user, host, at)) = fields(record) else { continue };
        let end = |span: &mut Span| {
            span.until.get_or_insert(at);
        };
        match kind {
            BOOT_TIME => all.iter_mut().for_each(end),
            USER_PROCESS if !user.is_empty() => {
                // Whoever had the terminal before has left it.
                all.iter_mut().filter(|span| span.tty == line).for_each(end);
                if all.len() >= MAX_SESSIONS {
                    all.remove(0);
                }
                all.push(Span { user, tty: line, from: (!host.is_empty()).then_some(host), since: at, until: None });
            }
            DEAD_PROCESS => all.iter_mut().filter(|span| span.tty == line).for_each(end),
            _ => {}
        }
    }
    all
}

fn fields(record: &[u8]) -> Option<(i16, String, String, String, i64)> {
    let word = |from: usize, len: usize| {
        let bytes = record.get(from..from + len)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(len);
        Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
    };
    let kind = i16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
    let at = match RECORD {
        384 => i64::from(u32::from_ne_bytes(record.get(TIME..TIME + 4)?.try_into().ok()?)),
        _ => i64::from_ne_bytes(record.get(TIME..TIME + 8)?.try_into().ok()?),
    };
    Some((kind, word(8, 32)?, word(44, 32)?, word(76, 256)?, at))
}

/// The sessions that logind says there were. `booted`: this boot's id, and when it began, in seconds since 1970; none where it is not the
/// boots of this machine that they are of.
#[must_use]
pub fn of_journal(entries: &[Entry], booted: Option<(u128, i64)>) -> Vec<Span> {
    // With the boot that each is of.
    let mut all: Vec<(Option<u128>, Span)> = Vec::new();
    for Entry { at, said } in entries {
        let (Said::SessionStart { boot, .. } | Said::SessionStop { boot, .. }) = said else { continue };
        // What a reset ends, nobody says.
        end_others(&mut all, *boot, at.as_second());
        match said {
            Said::SessionStart { session, user, boot } => {
                if all.len() >= MAX_SESSIONS {
                    all.remove(0);
                }
                let (user, tty) = (user.clone(), format!("session {session}"));
                all.push((*boot, Span { user, tty, from: None, since: at.as_second(), until: None }));
            }
            Said::SessionStop { session, .. } => {
                let tty = format!("session {session}");
                let mut spans = all.iter_mut().map(|(_, span)| span).rev();
                if let Some(span) = spans.find(|span| span.tty == tty && span.until.is_none()) {
                    span.until = Some(at.as_second());
                }
            }
            _ => {}
        }
    }
    if let Some((boot, began)) = booted {
        end_others(&mut all, Some(boot), began);
    }
    all.into_iter().map(|(_, span)| span).collect()
}

/// Sessions of other boots than that one had ended by then.
fn end_others(all: &mut [(Option<u128>, Span)], boot: Option<u128>, second: i64) {
    let Some(boot) = boot else { return };
    for (_, span) in all.iter_mut().filter(|(of, _)| of.is_some_and(|of| of != boot)) {
        span.until.get_or_insert(second);
    }
}

/// Those that there were at that time; a second more or less, as both are written to the second.
#[must_use]
pub fn at(all: &[Span], time: Timestamp) -> Vec<Session> {
    let second = time.as_second();
    let text = |second: i64| Timestamp::from_second(second).map(|at| format!("{at:.9}")).ok();
    all.iter()
        .filter(|span| span.since <= second + 1 && span.until.is_none_or(|until| until >= second - 1))
        .filter_map(|span| {
            Some(Session {
                user: span.user.clone(),
                tty: span.tty.clone(),
                from: span.from.clone(),
                since: text(span.since)?,
                until: span.until.and_then(text),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: i16, line: &str, user: &str, host: &str, at: u32) -> Vec<u8> {
        let mut bytes = vec![0; RECORD];
        bytes[..2].copy_from_slice(&kind.to_ne_bytes());
        for (from, text) in [(8, line), (44, user), (76, host)] {
            bytes[from..from + text.len()].copy_from_slice(text.as_bytes());
        }
        bytes[TIME..TIME + 4].copy_from_slice(&at.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_session_lasts_until_its_terminal_is_left_or_the_machine_starts() {
        let bytes = [
            record(USER_PROCESS, "pts/0", "alice", "10.0.0.3", 100),
            record(USER_PROCESS, "tty1", "bob", "", 110),
            record(DEAD_PROCESS, "pts/0", "", "", 200),
            record(USER_PROCESS, "pts/0", "carol", "10.0.0.4", 300),
            record(BOOT_TIME, "~", "reboot", "6.1", 400),
            record(USER_PROCESS, "pts/0", "dave", "", 500),
            vec![1, 2, 3],
        ]
        .concat();
        let all = spans(&bytes);
        let times: Vec<_> = all.iter().map(|span| (span.user.as_str(), span.since, span.until)).collect();
        assert_eq!(
            times,
            [("alice", 100, Some(200)), ("bob", 110, Some(400)), ("carol", 300, Some(400)), ("dave", 500, None)]
        );
        let there = |second: i64| -> Vec<String> {
            at(&all, Timestamp::from_second(second).unwrap()).into_iter().map(|session| session.user).collect()
        };
        assert_eq!(there(150), ["alice", "bob"]);
        assert_eq!(there(250), ["bob"]);
        assert_eq!(there(450), Vec::<String>::new());
        assert_eq!(there(1 << 31), ["dave"]);
    }

    #[test]
    fn logind_says_who_was_there_as_well() {
        let entry = |second, said| Entry { at: Timestamp::from_second(second).unwrap(), said };
        let start =
            |user: &str, boot| Said::SessionStart { session: "3".to_owned(), user: user.to_owned(), boot: Some(boot) };
        let stop = |boot| Said::SessionStop { session: "3".to_owned(), boot: Some(boot) };
        let times = |entries: &[Entry], booted| -> Vec<_> {
            of_journal(entries, booted).into_iter().map(|span| (span.user, span.since, span.until)).collect()
        };
        let alice = |until| ("alice".to_owned(), 10, until);
        assert_eq!(times(&[entry(10, start("alice", 1)), entry(20, stop(1))], None), [alice(Some(20))]);
        assert_eq!(of_journal(&[entry(10, start("alice", 1))], None)[0].tty, "session 3");
        // The machine was reset: by the next boot's first word, or by the start of this one.
        let reset = [entry(10, start("alice", 1)), entry(30, start("bob", 2)), entry(40, stop(2))];
        assert_eq!(times(&reset, None), [alice(Some(30)), ("bob".to_owned(), 30, Some(40))]);
        assert_eq!(times(&[entry(10, start("alice", 1))], Some((2, 25))), [alice(Some(25))]);
        assert_eq!(times(&[entry(10, start("alice", 1))], Some((1, 5))), [alice(None)]);
    }

    #[test]
    fn of_too_many_sessions_the_latest_are_kept() {
        let entry = |second: usize| Entry {
            at: Timestamp::from_second(i64::try_from(second).unwrap()).unwrap(),
            said: Said::SessionStart { session: second.to_string(), user: "x".to_owned(), boot: None },
        };
        let all = of_journal(&(0..=MAX_SESSIONS).map(entry).collect::<Vec<_>>(), None);
        assert_eq!((all.len(), all[0].since), (MAX_SESSIONS, 1));
    }
}
