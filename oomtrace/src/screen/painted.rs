//! Text with the colours that oomtrace itself gives it, as a screen draws it. Everything else in such a text is escaped already.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// The lines of a text whose only sequences are those that set colours; others are left out.
#[must_use]
pub fn lines(text: &str) -> Vec<Line<'static>> {
    let mut style = Style::new();
    text.lines().map(|line| spans(line, &mut style)).collect()
}

fn spans(line: &str, style: &mut Style) -> Line<'static> {
    let mut parts = line.split("\x1b[");
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut push = |text: &str, style: Style| {
        // Nothing that is not text gets onto the screen, whatever comes.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        if !text.is_empty() {
            spans.push(Span::styled(text, style));
        }
    };
    push(parts.next().unwrap_or_default(), *style);
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        let (numbers, rest) = end.and_then(|end| Some((part.get(..end)?, part.get(end..)?))).unwrap_or(("", ""));
        if let Some(rest) = rest.strip_prefix('m') {
            numbers.split(';').for_each(|number| set(style, number));
            push(rest, *style);
        } else {
            push(rest.get(1..).unwrap_or_default(), *style);
        }
    }
    Line::from(spans)
}

fn set(style: &mut Style, number: &str) {
    const COLORS: [Color; 8] =
        [Color::Black, Color::Red, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan, Color::Gray];
    match number.parse().unwrap_or(0) {
        1 => *style = style.add_modifier(Modifier::BOLD),
        2 => *style = style.add_modifier(Modifier::DIM),
        number @ 30..=37 => {
            if let Some(color) = COLORS.get(number - 30) {
                *style = style.fg(*color);
            }
        }
        0 => *style = Style::new(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_kept_and_nothing_else_that_a_terminal_would_act_upon() {
        let all = lines("a\x1b[1m\x1b[31mKILL\x1b[0m b\n\x1b[36mc\x1b[0m\x1b[2Jd\x07\n\n\x1b[");
        let shown: Vec<Vec<(String, Style)>> = all
            .iter()
            .map(|line| line.spans.iter().map(|span| (span.content.to_string(), span.style)).collect())
            .collect();
        let plain = Style::new();
        let kill = plain.add_modifier(Modifier::BOLD).fg(Color::Red);
        let text = |text: &str, style| (text.to_owned(), style);
        assert_eq!(shown[0], [text("a", plain), text("KILL", kill), text(" b", plain)]);
        assert_eq!(shown[1], [text("c", plain.fg(Color::Cyan)), text("d", plain)]);
        assert_eq!((shown.len(), shown[2].len(), shown[3].len()), (4, 0, 0));
    }
}
