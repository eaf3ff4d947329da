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

/// Writes text as [`ascii`] has it; what is no whole text stays as it is.
pub struct Ascii<W: Write>(pub W);

impl<W: Write> Write for Ascii<W> {
    /// All of it, or none counts.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(ascii(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
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
        let mut written = Ascii(Vec::new());
        write!(written, "×{}", 4).unwrap();
        written.write_all(b"\xff").unwrap();
        assert_eq!(written.0, b"x4\xff");
    }
}
