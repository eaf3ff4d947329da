//! The JSON contract, as it is written down: `docs/contract.md` is rendered from the types' doc comments, and `schema.json` beside this
//! file is the schema itself. Both are compared here, so that no change of the contract goes unseen. `UPDATE=1` writes them anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const REFRESH: &str = "UPDATE=1 cargo test -p oomtrace --test contract";

const HEAD: &str = "\
# The JSON contract

<!-- Generated from the types in oomtrace/src/model. Do not edit: change the doc comments there, then run
     `UPDATE=1 cargo test -p oomtrace --test contract`. -->

`oomtrace --json` writes one JSON object a line: a record. `oomtrace replay FILE --json` writes the same ones. `oomtrace schema` prints
the JSON Schema that this page is made from.

- A record's `type` says what it is. The first line is always `ready`.
- Every field is always present. Unknown or not applicable is `null`, never a made-up value.
- Times are RFC 3339 in UTC with nanoseconds. Sizes are in bytes. A duration says its unit in its name.
- A `pid` is the host's, and that of the thread group.
- Fields may be added at any time. A field that changes its meaning or goes away makes a new `schema` number.
- Strings are as processes, containers and labels have them: hostile ones among them. JSON escapes control characters; whoever prints a
  string to a terminal has to escape it again.

One line, shortened:

```json
{\"type\":\"incident\",\"schema\":1,\"id\":\"18ea58b4c3ec11ea-63494450-16416\",\"time\":\"2026-11-22T10:55:34.864949738Z\",
 \"verdict\":{\"cause\":\"oom_slice_limit\",\"confidence\":\"likely\",\"summary\":\"…\",\"evidence\":[…],\"advice\":[…]},
 \"victim\":{\"pid\":16416,\"comm\":\"python3\",\"cmdline\":[\"python3\",\"-c\",\"x=bytearray(200<<20)\"],\"container_init\":false,…},
 \"container\":null,\"sender\":{\"kind\":\"kernel\",\"process\":null,…},\"trigger\":{\"pid\":16416,…},
 \"signal\":{\"number\":9,\"path\":\"oom_kill\",\"kernel_stack\":[\"__send_signal_locked\",\"do_send_sig_info\",\"__oom_kill_process\",…]},
 \"oom\":{\"scope\":\"memcg\",\"limit_owner\":{\"path\":\"/oomx\",\"level\":\"slice\",\"limit_bytes\":20971520,…},…},
 \"attribution\":\"partial\",\"missing\":[\"which limit was hit is read off the counters: …\"]}
```

";

/// What `oomtrace schema` prints.
fn schema(of: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_oomtrace")).args(["schema", of]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `text` is what the file holds; `UPDATE=1` makes it so.
fn is_golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    let differs = golden.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| golden.lines().count().min(text.lines().count())) + 1;
    assert!(
        golden == text,
        "{} differs from line {line} on; if the contract is to change: {REFRESH}\nthere: {:?}\nnow:   {:?}",
        path.display(),
        golden.lines().nth(line - 1),
        text.lines().nth(line - 1),
    );
}

fn description(of: &Value) -> Option<&str> {
    of["description"].as_str()
}

