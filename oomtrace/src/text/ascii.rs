//! Finished text for a terminal that shows ASCII alone: as many columns as before, so that tables and breaks stay as they are.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_width::UnicodeWidthChar as _;

/// `text` with each other character as one of ASCII's that looks like it; `?` for what has none.
#[must_use]
pub fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => shown.push(c),
            '·' | '–' | '—' | '─' => shown.push('-'),
            '×' => shown.push('x'),
            '…' => shown.push('~'),
            '→' => shown.push('>'),
            '←' => shown.push('<'),
            '↑' => shown.push('^'),
            '‘' | '’' => shown.push('\''),
            '“' | '”' => shown.push('"'),
            'µ' | 'μ' => shown.push('u'),
            '│' | '├' => shown.push('|'),
            '└' | '┌' | '┐' | '┘' => shown.push('+'),
            '█'..='▏' => shown.push('#'),
            other => shown.extend(std::iter::repeat_n('?', other.width().unwrap_or(1))),
        }
    }
    Cow::Owned(shown)
}

/// Writes text, as [`ascii`] has it where that is wanted; what is no whole text stays as it is.
#[derive(Debug)]
pub struct Ascii<W: Write> {
    out: W,
    is_wanted: bool,
}

impl<W: Write> Ascii<W> {
    pub const fn new(out: W, is_wanted: bool) -> Self {
        Self { out, is_wanted }
    }
}

impl<W: Write> Write for Ascii<W> {
    /// All of it, or none counts.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) if self.is_wanted => self.out.write_all(ascii(text).as_bytes())?,
            _ => self.out.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn a_line_keeps_its_columns_and_what_it_says() {
        for (text, shown) in [
            ("docker 6c26… · nginx", "docker 6c26~ - nginx"),
            ("×4 in 3.2 s → 5 µs", "x4 in 3.2 s > 5 us"),
            ("“a” ‘b’", "\"a\" 'b'"),
            ("\u{1b}[1m███▏\u{1b}[0m│", "\u{1b}[1m####\u{1b}[0m|"),
            ("é 漢 e\u{301}", "? ?? e"),
            ("plain", "plain"),
        ] {
            assert_eq!((ascii(text).as_ref(), ascii(text).width()), (shown, text.width()), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_mapped_and_bytes_are_left() {
        for (is_wanted, expected) in [(true, &b"x4\xff"[..]), (false, b"\xc3\x974\xff")] {
            let mut written = Ascii::new(Vec::new(), is_wanted);
            write!(written, "×{}", 4).unwrap();
            written.write_all(b"\xff").unwrap();
            assert_eq!(written.out, expected);
        }
    }
}
