//! The API server, asked through the node's `kubectl proxy`: a kubectl for each question takes an emulated machine seconds, and many are asked
//! again and again until the answer is another one.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Where `kubectl proxy` listens, in the node's network namespace (`xtask/src/k8s/node.rs`).
const PORT: u16 = 8001;
/// So long an answer is waited for.
const WITHIN: Duration = Duration::from_secs(60);

/// An answer that is no success: its status, and what it says.
#[derive(Debug)]
pub struct Refused {
    /// None: no answer came.
    pub status: Option<u16>,
    #[expect(dead_code, reason = "it is read in a panic's message, which dead code does not count")]
    pub said: String,
}

/// What is at a path; none when there is no such thing, or no answer.
pub fn get(path: &str) -> Option<Value> {
    ask("GET", path, None).ok()
}

/// Makes an object, and gives what was made of it.
pub fn post(path: &str, object: &Value) -> Result<Value, Refused> {
    ask("POST", path, Some(object))
}

/// Has it deleted; `options` as `DeleteOptions` has them.
pub fn delete(path: &str, options: &Value) -> Result<Value, Refused> {
    ask("DELETE", path, Some(options))
}

/// A value in a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn ask(method: &str, path: &str, object: Option<&Value>) -> Result<Value, Refused> {
    let unanswered = |error: std::io::Error| Refused { status: None, said: error.to_string() };
    let answer = exchange(method, path, object).map_err(unanswered)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let status: Option<u16> = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    match status {
        Some(200..300) => Ok(serde_json::from_str(body).unwrap()),
        _ => Err(Refused { status, said: body.to_owned() }),
    }
}

/// In HTTP/1.0, whose answers end with the connection.
fn exchange(method: &str, path: &str, object: Option<&Value>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
    stream.set_read_timeout(Some(WITHIN))?;
    let body = object.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
