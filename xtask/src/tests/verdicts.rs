//! The table of what every scenario gave: the cause that it knew, and the one that oomtrace gave.

use super::summary::Verdicts;

/// One verdict: scenario, expected, got, confidence, kernel.
pub type Row = [String; 5];

/// The rows of a scenario table, seen on the kernel `release`.
pub fn rows(table: &str, release: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let [scenario, expected, got, confidence] = std::array::from_fn(|_| fields.next().unwrap_or_default());
        [scenario, expected, got, confidence, release.to_owned()]
    };
    table.lines().map(row).collect()
}

pub fn count(rows: &[Row]) -> Verdicts {
    let wrong = rows.iter().filter(|[_, expected, got, ..]| expected != got).count();
    Verdicts { all: rows.len(), wrong }
}

/// The table, its columns aligned.
pub fn format(rows: &[Row]) -> String {
    let head: Row = ["scenario", "expected", "got", "confidence", "Linux"].map(str::to_owned);
    let all: Vec<&Row> = std::iter::once(&head).chain(rows).collect();
    let widths: [usize; 5] =
        std::array::from_fn(|column| all.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0));
    let line = |row: &Row| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut lines: Vec<(String, usize)> = Vec::new();
    for line in all.into_iter().map(line) {
        // A storm has the same verdict again and again.
        match lines.iter_mut().find(|(other, _)| *other == line) {
            Some((_, times)) => *times += 1,
            None => lines.push((line, 1)),
        }
    }
    let lines = lines.into_iter().map(|(line, times)| match times {
        1 => line,
        _ => format!("{}  {times} times\n", line.trim_end()),
    });
    format!("\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_verdicts_are_one_line_and_all_count() {
        let rows = rows("storm::a\tx\tx\tcertain\t1\nstorm::a\tx\tx\tcertain\t2\noom::b\tx\ty\tlikely\t3\n", "6.1");
        assert_eq!(count(&rows), Verdicts { all: 3, wrong: 1 });
        let text = format(&rows);
        assert!(text.contains("storm::a  x         x    certain     6.1  2 times\n"), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(count(&[]), Verdicts::default());
    }
}
