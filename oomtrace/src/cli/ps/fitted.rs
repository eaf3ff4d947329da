//! What of a table of containers has room on a terminal.

use oomtrace::sink::wrap::{cut_end, cut_middle};
use unicode_width::UnicodeWidthStr as _;

/// Columns between two.
const APART: usize = 2;
/// What is left out first where there is no room, by its place: what it is, its runtime, its id, its kills. Which it is and how much it has stay.
const DISPENSABLE: [usize; 4] = [WHAT, 1, 2, 6];
const NAME: usize = 0;
const WHAT: usize = 7;
/// Less is not worth a column.
const LEAST_WHAT: usize = 10;
/// Names are cut to this before a column is left out, and not shorter than that.
const FAIR_NAME: usize = 20;
const LEAST_NAME: usize = 8;

/// The table's lines, of which the first is its header, with the columns that have room in `width`: what it is and its name are cut, and then columns
/// left out; all of it where there is no width. And the places of the columns that were kept.
pub fn fitted(lines: &[[String; 8]], width: Option<usize>) -> (Vec<usize>, Vec<Vec<String>>) {
    let widths: Vec<usize> = (0..8)
        .map(|column| lines.iter().filter_map(|line| Some(line.get(column)?.width())).max().unwrap_or(0))
        .collect();
    let mut kept: Vec<usize> = (0..8).collect();
    let sum =
        |kept: &[usize], of: &dyn Fn(usize) -> usize| kept.iter().map(|column| of(*column) + APART).sum::<usize>();
    let width_of = |column: usize| widths.get(column).copied().unwrap_or(0);
    let least = |column: usize| match column {
        NAME => width_of(NAME).min(FAIR_NAME),
        WHAT => width_of(WHAT).min(LEAST_WHAT),
        other => width_of(other),
    };
    // The last one has nothing behind it.
    let room = width.map_or(usize::MAX, |width| width.saturating_add(APART));
    for column in DISPENSABLE {
        if sum(&kept, &least) > room {
            kept.retain(|kept| *kept != column);
        }
    }
    let others = |cut: usize| sum(&kept, &|column| if column == cut { 0 } else { least(column) });
    let name = width_of(NAME).min(room.saturating_sub(others(NAME))).max(LEAST_NAME);
    let what = room.saturating_sub(others(WHAT).saturating_sub(least(NAME)).saturating_add(name));
    let cut = |line: &[String; 8]| {
        let cell = |column: &usize| {
            let text = line.get(*column).map(String::as_str).unwrap_or_default();
            match *column {
                NAME => cut_middle(text, name),
                WHAT => cut_end(text, what),
                _ => text.to_owned(),
            }
        };
        kept.iter().map(cell).collect()
    };
    (kept.clone(), lines.iter().map(cut).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_it_is_and_how_much_it_has_stay() {
        let line = |cells: [&str; 8]| cells.map(str::to_owned);
        let lines = [
            line(["NAME", "RUNTIME", "ID", "MEMORY", "LIMIT", "USED", "OOM KILLS", "WHAT"]),
            line([
                "shop-worker-with-a-name",
                "docker",
                "0b2aa65a35ca",
                "12.3 MiB",
                "128 MiB",
                "9 %",
                "0",
                "registry/shop/app:2.1",
            ]),
        ];
        let kept = |width| fitted(&lines, Some(width)).0;
        assert_eq!(kept(200), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(kept(100), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(kept(90), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(kept(80), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(kept(74), [0, 2, 3, 4, 5, 6]);
        assert_eq!(kept(60), [0, 3, 4, 5, 6]);
        assert_eq!(kept(40), [0, 3, 4, 5]);
        for width in 36..=200 {
            let (_, shown) = fitted(&lines, Some(width));
            let columns = shown[0].len();
            let widest = |column: usize| shown.iter().map(|line: &Vec<String>| line[column].width()).max().unwrap();
            let all: usize = (0..columns).map(widest).sum::<usize>() + APART * (columns - 1);
            assert!(all <= width, "{width}: {shown:?}");
        }
        assert_eq!(fitted(&lines, Some(1)).0, [0, 3, 4, 5]);
        assert_eq!(fitted(&lines, None).1, lines.map(Vec::from));
    }
}