/// The type that a `$ref` names.
fn referred(of: &Value) -> Option<&str> {
    of["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The field that names a record's type has a constant, and needs no words.
fn is_tag(property: &Value) -> bool {
    property.get("const").is_some()
}

/// Every part of `of` that has no description, by its path.
fn undescribed(of: &Value, path: &str, found: &mut Vec<String>) {
    if description(of).is_none_or(|text| text.trim().is_empty()) {
        found.push(path.to_owned());
    }
    for (name, property) in of["properties"].as_object().into_iter().flatten() {
        if !is_tag(property) && description(property).is_none() {
            found.push(format!("{path}.{name}"));
        }
    }
    // Variants without a doc comment are listed together.
    let lists = of["oneOf"].as_array().into_iter().flatten().chain([of]);
    for value in lists.flat_map(|variants| variants["enum"].as_array().into_iter().flatten()) {
        found.push(format!("{path}: {value}"));
    }
    for variant in of["oneOf"].as_array().into_iter().flatten() {
        let name = variant.get("const").or_else(|| variant["properties"]["type"].get("const"));
        if let Some(name) = name
            && description(variant).is_none()
        {
            found.push(format!("{path}: {name}"));
        }
    }
}

#[test]
fn everything_in_the_contract_explains_itself() {
    for of in ["stream", "ps", "signals", "why", "top"] {
        let schema = schema(of);
        let mut found = Vec::new();
        undescribed(&schema, of, &mut found);
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            undescribed(definition, name, &mut found);
        }
        assert!(found.is_empty(), "no doc comment in oomtrace/src/model or where the type is:\n{}", found.join("\n"));
    }
}

#[test]
fn what_is_missing_is_found() {
    let schema = serde_json::json!({
        "properties": {"type": {"const": "x"}, "a": {"type": "string"}, "b": {"description": "B."}},
        "oneOf": [{"enum": ["c"]}, {"const": "d"}, {"const": "e", "description": "E."}],
    });
    let mut found = Vec::new();
    undescribed(&schema, "T", &mut found);
    assert_eq!(found, ["T", "T.a", "T: \"c\"", "T: \"d\""]);
}

/// A field's type, for people.
fn type_of(of: &Value) -> String {
    if let Some(name) = referred(of) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(options) = of["anyOf"].as_array() {
        return options.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    let one = |name: &str| match name {
        "array" => match &of["items"] {
            Value::Object(_) => format!("array of {}", type_of(&of["items"])),
            _ => "array".to_owned(),
        },
        "object" => format!("object of {}", type_of(&of["additionalProperties"])),
        other => other.to_owned(),
    };
    match &of["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

/// Types that a definition names, in the order of its fields.
fn named(of: &Value, order: &[String]) -> Vec<String> {
    fn collect(of: &Value, found: &mut Vec<String>) {
        found.extend(referred(of).map(str::to_owned));
        of["anyOf"].as_array().into_iter().flatten().for_each(|option| collect(option, found));
        of.get("items").into_iter().for_each(|items| collect(items, found));
    }
    let mut found = Vec::new();
    order.iter().for_each(|name| collect(&of["properties"][name.as_str()], &mut found));
    found
}

/// The fields in the order of the type's own declaration, which a schema does not keep; those of a flattened type come first.
fn fields(name: &str, of: &Value, sources: &str) -> Vec<String> {
    let declared = sources.split_once(&format!("pub struct {name} {{")).map_or("", |(_, rest)| rest);
    let declared = declared.split_once("\n}").map_or(declared, |(body, _)| body);
    let flattened = sources.split_once("pub struct Process {").map_or("", |(_, rest)| rest);
    let at = |field: &str| {
        let line = format!("    pub {field}:");
        match (declared.find(&line), flattened.find(&line)) {
            (Some(at), _) => (1, at),
            (None, at) => (0, at.unwrap_or(usize::MAX)),
        }
    };
    let mut fields: Vec<String> =
        of["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    fields.sort_by_key(|field| at(field));
    fields
}

/// In a cell of a table.
fn cell(text: &str) -> String {
    assert!(!text.contains("[`"), "a link that only rustdoc knows: {text}");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}

/// Renders the types of `schema` that `queue` leads to, those done left out.
fn render_types(schema: &Value, sources: &str, mut queue: VecDeque<String>, done: &mut Vec<String>, text: &mut String) {
    while let Some(name) = queue.pop_front() {
        if done.contains(&name) {
            continue;
        }
        let definition = if schema["title"] == name.as_str() { schema } else { &schema["$defs"][name.as_str()] };
        _ = write!(text, "## {name}\n\n{}\n\n", description(definition).unwrap_or_default());
        let order = fields(&name, definition, sources);
        if order.is_empty() {
            text.push_str("| value | means |\n|---|---|\n");
            for variant in definition["oneOf"].as_array().into_iter().flatten() {
                let words = cell(description(variant).unwrap_or_default());
                _ = writeln!(text, "| `{}` | {words} |", variant["const"].as_str().unwrap());
            }
        } else {
            text.push_str("| field | type | is |\n|---|---|---|\n");
            for field in &order {
                let property = &definition["properties"][field.as_str()];
                let words = cell(description(property).unwrap_or_default());
                _ = writeln!(text, "| `{field}` | {} | {words} |", type_of(property));
            }
        }
        text.push('\n');
        queue.extend(named(definition, &order));
        done.push(name);
    }
}

fn sources() -> String {
    let mut files: Vec<PathBuf> =
        fs::read_dir(crate_dir().join("src/model")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let others = [
        "src/node/usage.rs",
        "src/container/list.rs",
        "src/memory/verdict.rs",
        "src/run/flight/row.rs",
        "src/screen/entry.rs",
        "src/screen/kills.rs",
        "src/screen/listing.rs",
    ];
    files.extend(others.map(|file| crate_dir().join(file)));
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Renders a table of a stream's records; the types that they lead to.
fn render_records(stream: &Value, text: &mut String) -> VecDeque<String> {
    text.push_str("| `type` | fields | is |\n|---|---|---|\n");
    let mut queue = VecDeque::new();
    for variant in stream["oneOf"].as_array().unwrap() {
        let kind = variant["properties"]["type"]["const"].as_str().unwrap();
        let words = cell(description(variant).unwrap_or_default());
        _ = writeln!(text, "| `{kind}` | {} | {words} |", type_of(variant));
        queue.extend(referred(variant).map(str::to_owned));
    }
    text.push('\n');
    queue
}

fn render() -> String {
    let (stream, ps, sources) = (schema("stream"), schema("ps"), sources());
    let mut text = HEAD.to_owned();
    text.push_str("## Records\n\n");
    let queue = render_records(&stream, &mut text);
    let mut done = Vec::new();
    render_types(&stream, &sources, queue, &mut done, &mut text);
    text.push_str("# The containers\n\n`oomtrace ps --json` writes one object a line, a [Listed](#listed); `oomtrace schema ps` prints its schema.\n\n");
    render_types(&ps, &sources, VecDeque::from(["Listed".to_owned()]), &mut done, &mut text);
    text.push_str("# The signals\n\n`oomtrace signals --json` writes one object a line; `oomtrace schema signals` prints their schema.\n\n");
    let signals = schema("signals");
    let queue = render_records(&signals, &mut text);
    render_types(&signals, &sources, queue, &mut done, &mut text);
    text.push_str("# Why\n\n`oomtrace why --json` writes one object; `oomtrace schema why` prints its schema.\n\n");
    let why = schema("why");
    let queue = render_records(&why, &mut text);
    render_types(&why, &sources, queue, &mut done, &mut text);
    text.push_str("# What nears its limit\n\n`oomtrace top --once --json` writes one object, a [Top](#top); `oomtrace schema top` prints its schema.\n\n");
    render_types(&schema("top"), &sources, VecDeque::from(["Top".to_owned()]), &mut done, &mut text);
    text.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_says_what_the_types_say() {
    is_golden(&crate_dir().join("../docs/contract.md"), &render());
}

#[test]
fn the_schema_is_the_one_that_was_agreed_on() {
    let text = serde_json::to_string_pretty(&schema("stream")).unwrap() + "\n";
    is_golden(&crate_dir().join("tests/schema.json"), &text);
}
