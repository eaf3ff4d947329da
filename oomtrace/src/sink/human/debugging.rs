//! What a block has at its end for whoever debugs a kernel: lines that are not wrapped, because they are read by column.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Block, DIM, LABEL, Look};
use crate::model::{Incident, KernelEvent, UserFrame};
use crate::text::escape::escape;
use crate::text::quote::quote;

impl Block {
    /// What was asked for besides; nothing where nothing was.
    pub(super) fn debugging(&mut self, incident: &Incident) {
        if let Some(frames) = &incident.signal.kernel_frames {
            self.list("stack", frames.iter().cloned());
        }
        if let Some(frames) = incident.oom.as_ref().and_then(|oom| oom.trigger_stack.as_ref()) {
            self.list("user", frames.iter().map(user_frame));
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

/// `/usr/bin/node+0x1f20 (build id 8a2f…)`, as far as it is known; else the address.
fn user_frame(frame: &UserFrame) -> String {
    let UserFrame { address, file, offset, build_id } = frame;
    let at = |offset: Option<u64>| offset.map_or_else(String::new, |offset| format!("+{offset:#x}"));
    match (file, build_id) {
        (Some(file), Some(id)) => format!("{}{} (build id {id})", quote(file), at(*offset)),
        (Some(file), None) => format!("{}{}", quote(file), at(*offset)),
        (None, Some(id)) => format!("{address:#x}: the file with build id {id}, at{}", at(*offset).replace('+', " ")),
        (None, None) => format!("{address:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_frame_says_what_is_known_of_it() {
        for (file, offset, id, expected) in [
            (Some("/bin/a"), Some(0x1f), Some("8a2f"), "/bin/a+0x1f (build id 8a2f)"),
            (Some("/bin/a"), Some(0x1f), None, "/bin/a+0x1f"),
            (None, Some(0x1f), Some("8a2f"), "0x7f10: the file with build id 8a2f, at 0x1f"),
            (None, None, None, "0x7f10"),
        ] {
            let frame =
                UserFrame { address: 0x7f10, file: file.map(str::to_owned), offset, build_id: id.map(str::to_owned) };
            assert_eq!(user_frame(&frame), expected);
        }
    }
}
