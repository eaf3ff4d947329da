//! A curve in characters: braille dots, two columns and four rows a character, from 0 at the bottom.

/// One row of characters that every terminal has, from `_` to `#`; `parts` as for [`braille_parts`].
#[must_use]
pub fn ascii(parts: &[Vec<(f64, f64)>], width: usize) -> String {
    const LEVELS: &[u8] = b"_.:-=+*%#";
    let rows = LEVELS.len() - 1;
    // A column is as high as its higher half, of so many rows of dots.
    let dots = braille_parts(parts, width, rows);
    let height = |column: usize| {
        dots.iter().filter(|row| row.chars().nth(column).is_some_and(|cell| cell != '\u{2800}')).count()
    };
    (0..width).filter_map(|column| LEVELS.get(height(column).min(rows))).map(|level| char::from(*level)).collect()
}

/// Rows of characters, the highest first, each so wide. `points`: from 0 to 1 in both directions, in the order of their x; what lies
/// beyond is at the edge. Columns between two points are on the line between them, but for the last two: what came at the end came at once, as far as
/// anybody saw.
#[must_use]
pub fn braille(points: &[(f64, f64)], width: usize, rows: usize) -> Vec<String> {
    braille_parts(&[points.to_vec()], width, rows)
}

/// The same of several curves on one scale, with nothing between the end of one and the beginning of the next.
#[must_use]
pub fn braille_parts(parts: &[Vec<(f64, f64)>], width: usize, rows: usize) -> Vec<String> {
    let mut cells = vec![vec![0_u8; width]; rows];
    for points in parts {
        draw(&mut cells, points, width, rows);
    }
    cells
        .iter()
        .map(|row| row.iter().map(|dots| char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' ')).collect())
        .collect()
}

fn draw(cells: &mut [Vec<u8>], points: &[(f64, f64)], width: usize, rows: usize) {
    let (columns, levels) = (width * 2, rows * 4);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let mut before = *first;
    let mut rest = points.iter().copied().peekable();
    for column in 0..columns {
        let x = (column as f64 + 0.5) / columns as f64;
        // The highest in this column's width, so that a spike is seen however wide the curve is.
        let mut highest = f64::NEG_INFINITY;
        // The last point is within the last column.
        let end = if column + 1 == columns { f64::INFINITY } else { (column as f64 + 1.0) / columns as f64 };
        while let Some(point) = rest.next_if(|point| point.0 < end) {
            highest = highest.max(point.1);
            before = point;
        }
        if x < first.0 - 1.0 / columns as f64 || x > last.0 + 1.0 / columns as f64 {
            continue;
        }
        let after = rest.peek().copied().filter(|_| rest.len() > 1);
        let value = if highest.is_finite() { highest } else { between(before, after, x) };
        let level = (value.clamp(0.0, 1.0) * levels as f64).ceil().max(1.0) as usize;
        fill(cells, column, level.min(levels), rows);
    }
}

fn between(before: (f64, f64), after: Option<(f64, f64)>, x: f64) -> f64 {
    match after {
        Some(after) if after.0 > before.0 => {
            before.1 + (after.1 - before.1) * ((x - before.0) / (after.0 - before.0)).clamp(0.0, 1.0)
        }
        _ => before.1,
    }
}

/// Dots of the left and the right column, from the bottom up, as Unicode numbers them.
const DOTS: [[u8; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];

/// Fills a column up to that level.
fn fill(cells: &mut [Vec<u8>], column: usize, level: usize, rows: usize) {
    for dot in 0..level {
        let (up, within) = (dot / 4, dot % 4);
        let cell = rows.checked_sub(up + 1).and_then(|row| cells.get_mut(row)).and_then(|row| row.get_mut(column / 2));
        let bit = DOTS.get(column % 2).and_then(|dots| dots.get(within));
        if let (Some(cell), Some(bit)) = (cell, bit) {
            *cell |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_drawn_from_its_floor() {
        let ramp: Vec<(f64, f64)> = (0..=8).map(|n| (f64::from(n) / 8.0, f64::from(n) / 8.0)).collect();
        assert_eq!(braille(&ramp, 4, 1), ["⣀⣠⣴⣾"]);
        // It rose at its end, and is as high there as it came.
        assert_eq!(braille(&[(0.0, 0.1), (0.5, 0.1), (1.0, 1.0)], 4, 1), ["⣀⣀⣀⣸"]);
        assert_eq!(braille(&[(0.0, 1.0), (1.0, 1.0)], 3, 2), ["⣿⣿⣿", "⣿⣿⣿"]);
        assert_eq!(braille(&[(0.0, 0.0), (1.0, 0.0)], 2, 1), ["⣀⣀"]);
        // What is beyond is at the edge, and nothing is drawn where nothing is known.
        assert_eq!(braille(&[(0.5, 7.0), (1.0, -7.0)], 2, 1).len(), 1);
        assert_eq!(braille(&[], 2, 2), ["⠀⠀", "⠀⠀"]);
        assert_eq!(ascii(&[ramp], 4), ".-+#");
        assert_eq!(ascii(&[vec![(0.0, 0.0), (1.0, 0.0)]], 3), "...");
        assert_eq!(ascii(&[], 2), "__");
    }

    #[test]
    fn nothing_is_between_two_curves() {
        let parts = [vec![(0.0, 1.0), (0.25, 1.0)], vec![(0.75, 0.5), (1.0, 0.5)]];
        let rows = braille_parts(&parts, 8, 1);
        assert!(rows[0].starts_with('⣿') && rows[0].ends_with('⣤') && rows[0].contains('\u{2800}'), "{rows:?}");
    }

    #[test]
    fn a_spike_between_two_columns_is_seen() {
        let mut points: Vec<(f64, f64)> = (0..1000).map(|n| (f64::from(n) / 1000.0, 0.1)).collect();
        points[501].1 = 1.0;
        assert!(braille(&points, 4, 1)[0].chars().any(|c| matches!(c, '⣇' | '⣸')));
    }
}
