//! Characters of bars and curves: those of Unicode, or of ASCII where a terminal knows no others.

use crate::text::plot::{self, braille_parts};

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    #[default]
    Unicode,
    Ascii,
}

impl Glyphs {
    /// A bar of so many columns: what is held, what else is used, and what is free. Shares are from 0 to 1. Whatever is held is seen.
    #[must_use]
    pub fn bar(self, held: f64, used: f64, width: usize) -> (String, String, String) {
        let columns = |share: f64| (share.clamp(0.0, 1.0) * width as f64).round() as usize;
        let (held, used) = (columns(held), columns(used));
        let used = used.max(held);
        let (full, light, free) = match self {
            Self::Unicode => ("█", "▒", "·"),
            Self::Ascii => ("#", "=", "."),
        };
        (full.repeat(held), light.repeat(used - held), free.repeat(width - used))
    }

    /// A curve in one line of so many columns. `points`: from 0 to 1 in both directions, in the order of their x.
    #[must_use]
    pub fn curve(self, points: &[(f64, f64)], width: usize) -> String {
        match self {
            Self::Unicode => self.plot(points, width, 1).pop().unwrap_or_default(),
            // Nothing known is nothing shown.
            Self::Ascii if points.is_empty() => " ".repeat(width),
            // What is known has a dot at the least.
            Self::Ascii => plot::ascii(&[points.to_vec()], width).replace('_', " "),
        }
    }

    /// The same in several lines, the highest first.
    #[must_use]
    pub fn plot(self, points: &[(f64, f64)], width: usize, rows: usize) -> Vec<String> {
        self.plot_parts(&[points.to_vec()], width, rows)
    }

    /// The same of several curves on one scale, with nothing between the end of one and the beginning of the next.
    #[must_use]
    pub fn plot_parts(self, parts: &[Vec<(f64, f64)>], width: usize, rows: usize) -> Vec<String> {
        let dots = braille_parts(parts, width, rows);
        match self {
            // A blank cell is written as a blank: some terminals show a box for it.
            Self::Unicode => dots.into_iter().map(|row| row.replace('\u{2800}', " ")).collect(),
            Self::Ascii => dots.into_iter().map(|row| ascii(&row)).collect(),
        }
    }

    /// What a plot's rows begin with.
    #[must_use]
    pub const fn axis(self) -> &'static str {
        match self {
            Self::Unicode => "┤",
            Self::Ascii => "|",
        }
    }

    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Unicode => "─",
            Self::Ascii => "-",
        }
    }

    #[must_use]
    pub const fn dot(self) -> &'static str {
        match self {
            Self::Unicode => "·",
            Self::Ascii => "|",
        }
    }
}

/// A row by the dots of the finer one: a column of characters has the higher of its two.
fn ascii(finer: &str) -> String {
    let height = |c: char| {
        let dots = u32::from(c).saturating_sub(0x2800);
        // From the bottom up, of both columns.
        [0xC0, 0x24, 0x12, 0x09].iter().take_while(|mask| dots & **mask != 0).count()
    };
    let shown = |c: char| match height(c) {
        0 => ' ',
        1 | 2 => '.',
        _ => '#',
    };
    finer.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_what_is_held_first_and_is_always_as_wide() {
        for (held, used, bar) in [
            (0.0, 0.0, "··········"),
            (0.5, 0.8, "█████▒▒▒··"),
            (0.94, 0.94, "█████████·"),
            (1.5, 0.0, "██████████"),
            (-1.0, 2.0, "▒▒▒▒▒▒▒▒▒▒"),
            (f64::NAN, f64::NAN, "··········"),
        ] {
            let (a, b, c) = Glyphs::Unicode.bar(held, used, 10);
            assert_eq!(format!("{a}{b}{c}"), bar, "{held} {used}");
        }
        let (a, b, c) = Glyphs::Ascii.bar(0.5, 0.8, 10);
        assert_eq!(format!("{a}{b}{c}"), "#####===..");
        assert_eq!(Glyphs::Unicode.bar(0.5, 0.5, 0), Default::default());
    }

    #[test]
    fn a_curve_is_as_wide_as_asked_in_both() {
        let ramp: Vec<(f64, f64)> = (0..=8).map(|n| (f64::from(n) / 8.0, f64::from(n) / 8.0)).collect();
        assert_eq!(Glyphs::Unicode.curve(&ramp, 4), "⣀⣠⣴⣾");
        let ascii = Glyphs::Ascii.curve(&ramp, 4);
        assert!(
            ascii.is_ascii() && ascii.len() == 4 && ascii.starts_with('.') && ascii.ends_with(['%', '#']),
            "{ascii}"
        );
        assert_eq!(Glyphs::Ascii.curve(&[], 3), "   ");
        assert_eq!(Glyphs::Unicode.plot(&ramp, 6, 3).len(), 3);
        assert!(Glyphs::Ascii.plot(&ramp, 6, 3).iter().all(|row| row.len() == 6));
    }
}
