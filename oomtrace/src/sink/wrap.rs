//! Lays text out in a column: breaks at blanks, continues under the first line.

use unicode_width::UnicodeWidthStr as _;

/// Breaks `text` into lines of at most `width` columns; a word that is longer than a line is cut. No width, no breaks.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|w| *w > 0) else { return vec![text.to_owned()] };
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            let columns = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if line.width() + columns > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// `text` in at most `width` columns, with an ellipsis where it was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        let columns = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if short.width() + columns + 1 > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_the_column() {
        for (text, width, lines) in [
            ("one two three", Some(7), vec!["one two", "three"]),
            ("one two three", None, vec!["one two three"]),
            ("abcdefghij", Some(4), vec!["abcd", "efgh", "ij"]),
            ("容器容器", Some(4), vec!["容器", "容器"]),
            ("", Some(4), vec![""]),
            ("a bbbbbb", Some(4), vec!["a", "bbbb", "bb"]),
        ] {
            assert_eq!(wrap(text, width), lines, "{text:?}");
        }
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("container", 9), "container");
        assert_eq!(cut("container", 5), "cont…");
        assert_eq!(cut("容器容器", 5), "容器…");
    }
}
