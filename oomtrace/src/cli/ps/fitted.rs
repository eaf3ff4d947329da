//! What of a table of containers has room on a terminal.

use oomtrace::sink::wrap::{cut_end, cut_middle};
use unicode_width::UnicodeWidthStr as _;

use super::columns::{Cells, Column};

/// Columns between two.
const APART: usize = 2;
/// What is left out first where there is no room. Which it is and how much it has stay.
const DISPENSABLE: [Column; 4] = [Column::What, Column::Runtime, Column::Id, Column::OomKills];
/// Less is not worth a column.
const LEAST_WHAT: usize = 10;
/// Names are cut to this before a column is left out, and not shorter than that.
const FAIR_NAME: usize = 20;
const LEAST_NAME: usize = 8;

/// The table's lines, of which the first is its header, with the columns that have room in `width`: what it is and its name are cut, and then columns
/// left out; all of it where there is no width. And the columns that were kept.
pub fn fitted(lines: &[Cells], width: Option<usize>) -> (Vec<Column>, Vec<Vec<String>>) {
    let widest = |column: Column| lines.iter().map(|line| line.of(column).width()).max().unwrap_or(0);
    let widths = Column::ALL.map(|column| (column, widest(column)));
    let width_of = |wanted: Column| widths.iter().find(|(column, _)| *column == wanted).map_or(0, |(_, width)| *width);
    let mut kept = Column::ALL.to_vec();
    let sum =
        |kept: &[Column], of: &dyn Fn(Column) -> usize| kept.iter().map(|column| of(*column) + APART).sum::<usize>();
    let least = |column: Column| match column {
        Column::Name => width_of(column).min(FAIR_NAME),
        Column::What => width_of(column).min(LEAST_WHAT),
        other => width_of(other),
    };
    // The last one has nothing behind it.
    let room = width.map_or(usize::MAX, |width| width.saturating_add(APART));
    for column in DISPENSABLE {
        if sum(&kept, &least) > room {
            kept.retain(|kept| *kept != column);
        }
    }
    let others = |cut: Column| sum(&kept, &|column| if column == cut { 0 } else { least(column) });
    let name = width_of(Column::Name).min(room.saturating_sub(others(Column::Name))).max(LEAST_NAME);
    let what = room.saturating_sub(others(Column::What).saturating_sub(least(Column::Name)).saturating_add(name));
    let cut = |line: &Cells| {
        let cell = |column: &Column| {
            let text = line.of(*column);
            match column {
                Column::Name => cut_middle(text, name),
                Column::What => cut_end(text, what),
                _ => text.to_owned(),
            }
        };
        kept.iter().map(cell).collect()
    };
    let lines = lines.iter().map(cut).collect();
    (kept, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_it_is_and_how_much_it_has_stay() {
        use Column::{Id, Limit, Memory, Name, OomKills, Runtime, Used};
        let lines = [
            Cells::titles(),
            Cells {
                name: "shop-worker-with-a-name".to_owned(),
                runtime: "docker".to_owned(),
                id: "0b2aa65a35ca".to_owned(),
                memory: "12.3 MiB".to_owned(),
                limit: "128 MiB".to_owned(),
                used: "9 %".to_owned(),
                oom_kills: "0".to_owned(),
                what: "registry/shop/app:2.1".to_owned(),
            },
        ];
        let kept = |width| fitted(&lines, Some(width)).0;
        assert_eq!(kept(200), Column::ALL);
        assert_eq!(kept(100), Column::ALL);
        assert_eq!(kept(90), [Name, Runtime, Id, Memory, Limit, Used, OomKills]);
        assert_eq!(kept(80), [Name, Runtime, Id, Memory, Limit, Used, OomKills]);
        assert_eq!(kept(74), [Name, Id, Memory, Limit, Used, OomKills]);
        assert_eq!(kept(60), [Name, Memory, Limit, Used, OomKills]);
        assert_eq!(kept(40), [Name, Memory, Limit, Used]);
        for width in 36..=200 {
            let (_, shown) = fitted(&lines, Some(width));
            let columns = shown[0].len();
            let widest = |column: usize| shown.iter().map(|line: &Vec<String>| line[column].width()).max().unwrap();
            let all: usize = (0..columns).map(widest).sum::<usize>() + APART * (columns - 1);
            assert!(all <= width, "{width}: {shown:?}");
        }
        assert_eq!(fitted(&lines, Some(1)).0, [Name, Memory, Limit, Used]);
        assert_eq!(
            fitted(&lines, None).1,
            lines.map(|line| Column::ALL.map(|column| line.of(column).to_owned()).to_vec())
        );
    }
}
