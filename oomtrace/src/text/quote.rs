//! Quotes what processes and users have named, as a shell would have it: it is one word to a reader, cannot pass for the words
//! around it, and pasted into a shell it is what it was.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text::escape::is_unsafe;

/// `text` as one word: as it is where nothing in it means anything, else in single quotes; with control characters, or others
/// that a terminal acts upon, in `$'…'` (bash, zsh, ksh, busybox).
#[must_use]
pub fn quote(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) {
        return Cow::Owned(escaped(text));
    }
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

/// It means nothing to a shell, wherever it stands, and nothing to a reader.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | ',' | '=' | '…')
}

fn escaped(text: &str) -> String {
    let mut quoted = String::from("$'");
    for c in text.chars() {
        // Writing to a String cannot fail.
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if is_unsafe(c) => {
                // By its bytes: a shell knows what \u means only where the locale does.
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    _ = write!(quoted, "\\{byte:03o}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const CASES: &[(&str, &str)] = &[
        ("nginx", "nginx"),
        ("--limit=512M,x", "--limit=512M,x"),
        ("/usr/bin/Ångström", "/usr/bin/Ångström"),
        ("", "''"),
        ("daemon off;", "'daemon off;'"),
        ("it's", r"'it'\''s'"),
        ("kill -9 1  <  kubelet[812]", "'kill -9 1  <  kubelet[812]'"),
        ("$(reboot)", "'$(reboot)'"),
        ("*", "'*'"),
        ("~", "'~'"),
        ("#x", "'#x'"),
        ("a\\b", r"'a\b'"),
        ("a\nb\t'c'\\\x1b[2J", r"$'a\nb\t\'c\'\\\033[2J'"),
        ("evil\u{202e}txt", r"$'evil\342\200\256txt'"),
    ];

    #[test]
    fn what_a_shell_or_a_reader_would_take_for_more_than_a_word_is_quoted() {
        for (text, quoted) in CASES {
            assert_eq!(quote(text), *quoted);
        }
    }

    #[test]
    fn a_shell_reads_what_was_quoted() {
        for (text, quoted) in CASES {
            let output = Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), *text, "{quoted}");
        }
    }
}
