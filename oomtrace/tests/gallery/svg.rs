//! A picture of a terminal.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::screen::{Line, Span, Style};

/// Units of a column and a line, of letters of 14 units.
const COLUMN: f64 = 8.4;
const LINE: usize = 20;
const LETTERS: usize = 14;
/// Around the text.
const MARGIN: usize = 16;
/// The window's title.
const BAR: usize = 30;

const BACKGROUND: &str = "#16181d";
const FRAME: &str = "#2a2e37";
const TEXT: &str = "#d8dce5";
const BRIGHT: &str = "#ffffff";
/// Not so dim that it could not be read (7:1 on the background).
const DIM: &str = "#a0a6b3";
const COLORS: [&str; 8] = ["#5c6370", "#ff7b85", "#9ece6a", "#f0c674", "#82aaff", "#d6a6ff", "#6fd3e0", "#ffffff"];

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn fill(style: Style) -> &'static str {
    match style {
        Style { reversed: true, .. } => BACKGROUND,
        Style { color: Some(color), .. } => COLORS[usize::from(color)],
        Style { dim: true, .. } => DIM,
        Style { bold: true, .. } => BRIGHT,
        _ => TEXT,
    }
}

/// A part of a span that has no two blanks beside each other: viewers make one of them.
struct Part {
    column: usize,
    text: String,
}

fn parts(span: &Span) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut column, mut blanks) = (span.column, 2);
    for c in span.text.chars() {
        match (c, parts.last_mut()) {
            (' ', _) => blanks += 1,
            (c, Some(last)) if blanks < 2 => {
                last.text.extend(std::iter::repeat_n(' ', blanks).chain([c]));
                blanks = 0;
            }
            (c, _) => {
                parts.push(Part { column, text: c.to_string() });
                blanks = 0;
            }
        }
        column += c.width().unwrap_or(0);
    }
    parts
}

/// The picture of `lines` on a terminal of `width` columns: `title` is what it shows, `text` what it says, for who cannot see it.
pub fn svg(title: &str, text: &str, lines: &[Line], width: usize) -> String {
    let whole = (width as f64 * COLUMN).ceil() as usize + 2 * MARGIN;
    let high = BAR + lines.len() * LINE + 2 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {high}\" width=\"{whole}\" height=\"{high}\" role=\"img\" \
         aria-labelledby=\"title desc\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n",
        escape(title),
        escape(text.trim_end())
    );
    // Writing to a String cannot fail.
    _ = writeln!(
        out,
        "<rect width=\"{whole}\" height=\"{high}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <path d=\"M0 {BAR}V8a8 8 0 0 1 8-8H{}a8 8 0 0 1 8 8V{BAR}z\" fill=\"{FRAME}\"/>\n\
         <g fill=\"#5c6370\"><circle cx=\"18\" cy=\"15\" r=\"5\"/>\
         <circle cx=\"36\" cy=\"15\" r=\"5\"/><circle cx=\"54\" cy=\"15\" r=\"5\"/></g>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace\" font-size=\"{LETTERS}\" \
         fill=\"{TEXT}\" xml:space=\"preserve\">",
        whole - 8
    );
    for (number, line) in lines.iter().enumerate() {
        let y = BAR + MARGIN + number * LINE + LETTERS;
        for span in line.spans.iter().filter(|span| span.style.reversed) {
            let (x, width) = (MARGIN as f64 + span.column as f64 * COLUMN, span.columns as f64 * COLUMN);
            let (top, color) = (y - LETTERS - 1, fill(Style { reversed: false, ..span.style }));
            _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{LINE}\" fill=\"{color}\"/>"
            );
        }
        for (span, part) in line.spans.iter().flat_map(|span| parts(span).into_iter().map(move |part| (span, part))) {
            // A viewer may have letters of another width: each part is as wide as it is here.
            let x = MARGIN as f64 + part.column as f64 * COLUMN;
            let bold = if span.style.bold { " font-weight=\"bold\"" } else { "" };
            _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{bold}>{}</text>",
                part.text.width() as f64 * COLUMN,
                fill(span.style),
                escape(&part.text)
            );
        }
    }
    out + "</g>\n</svg>\n"
}
