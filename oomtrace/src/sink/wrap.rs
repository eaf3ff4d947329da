//! Lays text out in a column: breaks at blanks, continues under the first line.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthStr as _;

/// Columns that a text has at least, however narrow the terminal is.
const NARROW: usize = 20;

/// Breaks `text` into lines of at most `width` columns. A word that is longer than a line loses its middle: a word is never broken. No
/// width, no breaks.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    wrap_behind(text, 0, 0, width)
}

/// The same where the first line begins at column `first` and the others at column `rest`, of a terminal that has `width`.
pub fn wrap_behind(text: &str, first: usize, rest: usize, width: Option<usize>) -> Vec<String> {
    let text = text.trim_start_matches(' ');
    let Some(width) = width.filter(|w| *w > 0) else { return vec![text.to_owned()] };
    let column = width.saturating_sub(rest).max(NARROW);
    let words = text.split(' ').map(|word| cut_middle(word, column)).collect::<Vec<_>>().join(" ");
    // A number is not parted from its unit.
    let words = joined(words.trim_end_matches(' '));
    let mut before = " ".repeat(first.saturating_sub(rest).min(column));
    let first_word = words.split(' ').next().unwrap_or_default().width();
    // Nothing of it fits behind what is there: it begins on a line of its own.
    let mut lines = if first_word > column - before.len() { vec![String::new()] } else { Vec::new() };
    if !lines.is_empty() {
        before.clear();
    }
    // Said here, as defaults depend on the features that others ask of the crate. A path is not broken at its hyphens.
    let options = Options::new(column)
        .initial_indent(&before)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false);
    let apart = |line: &str| line.strip_prefix(&before).unwrap_or(line).replace(JOINED, " ");
    lines.extend(textwrap::wrap(&words, options).iter().map(|line| apart(line)));
    lines
}

/// Stands for a blank at which no line is broken, and is as wide.
const JOINED: char = '\u{a0}';
/// What stands behind numbers.
const UNITS: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "ms", "s", "min", "h"];

/// With the blanks between numbers and their units as [`JOINED`].
fn joined(text: &str) -> String {
    let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit()) && word.parse::<f64>().is_ok();
    let is_unit = |word: &str| UNITS.contains(&word.trim_end_matches([',', ';', ':', '.', ')']));
    let mut all = String::with_capacity(text.len());
    let mut before = "";
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            let is_one = is_number(before.trim_start_matches('(')) && is_unit(word);
            all.push(if is_one { JOINED } else { ' ' });
        }
        all.push_str(word);
        before = word;
    }
    all
}

/// `text` in at most `width` columns, an ellipsis at its end where it was longer.
pub fn cut_end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    format!("{}…", fitting(text.chars(), width.saturating_sub(1)))
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
    fn lines_are_no_wider_than_the_column_and_words_stay_whole() {
        let word = "0123456789";
        let long = "/sys/fs/cgroup/system.slice/docker.service";
        for (text, width, lines) in [
            (format!("{word} {word} {word}"), Some(21), vec![format!("{word} {word}"), word.to_owned()]),
            (format!("{word} {word}"), None, vec![format!("{word} {word}")]),
            (String::new(), Some(20), vec![String::new()]),
            (format!("a {long}"), Some(20), vec!["a".to_owned(), "/sys/fs/c…er.service".to_owned()]),
            (format!("{word}-{word} b"), Some(21), vec![format!("{word}-{word}"), "b".to_owned()]),
            ("容器 ".repeat(5), Some(20), vec!["容器 容器 容器 容器".to_owned(), "容器".to_owned()]),
            (" a  b ".to_owned(), Some(20), vec!["a  b".to_owned()]),
            (
                "its limit is of 24 MiB; 3".to_owned(),
                Some(20),
                vec!["its limit is of".to_owned(), "24 MiB; 3".to_owned()],
            ),
            // Narrower than a text ever is.
            (format!("{word} {word}"), Some(3), vec![word.to_owned(), word.to_owned()]),
        ] {
            assert_eq!(wrap(&text, width), lines, "{text:?}");
        }
    }

    #[test]
    fn the_first_line_may_begin_behind_others() {
        let text = "one two three four five six seven";
        for (first, rest, width, lines) in [
            (20, 4, 32, vec!["one two", "three four five six seven"]),
            (4, 4, 32, vec!["one two three four five six", "seven"]),
            (30, 4, 32, vec!["", "one two three four five six", "seven"]),
        ] {
            assert_eq!(wrap_behind(text, first, rest, Some(width)), lines, "{first} {rest}");
        }
    }

    #[test]
    fn a_text_for_one_line_loses_its_end() {
        for (text, width, cut) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("容器", 3, "容…"), ("", 0, "")] {
            assert_eq!(cut_end(text, width), cut);
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
