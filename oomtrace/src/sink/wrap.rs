//! Lays text out in a column: breaks at blanks, continues under the first line.

use std::borrow::Cow;

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthStr as _;

/// Breaks `text` into lines of at most `width` columns; a word that is longer than a line is cut. No width, no breaks.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<Cow<'_, str>> {
    let Some(width) = width.filter(|w| *w > 0) else { return vec![text.into()] };
    // Said here, as defaults depend on the features that others ask of the crate. A path is not cut at its hyphens.
    let options = Options::new(width)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(text.trim_start_matches(' '), options)
}

/// `text` in at most `width` columns, its middle replaced by an ellipsis where it was longer.
pub fn cut_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let start = fitting(text.chars(), room / 2);
    let end: String = fitting(text.chars().rev(), room - room / 2).chars().rev().collect();
    format!("{start}…{end}")
}

/// The first of `chars` that fit into `width` columns.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    chars
        .take_while(|c| {
            let columns = unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            let fits = columns <= left;
            left = left.saturating_sub(columns);
            fits
        })
        .collect()
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
            ("a-b /c-d", Some(4), vec!["a-b", "/c-d"]),
            ("a-bc-d", Some(4), vec!["a-bc", "-d"]),
            ("a  b   c", Some(4), vec!["a  b", "c"]),
            (" a ", Some(2), vec!["a"]),
        ] {
            assert_eq!(wrap(text, width), lines, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        assert_eq!(cut_middle("container", 9), "container");
        assert_eq!(cut_middle("container", 5), "co…er");
        assert_eq!(cut_middle("容器容器", 5), "容…器");
        assert_eq!(cut_middle("abc", 0), "…");
    }
}
