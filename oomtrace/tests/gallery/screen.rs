//! A terminal's screen: what a text with colours, carriage returns and cleared lines leaves on it.

use unicode_width::UnicodeWidthChar as _;

/// How text is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    pub bold: bool,
    pub dim: bool,
    /// Letters and background are the other way round.
    pub reversed: bool,
    /// 0 to 7: black, red, green, yellow, blue, magenta, cyan, white.
    pub color: Option<u8>,
}

/// Text of one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Columns before it.
    pub column: usize,
    pub columns: usize,
    pub style: Style,
    pub text: String,
}

/// A line as a terminal has it; one that is wider than the terminal goes on in the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub spans: Vec<Span>,
}

impl Line {
    fn columns(&self) -> usize {
        self.spans.last().map_or(0, |span| span.column + span.columns)
    }

    fn put(&mut self, c: char, style: Style) {
        let (column, columns) = (self.columns(), c.width().unwrap_or(0));
        match self.spans.last_mut().filter(|span| span.style == style) {
            Some(span) => {
                span.columns += columns;
                span.text.push(c);
            }
            None => self.spans.push(Span { column, columns, style, text: c.to_string() }),
        }
    }
}

/// The screen after `text`, on a terminal that has `width` columns.
pub fn screen(text: &str, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    let mut style = Style::default();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let last = lines.last_mut().unwrap();
        match c {
            '\n' => lines.push(Line::default()),
            '\r' => *last = Line::default(),
            '\x1b' => {
                assert_eq!(rest.next(), Some('['), "{text:?}");
                let mut numbers = String::new();
                let end = loop {
                    match rest.next().unwrap() {
                        c if c.is_ascii_digit() || c == ';' => numbers.push(c),
                        end => break end,
                    }
                };
                match end {
                    // One of 256 colours, of which the first sixteen are the terminal's own.
                    'm' if numbers.starts_with("38;5;") => {
                        style.color = numbers[5..].parse::<u8>().ok().map(|number| number % 8)
                    }
                    'm' => numbers.split(';').for_each(|number| set(&mut style, number.parse().unwrap_or(0))),
                    // Clears to the end of the line, which is empty after a carriage return.
                    'K' => {}
                    other => panic!("a sequence that ends with {other:?}"),
                }
            }
            c => {
                if last.columns() + c.width().unwrap_or(0) > width {
                    lines.push(Line::default());
                }
                lines.last_mut().unwrap().put(c, style);
            }
        }
    }
    if lines.last() == Some(&Line::default()) {
        lines.pop();
    }
    lines
}

fn set(style: &mut Style, number: u8) {
    match number {
        0 => *style = Style::default(),
        1 => style.bold = true,
        2 => style.dim = true,
        7 => style.reversed = true,
        22 => (style.bold, style.dim) = (false, false),
        27 => style.reversed = false,
        30..=37 => style.color = Some(number - 30),
        39 => style.color = None,
        // The background that a terminal has by itself.
        49 => {}
        90..=97 => style.color = Some(number - 90),
        other => panic!("{other} is no style of this terminal"),
    }
}

/// The same as plain text: what is on the screen, but with lines of any length.
pub fn plain(text: &str) -> String {
    let lines = screen(text, usize::MAX);
    let text = |line: &Line| line.spans.iter().map(|span| span.text.as_str()).collect::<String>();
    lines.iter().map(|line| text(line) + "\n").collect()
}

#[test]
fn a_line_that_is_written_anew_stands_once() {
    let text = "a\n×2\r\x1b[K×3\n\x1b[1mb\x1b[0mc\n";
    assert_eq!(plain(text), "a\n×3\nbc\n");
    let bold = Style { bold: true, ..Style::default() };
    let spans = &screen(text, 80)[2].spans;
    assert_eq!(
        spans.iter().map(|span| (span.column, span.style)).collect::<Vec<_>>(),
        [(0, bold), (1, Style::default())]
    );
    assert_eq!(screen("abcdef\n", 4).len(), 2);
}
