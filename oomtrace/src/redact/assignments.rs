//! Names and values in one string: `--password=x`, `KEY=x`, `{"password":"x"}`, `?token=x`, `Authorization: Bearer x`.

use crate::redact::names::{Class, class, is_header};
use crate::redact::shapes::{end_of, is_path_like, is_random};
use crate::redact::span::{MASK, Spans};

/// Bytes before a sign that are looked at for its name.
const MAX_NAME: usize = 128;

/// What the string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// One argument, or a label's value: a value reaches to its end where it starts with the name.
    Argument,
    /// Commands for a shell: a value is one word.
    Script,
}

/// Words that are choices, not secrets.
const CHOICES: &[&str] = &["true", "false", "yes", "no", "on", "off", "null", "none", "nil", "undefined"];
/// Choices where a name may be that of a method.
const METHODS: &[&str] =
    &["auto", "basic", "digest", "ntlm", "ldap", "kerberos", "gssapi", "oauth2", "md5", "plain", "any"];
/// Schemes of an `Authorization` header, which are shown.
const SCHEMES: &[&str] = &["bearer", "basic", "digest", "token", "negotiate", "apikey", "aws4-hmac-sha256"];

/// Adds the values in `text` whose names say that they are secret.
pub fn find(text: &[u8], context: Context, spans: &mut Spans) {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'=' | b':' => assigned(text, at, context, spans),
            b'\'' | b'"' => quoted_after_word(text, at, spans),
            _ => {}
        }
    }
}

/// The value behind the sign at `sign`, when the name before it is one of a secret's.
fn assigned(text: &[u8], sign: usize, context: Context, spans: &mut Spans) {
    let is_equal = text.get(sign) == Some(&b'=');
    let Some(name) = Name::before(text, sign, is_equal) else { return };
    let class = class(text.get(name.start..name.end).unwrap_or_default());
    if class == Class::Ordinary && !name.is_query_key(text) {
        return;
    }
    let next = text.get(sign + 1).copied();
    // An image's tag follows a colon, too: `secret:latest`.
    let has_scheme = is_header(text.get(name.start..name.end).unwrap_or_default());
    let is_header = name.is_first && has_scheme;
    let is_key =
        name.quote || is_header || next.is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'"' | b'\''));
    let is_option = name.is_first && text.first() == Some(&b'/');
    if !is_equal && !is_key && !is_option {
        return;
    }
    let behind = end_of(text, sign + 1, |byte| !(byte == b'=' && is_equal));
    let may_have_blanks = !is_equal || name.blanks || name.quote;
    let start = if may_have_blanks { end_of(text, behind, |byte| byte != b' ' && byte != b'\t') } else { behind };
    let (start, end) = value(text, start, &name, is_equal, context);
    let (start, end) = if has_scheme { (behind_scheme(text, start, end), end) } else { (start, end) };
    let value = text.get(start..end).unwrap_or_default();
    let class = if name.is_query_key(text) { Class::IfRandom.max(class) } else { class };
    if is_secret(value, class, context) {
        spans.add(start, end);
    }
}

/// A name before `=` or `:`.
struct Name {
    start: usize,
    end: usize,
    /// It stands in quotes, as JSON's do.
    quote: bool,
    /// Blanks are between it and the sign.
    blanks: bool,
    /// Nothing but dashes is before it.
    is_first: bool,
    /// What is before it, and its dashes.
    before: Option<u8>,
}

impl Name {
    fn before(text: &[u8], sign: usize, is_equal: bool) -> Option<Self> {
        let head = text.get(..sign)?;
        // What goes on for longer is no name: a hostile string costs no more time than another.
        let trimmed = |head: &[u8], is: fn(&u8) -> bool| {
            let passed = head.iter().rev().take(MAX_NAME).take_while(|byte| is(byte)).count();
            head.len().saturating_sub(passed)
        };
        // `:=`, `+=` and `?=` assign, too.
        let mut end = if is_equal { trimmed(head, |byte| matches!(byte, b':' | b'+' | b'=')) } else { sign };
        let unspaced = end;
        end = trimmed(head.get(..end)?, |byte| matches!(byte, b' ' | b'\t'));
        let blanks = end < unspaced;
        let quote = end.checked_sub(1).and_then(|at| head.get(at)).copied().filter(|byte| matches!(byte, b'"' | b'\''));
        if quote.is_some() {
            end -= 1;
            // JSON in JSON.
            end = trimmed(head.get(..end)?, |byte| *byte == b'\\');
        }
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let first = trimmed(head.get(..end)?, is_part);
        let dashes = head.get(first..end)?.iter().take_while(|byte| **byte == b'-').count();
        let start = first + dashes;
        (start < end).then(|| Self {
            start,
            end,
            quote: quote.is_some(),
            blanks,
            is_first: head.get(..first).is_some_and(|before| before.is_empty() || before == b"/"),
            before: first.checked_sub(1).and_then(|at| head.get(at)).copied(),
        })
    }

