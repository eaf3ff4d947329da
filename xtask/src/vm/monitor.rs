//! What QEMU says of a machine's state, by its own protocol (QMP) on a Unix socket: above all that it has paused it, which shows
//! nowhere else. A QEMU that does not say anything there is watched by other means.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long QEMU may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
/// QEMU's answers are some hundred bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// Watches the machine whose QEMU listens on `socket`; calls `paused` with its state (`internal-error`, `io-error`) when QEMU has
/// paused it. Ends with the machine, or when nobody listens.
pub fn watch(socket: PathBuf, paused: impl FnOnce(String) + Send + 'static) {
    std::thread::spawn(move || {
        if let Some(state) = connect(&socket).and_then(listen) {
            paused(state);
        }
    });
}

fn connect(socket: &PathBuf) -> Option<UnixStream> {
    let started = Instant::now();
    while started.elapsed() < LISTENS_WITHIN {
        if let Ok(stream) = UnixStream::connect(socket) {
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

/// The state in which QEMU has paused the machine; none when the machine ends.
fn listen(stream: UnixStream) -> Option<String> {
    let mut to = stream.try_clone().ok()?;
    // Leaves the negotiation, after which QEMU reports events.
    to.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").ok()?;
    let mut lines = BufReader::new(stream);
    let mut has_stopped = false;
    loop {
        let mut line = String::new();
        if (&mut lines).take(LONGEST_LINE).read_line(&mut line).ok()? == 0 {
            return has_stopped.then(|| "paused".to_owned());
        }
        match heard(&line) {
            Heard::Stop => {
                has_stopped = true;
                to.write_all(b"{\"execute\":\"query-status\"}\n").ok()?;
            }
            Heard::Status(state) if has_stopped => return Some(state),
            Heard::Status(_) | Heard::Other => {}
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// The machine was paused. Nobody here asks for that.
    Stop,
    /// The answer to `query-status`.
    Status(String),
    Other,
}

fn heard(line: &str) -> Heard {
    let Ok(message) = serde_json::from_str::<Value>(line) else { return Heard::Other };
    if message.get("event").and_then(Value::as_str) == Some("STOP") {
        return Heard::Stop;
    }
    match message.pointer("/return/status").and_then(Value::as_str) {
        Some(state) => Heard::Status(state.to_owned()),
        None => Heard::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_heard_and_its_state_is_asked_for() {
        for (line, expected) in [
            (r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#, Heard::Stop),
            (r#"{"return": {"status": "internal-error", "running": false}}"#, Heard::Status("internal-error".into())),
            (r#"{"QMP": {"version": {}, "capabilities": []}}"#, Heard::Other),
            (r#"{"timestamp": {}, "event": "RTC_CHANGE", "data": {"offset": 0}}"#, Heard::Other),
            ("", Heard::Other),
            ("{\"event\":", Heard::Other),
        ] {
            assert_eq!(heard(line), expected, "{line}");
        }
    }
}
