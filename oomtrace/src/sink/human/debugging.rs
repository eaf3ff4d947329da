//! What a block has at its end for whoever debugs a kernel: lines that are not wrapped, because they are read by column.

use std::fmt::Write as _;

use serde_json::Value;

use super::Look;
use super::block::{Block, DIM, LABEL};
use crate::model::{Candidates, Incident, KernelEvent, Skipped, UserFrame};
use crate::text::escape::escape;
use crate::text::quote::quote;
use crate::text::{bytes, duration_ms};

/// Candidates that text shows.
const ROWS: usize = 20;

impl Block {
    /// What was asked for besides; nothing where nothing was.
    pub(super) fn debugging(&mut self, incident: &Incident) {
        if let Some(frames) = &incident.signal.kernel_frames {
            self.list("stack", frames.iter().cloned());
        }
        if let Some(frames) = incident.oom.as_ref().and_then(|oom| oom.trigger_stack.as_ref()) {
            self.list("user", frames.iter().map(user_frame));
        }
        if let Some(candidates) = incident.oom.as_ref().and_then(|oom| oom.candidates.as_ref()) {
            self.list("choice", table(candidates).into_iter());
        }
    }

    /// One line each, the label before the first.
    fn list(&mut self, label: &str, lines: impl Iterator<Item = String>) {
        for (index, line) in lines.enumerate() {
            let label = self.paint(LABEL, &format!("{:<10}", if index == 0 { label } else { "" }));
            // Writing to a String cannot fail.
            _ = writeln!(self.text, "   {label}{}", self.paint(DIM, &escape(&line)));
        }
    }
}

/// The candidates' table: a line that says what it is worth, and one for each of the first.
fn table(candidates: &Candidates) -> Vec<String> {
    let Candidates { read_after_us, seen, incomplete, processes } = candidates;
    let when = match read_after_us {
        Some(us) => format!(", the others read from /proc until {} after the kill", duration_ms(us / 1000)),
        None => ", the others could not be read".to_owned(),
    };
    let more = if *incomplete { " at least" } else { "" };
    let mut lines = vec![format!("{seen}{more}; the victim's numbers are the kernel's{when}")];
    lines.push(format!("{:>10} {:>10} {:>10} {:>10} {:>5}  process", "points", "rss", "swap", "tables", "adj"));
    lines.extend(processes.iter().take(ROWS).map(|one| {
        let points = one.points.map_or_else(|| "?".to_owned(), |points| points.to_string());
        let sizes = [one.rss_bytes, one.swap_bytes, one.page_tables_bytes].map(bytes);
        let [rss, swap, tables] = sizes;
        let note = match (one.chosen, one.would_be_skipped) {
            (true, _) => "  chosen",
            (false, Some(Skipped::OomScoreAdj)) => "  never: oom_score_adj is -1000",
            (false, Some(Skipped::GlobalInit)) => "  never: the machine's first process",
            (false, None) => "",
        };
        let adj = one.oom_score_adj;
        format!("{points:>10} {rss:>10} {swap:>10} {tables:>10} {adj:>5}  {}[{}]{note}", quote(&one.comm), one.pid)
    }));
    let left = processes.len().saturating_sub(ROWS);
    if left > 0 {
        lines.push(format!("and {left} more; --json has them"));
    }
    lines
}

/// `[ 1234.567890123] signal  number=9 victim.key.pid=7 …`: the time as the kernel's log has it, then what is not null, by name. On one
/// line, whatever the terminal's width: it is searched, and not read.
pub(super) fn event(event: &KernelEvent, look: Look) -> String {
    let block = Block { text: String::new(), look };
    let (seconds, rest) = (event.boot_ns / 1_000_000_000, event.boot_ns % 1_000_000_000);
    let mut fields = Vec::new();
    event.fields.iter().for_each(|(name, value)| flatten(name, value, &mut fields));
    let time = block.paint(DIM, &format!("[{seconds:>6}.{rest:09}]"));
    let kind = block.paint(LABEL, &format!("{:<11}", escape(&event.kind)));
    format!("{time} {kind} {}\n", fields.join(" "))
}

/// Adds `name=value` for each number, text and list that `value` holds.
fn flatten(name: &str, value: &Value, to: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(part, value)| flatten(&format!("{name}.{part}"), value, to)),
        Value::Array(values) if values.iter().any(Value::is_object) => {
            let numbered = values.iter().enumerate();
            numbered.for_each(|(index, value)| flatten(&format!("{name}.{index}"), value, to));
        }
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(plain).collect();
            to.push(format!("{name}=[{}]", values.join(",")));
        }
        one => to.push(format!("{name}={}", plain(one))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text).into_owned(),
        other => escape(&other.to_string()).into_owned(),
    }
}

