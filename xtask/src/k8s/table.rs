//! The table of what every scenario gave: what it knew of its kill, and what oomtrace said.

/// How the scenarios say that something is known to be wrong by chance.
const AT_TIMES: &str = "at times";

/// One claim, held against what oomtrace said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    scenario: String,
    /// What the claim is about: the cause, the limit's owner, the container.
    what: String,
    expected: String,
    got: String,
    /// Why it is wrong today, where that is known.
    known: String,
    /// It is wrong by chance, and at times right.
    at_times: bool,
}

impl Row {
    fn is_right(&self) -> bool {
        self.expected == self.got
    }

    /// It is wrong, and nobody knew.
    pub fn is_news(&self) -> bool {
        !self.is_right() && self.known.is_empty()
    }

    fn word(&self) -> String {
        match (self.is_right(), self.known.as_str()) {
            (true, known) if known.is_empty() || self.at_times => "right".to_owned(),
            (true, _) => "right, and no more to be listed as known to be wrong".to_owned(),
            (false, "") => "WRONG".to_owned(),
            (false, why) => format!("known to be wrong{}: {why}", if self.at_times { " at times" } else { "" }),
        }
    }
}

/// The rows of the scenarios' own table: a line each, with tabs.
pub fn rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let [scenario, what, expected, got, known, often] = std::array::from_fn(|_| fields.next().unwrap_or_default());
        Row { scenario, what, expected, got, known, at_times: often == AT_TIMES }
    };
    let mut rows: Vec<Row> = text.lines().map(row).collect();
    rows.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    rows
}

/// The table, its columns aligned, and a last line that counts.
pub fn format(rows: &[Row]) -> String {
    let cells = |row: &Row| [row.scenario.clone(), row.what.clone(), row.expected.clone(), row.got.clone(), row.word()];
    let head = ["scenario", "of", "expected", "got", "right?"].map(str::to_owned);
    let all: Vec<[String; 5]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let known = rows.iter().filter(|row| !row.is_right() && !row.known.is_empty()).count();
    let news = rows.iter().filter(|row| row.is_news()).count();
    format!(
        "\n{}\n{} claims: {} right, {known} known to be wrong, {news} wrong\n",
        all.iter().map(line).collect::<String>(),
        rows.len(),
        rows.len() - known - news,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_and_not_known_is_news() {
        let text = "b\tcause\tx\ty\t\t\na\tcause\tx\tx\t\t\nc\tcause\tx\ty\tit needs the API\talways\nd\tcause\tx\tx\told\talways\n\
            e\tcause\tx\tx\tchance\tat times\n";
        let rows = rows(text);
        let news: Vec<bool> = rows.iter().map(Row::is_news).collect();
        assert_eq!(news, [false, true, false, false, false]);
        let text = format(&rows);
        assert!(
            text.contains("known to be wrong: it needs the API") && text.contains("no more to be listed"),
            "{text}"
        );
        assert_eq!(text.matches("no more to be listed").count(), 1, "{text}");
        assert!(text.ends_with("5 claims: 3 right, 1 known to be wrong, 1 wrong\n"), "{text}");
    }
}
