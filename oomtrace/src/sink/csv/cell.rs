//! Cells of CSV that every reader reads as one, and no spreadsheet runs.
//!
//! A spreadsheet runs a cell that begins like a formula, and anybody can name a process `=cmd()`: such a cell begins with an apostrophe, as
//! OWASP advises (<https://owasp.org/www-community/attacks/CSV_Injection>). Where the comma is for decimals, a spreadsheet ends a cell at each
//! semicolon, in quotes or not: what stands behind one is treated likewise.

use std::borrow::Cow;
use std::io;

use csv::WriterBuilder;

use crate::text::escape::escape;

/// A line, with the line feed at its end.
///
/// # Errors
/// None that is known: it is written to memory.
pub fn line(cells: &[String]) -> io::Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells.iter().map(|cell| safe(cell)))?;
    writer.into_inner().map_err(|error| error.into_error())
}

/// Several values in one cell, as a list of JSON's: any of them may have whatever a separator could be. Empty where there is none.
pub fn list(values: &[String]) -> String {
    if values.is_empty() { String::new() } else { serde_json::Value::from(values).to_string() }
}

/// A cell that no spreadsheet runs, and no terminal obeys.
fn safe(cell: &str) -> String {
    if is_number(cell) {
        return cell.to_owned();
    }
    let parts: Vec<_> = cell.split(';').map(without_formula).collect();
    escape(&parts.join(";")).into_owned()
}

fn is_number(cell: &str) -> bool {
    cell.parse::<i64>().is_ok_and(|number| number.to_string() == cell)
}

/// With an apostrophe before it where a spreadsheet would take it for a formula; blanks and quotes before that are dropped by some.
fn without_formula(part: &str) -> Cow<'_, str> {
    let begins_with_control = part.starts_with(['\t', '\r', '\n', '\0']);
    let start = part.trim_start_matches([' ', '"']);
    // The wide forms are the same to some.
    let is_formula = start.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula || begins_with_control { format!("'{part}").into() } else { part.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_wherever_it_is_cut() {
        for (text, expected) in [
            ("nginx", "nginx"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1+1", "'+1+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\t=1"),
            ("\0x", "'\\x00x"),
            (" =1", "' =1"),
            ("\"=1\"", "'\"=1\""),
            ("＝1", "'＝1"),
            ("-1", "-1"),
            ("a=b", "a=b"),
            ("a;=cmd()", "a;'=cmd()"),
            ("a; \"=cmd()", "a;' \"=cmd()"),
            ("a; b", "a; b"),
        ] {
            assert_eq!(safe(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_is_what_rfc_4180_has() {
        let cells = ["a", "b,c", "d\"e", "", "a;b"].map(str::to_owned);
        assert_eq!(line(&cells).unwrap(), b"a,\"b,c\",\"d\"\"e\",,a;b\n");
    }

    #[test]
    fn several_values_are_told_apart_whatever_they_have() {
        let values = ["a; b", "c\", \"d"].map(str::to_owned);
        assert_eq!(serde_json::from_str::<Vec<String>>(&list(&values)).unwrap(), values);
        assert_eq!(list(&[]), "");
    }
}