/// `malloc+0x1f in /usr/lib/libc.so.6+0x9a1f (build id 8a2f…)`, as far as it is known; else the address.
fn user_frame(frame: &UserFrame) -> String {
    let UserFrame { address, file, offset, build_id, function, function_offset } = frame;
    let at = |offset: Option<u64>| offset.map_or_else(String::new, |offset| format!("+{offset:#x}"));
    let function =
        function.as_ref().map(|name| format!("{}{} in ", quote(name), at(*function_offset))).unwrap_or_default();
    match (file, build_id) {
        (Some(file), Some(id)) => format!("{function}{}{} (build id {id})", quote(file), at(*offset)),
        (Some(file), None) => format!("{}{}", quote(file), at(*offset)),
        (None, Some(id)) => format!("{address:#x}: the file with build id {id}, at{}", at(*offset).replace('+', " ")),
        (None, None) => format!("{address:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Candidate;

    #[test]
    fn an_event_is_one_line_that_no_process_can_break() {
        let value = serde_json::json!({
            "number": 9, "group": true, "none": null,
            "victim": {"key": {"pid": 7}, "comm": "a b\n\u{1b}[2J"},
            "cmdline": ["x", "y z"], "ancestors": [{"uid": 0}, {"uid": 5}],
        });
        let fields = serde_json::from_value(value).unwrap();
        let event = KernelEvent { kind: "signal".to_owned(), boot_ns: 12_000_000_345, fields };
        let line = super::event(&event, Look::default());
        let start = "[    12.000000345] signal      ancestors.0.uid=0 ancestors.1.uid=5 cmdline=[x,'y z'] group=true number=9 victim.comm=";
        assert!(line.starts_with(start) && line.ends_with(" victim.key.pid=7\n"), "{line}");
        assert!(line.lines().count() == 1 && !line.contains('\u{1b}'), "{line:?}");
    }

    #[test]
    fn candidates_are_a_table_of_twenty_rows_at_most() {
        let one = |pid, chosen, would_be_skipped| Candidate {
            pid,
            comm: "a b".to_owned(),
            uid: Some(0),
            chosen,
            points: (pid != 3).then_some(-5),
            rss_bytes: 40 << 20,
            swap_bytes: 0,
            page_tables_bytes: 4096,
            oom_score_adj: 300,
            would_be_skipped,
        };
        let mut processes = vec![one(2, true, None), one(3, false, None), one(4, false, Some(Skipped::OomScoreAdj))];
        let candidates = |processes: &[Candidate]| Candidates {
            read_after_us: Some(3500),
            seen: 3,
            incomplete: false,
            processes: processes.to_vec(),
        };
        let lines = table(&candidates(&processes));
        assert_eq!(
            lines[0],
            "3; the victim's numbers are the kernel's, the others read from /proc until 3 ms after the kill"
        );
        assert_eq!(lines[2], "        -5     40 MiB        0 B      4 KiB   300  'a b'[2]  chosen");
        assert_eq!(lines[3], "         ?     40 MiB        0 B      4 KiB   300  'a b'[3]");
        assert!(lines[4].ends_with("never: oom_score_adj is -1000") && lines.len() == 5, "{lines:?}");
        processes.extend((5..30).map(|pid| one(pid, false, None)));
        assert_eq!(table(&candidates(&processes)).last().unwrap(), "and 8 more; --json has them");
    }

    #[test]
    fn a_frame_says_what_is_known_of_it() {
        for (file, offset, id, expected) in [
            (Some("/bin/a"), Some(0x1f), Some("8a2f"), "/bin/a+0x1f (build id 8a2f)"),
            (Some("/bin/a"), Some(0x1f), None, "/bin/a+0x1f"),
            (None, Some(0x1f), Some("8a2f"), "0x7f10: the file with build id 8a2f, at 0x1f"),
            (None, None, None, "0x7f10"),
        ] {
            let (file, build_id) = (file.map(str::to_owned), id.map(str::to_owned));
            let frame = UserFrame { address: 0x7f10, file, offset, build_id, function: None, function_offset: None };
            assert_eq!(user_frame(&frame), expected);
            let named = UserFrame { function: Some("mal\u{1b}loc".to_owned()), function_offset: Some(2), ..frame };
            let is_named = named.file.is_some() && named.build_id.is_some();
            let before = if is_named { "$'mal\\033loc'+0x2 in " } else { "" };
            assert_eq!(user_frame(&named), format!("{before}{expected}"));
        }
    }
}
