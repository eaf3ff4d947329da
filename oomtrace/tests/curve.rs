//! `oomtrace curve`, as it is called.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails by panicking")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// With that on standard input.
fn curve(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oomtrace"));
    command.arg("curve").args(arguments).env("TZ", "UTC");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that does not read it has a reason.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// A day and a half, 8 MiB an hour.
fn leak() -> String {
    let mut text = String::new();
    for minute in (0..36 * 60_u64).step_by(5) {
        let bytes = (80 << 20) + minute * (8 << 20) / 60;
        writeln!(text, r#"{{"t":{},"anon_bytes":{bytes},"limit_bytes":536870912}}"#, 1_760_000_000 + minute * 60)
            .unwrap();
    }
    text
}

#[test]
fn a_leak_is_one_in_json_and_in_words() {
    let output = curve(&["--json", "-"], &leak());
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["verdict"], &said["confidence"]), (&json!("leak"), &json!("likely")));
    assert_eq!(said["advised_limit_bytes"], Value::Null);
    // 432 MiB at 8 MiB an hour.
    let reached = &said["limit_reached_at"];
    let expected = 1_760_000_000.0 + 54.0 * 3600.0;
    assert!((reached["median"].as_f64().unwrap() - expected).abs() < 3600.0, "{reached}");
    assert!(reached["low"].as_f64().unwrap() < expected && reached["high"].as_f64().unwrap() > expected, "{reached}");
    let keys: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
    let mut named =
        ["verdict", "confidence", "since", "bytes_per_hour", "limit_reached_at", "advised_limit_bytes", "why"];
    named.sort_unstable();
    assert_eq!(keys, named);

    let output = curve(&["-"], &leak());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a leak (likely), since 2025-10-09 08:53: climbing for 36 h, by 8 MiB/h"), "{text}");
    assert!(text.contains("512 MiB ┤") && text.contains('⣿') && !text.contains('\x1b'), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100 && line.trim_end() == line), "{text}");
}

#[test]
fn hours_without_samples_are_named_and_not_counted() {
    let mut text = String::new();
    for index in 0..72_u64 {
        let t = 1_760_000_000 + index * 300 + if index < 36 { 0 } else { 72_000 };
        let bytes = (200 + index) << 20;
        writeln!(text, r#"{{"t":{t},"anon_bytes":{bytes},"limit_bytes":1073741824}}"#).unwrap();
    }
    let text = String::from_utf8(curve(&["-"], &text).stdout).unwrap();
    assert!(text.contains("climbing (likely), since 2025-10-09 08:53: climbing for 5.9 h, by 12 MiB/h"), "{text}");
    assert!(text.contains("\nno samples from 2025-10-09 11:48 to 2025-10-10 07:53\n"), "{text}");
    assert!(text.contains("\nno limit is advised: if it goes on climbing"), "{text}");
}

#[test]
fn what_is_no_curve_is_one_clear_line() {
    for (arguments, input, why) in [
        (&["-"][..], "", "oomtrace: standard input is no memory curve: it is empty\n"),
        (
            &["--json", "-"],
            "x\n",
            "oomtrace: standard input is no memory curve: line 1: it has no column t, and JSON begins with { or [\n",
        ),
        (&["/nowhere"], "", "oomtrace: cannot read /nowhere: No such file or directory (os error 2)\n"),
    ] {
        let output = curve(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), why);
    }
}
