//! What a terminal shows, by its variables: whether it has more than ASCII, whether there are to be colours, and whether links are any use.

use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::text::ascii::Ascii;

/// What a path in an address has encoded (RFC 3986, 2.3 and 3.3).
const NOT_IN_PATHS: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Gives a variable of the environment.
pub trait Variable: Fn(&str) -> Option<String> {}

impl<F: Fn(&str) -> Option<String>> Variable for F {}

/// One of this process's own environment.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// What is written to `out` for a person: on a terminal that shows ASCII alone, in ASCII.
pub fn readable<W: Write + IsTerminal>(out: W) -> Ascii<W> {
    let is_wanted = shows_ascii(&out);
    Ascii::new(out, is_wanted)
}

/// It is a terminal that shows ASCII alone.
pub fn shows_ascii(out: &impl IsTerminal) -> bool {
    out.is_terminal() && shows_ascii_alone(variable)
}

/// By its locale a terminal has no UTF-8; where none is set, the console has few other characters.
pub fn shows_ascii_alone(variable: impl Variable) -> bool {
    match locale_has_utf8(&variable) {
        Some(has) => !has,
        None => variable("TERM").is_some_and(|term| term == "linux"),
    }
}

/// Whether characters are UTF-8 by the locale (locale(7)); none where no locale is set.
pub fn locale_has_utf8(variable: impl Variable) -> Option<bool> {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty())?;
    let locale = locale.to_ascii_lowercase();
    Some(locale.contains("utf-8") || locale.contains("utf8"))
}

/// Colours are shown by it, where nobody says whether they are wanted.
pub fn has_color(out: &impl IsTerminal) -> bool {
    out.is_terminal() && knows_color(variable)
}

/// The terminal knows colours, and nobody asked for none (no-color.org).
fn knows_color(variable: impl Variable) -> bool {
    let is_refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_refused && variable("TERM").is_some_and(|term| term != "dumb")
}

/// `text`, which is a link to the file on a terminal that has such links (OSC 8). `host`: this machine's name, for whoever reads it on another one.
pub fn linked(text: &str, file: &Path, host: &str, has_links: bool) -> String {
    if !has_links || !file.is_absolute() {
        return text.to_owned();
    }
    let encoded = |bytes: &[u8]| percent_encode(bytes, &NOT_IN_PATHS).to_string();
    let (host, path) = (encoded(host.as_bytes()), encoded(file.as_os_str().as_bytes()));
    format!("\x1b]8;;file://{host}{path}\x1b\\{text}\x1b]8;;\x1b\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &[(&str, &str)]) -> impl Variable {
        |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_first_locale_that_is_set_says_what_a_terminal_shows() {
        for (set, ascii) in [
            (&[("LANG", "en_US.UTF-8")][..], false),
            (&[("LANG", "de_DE.utf8"), ("LC_ALL", "")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], true),
            (&[("LC_CTYPE", "de_DE.ISO-8859-1"), ("LANG", "de_DE.UTF-8")], true),
            (&[("TERM", "xterm-256color")], false),
            (&[("TERM", "linux")], true),
        ] {
            assert_eq!(shows_ascii_alone(environment(set)), ascii, "{set:?}");
        }
    }

    #[test]
    fn a_link_is_for_a_terminal_that_has_links() {
        let file = Path::new("/tmp/a b;\u{e9}.html");
        let link = "\x1b]8;;file://node-1/tmp/a%20b%3B%C3%A9.html\x1b\\a b\x1b]8;;\x1b\\";
        assert_eq!(linked("a b", file, "node-1", true), link);
        assert_eq!(linked("a b", file, "node-1", false), "a b");
        assert_eq!(linked("a b", Path::new("a.html"), "node-1", true), "a b");
    }

    #[test]
    fn colours_are_for_a_terminal_that_knows_them() {
        for (set, has) in [
            (&[("TERM", "xterm-256color")][..], true),
            (&[("TERM", "linux"), ("NO_COLOR", "")], true),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], false),
            (&[("TERM", "dumb")], false),
            (&[], false),
        ] {
            assert_eq!(knows_color(environment(set)), has, "{set:?}");
        }
        // Not for what is no terminal, whatever the variables are.
        let file = tempfile::tempfile().unwrap();
        assert!(!has_color(&file) && !shows_ascii(&file));
    }
}