    /// It is a key in a URL's query whose value may be a secret.
    fn is_query_key(&self, text: &[u8]) -> bool {
        const KEYS: [&[u8]; 5] = [b"key", b"sig", b"signature", b"x-amz-credential", b"x-amz-signature"];
        let is_in_query = matches!(self.before, Some(b'?' | b'&'));
        is_in_query
            && KEYS.iter().any(|key| text.get(self.start..self.end).is_some_and(|name| name.eq_ignore_ascii_case(key)))
    }
}

/// From where to where the value goes that starts at `start`, its quotes left out.
fn value(text: &[u8], start: usize, name: &Name, is_equal: bool, context: Context) -> (usize, usize) {
    let escapes = end_of(text, start, |byte| byte != b'\\') - start;
    let is_whole = name.is_first && context == Context::Argument;
    match text.get(start + escapes).copied() {
        // A password may start with a quote where no shell takes it away.
        Some(quote @ (b'"' | b'\'')) if !(is_whole && is_equal) => {
            let inner = start + escapes + 1;
            return (inner, closing(text, inner, quote, escapes));
        }
        _ => {}
    }
    let end = match (context, name.before) {
        (Context::Argument, _) if name.is_first => text.len(),
        (_, Some(b'?' | b'&')) => {
            end_of(text, start, |byte| byte.is_ascii_whitespace() || matches!(byte, b'&' | b'#' | b'"' | b'\''))
        }
        (_, Some(b';')) => end_of(text, start, |byte| matches!(byte, b';' | b'"' | b'\n')),
        (Context::Argument, Some(b',')) => end_of(text, start, |byte| matches!(byte, b',' | b'}' | b'\n')),
        (_, _) if name.quote => end_of(text, start, |byte| matches!(byte, b',' | b'}' | b']' | b'\n')),
        (_, Some(quote @ (b'"' | b'\''))) => closing(text, start, quote, 0),
        (Context::Argument, Some(b'=' | b':')) => text.len(),
        _ => word_end(text, start),
    };
    // `Name: value` in a line of its own, as of a file or a header.
    let line = if is_equal {
        end
    } else {
        end.max(end_of(text, start, |byte| matches!(byte, b'\n' | b'"' | b'\'' | b',' | b'}')))
    };
    (start, if context == Context::Argument { line } else { end })
}

/// Where the quote closes that was opened before `at`, behind as many backslashes; else the text's end.
fn closing(text: &[u8], at: usize, quote: u8, escapes: usize) -> usize {
    let mut at = at;
    let mut seen = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => seen += 1,
            byte if *byte == quote && (seen == escapes || (quote == b'\'' && escapes == 0)) => {
                return at - seen.min(at);
            }
            _ => seen = 0,
        }
        at += 1;
    }
    text.len()
}

/// In place of the quote that opened `$'…'`, in which a backslash escapes a quote.
const ANSI_C: u8 = b'$';

/// Where the shell's word ends that `at` is in.
pub fn word_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    let mut quote = None;
    while let Some(byte) = text.get(at).copied() {
        match (quote, byte) {
            (Some(open), _) if open == byte || (open == ANSI_C && byte == b'\'') => quote = None,
            (Some(b'"' | ANSI_C) | None, b'\\') => at += 1,
            (Some(_), _) => {}
            (None, b'\'') if at > 0 && text.get(at - 1) == Some(&b'$') => quote = Some(ANSI_C),
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b';' | b'|' | b'&' | b')' | b'<' | b'>' | b'`') => return at,
            (None, byte) if byte.is_ascii_whitespace() => return at,
            (None, _) => {}
        }
        at += 1;
    }
    text.len()
}

/// Behind the scheme of an `Authorization`, which is shown.
fn behind_scheme(text: &[u8], start: usize, end: usize) -> usize {
    let blank = end_of(text, start, |byte| byte == b' ').min(end);
    let scheme = text.get(start..blank).unwrap_or_default();
    let is_scheme = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    let behind = end_of(text, blank, |byte| byte != b' ').min(end);
    if is_scheme && behind < end { behind } else { start }
}

/// `PASSWORD 'x'` and `IDENTIFIED BY 'x'`, as SQL has them; `password("x")`.
fn quoted_after_word(text: &[u8], quote: usize, spans: &mut Spans) {
    let head = text.get(..quote).unwrap_or_default();
    let trimmed = head.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'(')).map_or(0, |at| at + 1);
    if trimmed == head.len() {
        return;
    }
    let start =
        head.get(..trimmed).unwrap_or_default().iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let word = head.get(start..trimmed).unwrap_or_default();
    let is_identified = word.eq_ignore_ascii_case(b"by")
        && head.get(..start).unwrap_or_default().trim_ascii_end().to_ascii_lowercase().ends_with(b"identified");
    if is_identified || class(word) == Class::Secret {
        let open = text.get(quote).copied().unwrap_or(b'"');
        spans.add(quote + 1, closing(text, quote + 1, open, 0));
    }
}

