//! Events as they came, for whoever debugs a kernel.

use serde_json::Value;

use crate::event::Event;
use crate::model::{KernelEvent, Record};

/// The record of an event.
#[must_use]
pub fn record(event: &Event) -> Record {
    // An event is a struct, and has no map whose keys are not strings: nothing fails.
    let fields = match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let mut fields: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
    let kind = match fields.remove("kind") {
        Some(Value::String(kind)) => kind,
        _ => String::new(),
    };
    // It is beside the fields.
    fields.remove("at");
    Record::Event(KernelEvent { kind, boot_ns: event.at(), fields })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::fixture;
    use crate::event::{Arguments, Signal};

    #[test]
    fn an_event_is_its_fields_by_name() {
        let mut signal = Signal { stack: vec![0xffff_ffff_8100_0000], ..fixture::signal(10, 20) };
        signal.cmdline = Arguments::new(b"kill\0-9\x000020\0");
        let Record::Event(event) = record(&Event::Signal(Box::new(signal))) else { panic!("no event") };
        assert_eq!((event.kind.as_str(), event.boot_ns), ("signal", 1_000_000_000));
        let field = |name: &str| serde_json::to_string(&event.fields[name]).unwrap();
        for (name, expected) in [
            ("number", "9"),
            ("info", r#"{"real":0}"#),
            ("outcome", r#""delivered""#),
            ("stack", r#"["0xffffffff81000000"]"#),
            ("cmdline", r#"["kill","-9","0020"]"#),
        ] {
            assert_eq!(field(name), expected, "{name}");
        }
        assert_eq!(event.fields["victim"]["key"]["pid"], 20);
        assert!(!event.fields.contains_key("kind") && !event.fields.contains_key("at"));
    }
}