/// Whether a value of a name of this class is hidden.
#[must_use]
pub fn is_secret(value: &[u8], class: Class, context: Context) -> bool {
    let is_one_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    // What the shell puts in its place is not on the command line yet.
    // `$'…'` and `$"…"` are quotes.
    let is_variable = context == Context::Script
        && matches!(unquoted(value.trim_ascii()), [b'$', next, ..] if !matches!(next, b'\'' | b'"'));
    if value.trim_ascii().is_empty() || value == MASK.as_bytes() || is_variable || is_one_of(CHOICES) {
        return false;
    }
    match class {
        Class::Ordinary => false,
        Class::IfRandom => is_random(value),
        Class::Likely => !is_path_like(value) && !is_one_of(METHODS),
        Class::Secret => true,
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, context: Context) -> String {
        let mut spans = Spans::default();
        find(text.as_bytes(), context, &mut spans);
        String::from_utf8(spans.mask(text.as_bytes())).unwrap()
    }

    #[test]
    fn values_behind_names_of_secrets() {
        for (text, expected) in [
            ("--password=x y;z", "--password=REDACTED"),
            ("--PASSWORD=x", "--PASSWORD=REDACTED"),
            ("-Dspring.datasource.password=x", "-Dspring.datasource.password=REDACTED"),
            ("AWS_SECRET_ACCESS_KEY=a/b+c=", "AWS_SECRET_ACCESS_KEY=REDACTED"),
            ("--env=PGPASSWORD=x y", "--env=PGPASSWORD=REDACTED"),
            ("-ePGPASSWORD=x", "-ePGPASSWORD=REDACTED"),
            ("https://h/x?a=1&token=abc&b=2", "https://h/x?a=1&token=REDACTED&b=2"),
            ("h/?sig=0123456789abcdefg&x", "h/?sig=REDACTED&x"),
            ("Server=h;Password=p w;User=u", "Server=h;Password=REDACTED;User=u"),
            ("username=u,password=p,vers=3", "username=u,password=REDACTED,vers=3"),
            (r#"{"user":"u","password":"a\"b","n":1}"#, r#"{"user":"u","password":"REDACTED","n":1}"#),
            (r#"{"a":"{\"token\":\"t\",\"b\":2}"}"#, r#"{"a":"{\"token\":\"REDACTED\",\"b\":2}"}"#),
            (r#"{"pin": 1234, "b": 2}"#, r#"{"pin": REDACTED, "b": 2}"#),
            ("{'password': 'x'}", "{'password': 'REDACTED'}"),
            ("{password:\"x\"}", "{password:\"REDACTED\"}"),
            ("Authorization: Bearer abc def", "Authorization: Bearer REDACTED"),
            ("Authorization:token", "Authorization:REDACTED"),
            ("X-Api-Key: abc", "X-Api-Key: REDACTED"),
            ("Cookie: a=b; c=d", "Cookie: REDACTED"),
            ("host=h password=x dbname=d", "host=h password=REDACTED dbname=d"),
            ("//registry.example/:_authToken=abc", "//registry.example/:_authToken=REDACTED"),
            ("/password:abc", "/password:REDACTED"),
            ("ALTER USER u WITH PASSWORD 'x' VALID", "ALTER USER u WITH PASSWORD 'REDACTED' VALID"),
            ("CREATE USER u IDENTIFIED BY 'x';", "CREATE USER u IDENTIFIED BY 'REDACTED';"),
            ("a: 1\npassword: x y\nb: 2", "a: 1\npassword: REDACTED\nb: 2"),
        ] {
            assert_eq!(masked(text, Context::Argument), expected, "{text}");
        }
        for (text, expected) in [
            ("PGPASSWORD=x psql -c 'select 1'", "PGPASSWORD=REDACTED psql -c 'select 1'"),
            ("export TOKEN=\"a b\"; run", "export TOKEN=\"REDACTED\"; run"),
            ("run --password='a b' -x", "run --password='REDACTED' -x"),
            ("curl -H 'Authorization: Bearer abc' h", "curl -H 'Authorization: Bearer REDACTED' h"),
        ] {
            assert_eq!(masked(text, Context::Script), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_values_stay() {
        for text in [
            "--password-file=/x",
            "--tokenizer=foo",
            "--secret-name=db",
            "--max-tokens=5",
            "--password=",
            "PWD=/root",
            "--private-key=/etc/k.pem",
            "--anonymous-auth=false",
            "--key=name",
            "myorg/secret:latest",
            "token:1.2",
            "8080:80",
            "a=b",
            "=",
            ":",
            "--auth=basic",
            "-oPasswordAuthentication=no",
            "it's a token's end",
        ] {
            assert_eq!(masked(text, Context::Argument), text);
        }
        for text in ["PASS=$OTHER run", "--password=\"$PASS\" x", "TOKEN= run"] {
            assert_eq!(masked(text, Context::Script), text);
        }
    }
}
