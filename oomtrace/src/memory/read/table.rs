//! CSV with a header: `t,anon_bytes,limit_bytes`, in any order, with commas, semicolons or tabs.

use crate::memory::read::{Bytes, MOST, ReadError, size, time};
use crate::memory::sample::Sample;

/// A column, by its name in the header; others are left alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Time,
    Size(Bytes),
    Restart,
    Other,
}

impl Column {
    fn named(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "t" | "time" | "timestamp" => Self::Time,
            "restart" => Self::Restart,
            name => Bytes::ALL.into_iter().find(|of| of.name() == name).map_or(Self::Other, Self::Size),
        }
    }

    const fn is_size(self) -> bool {
        matches!(self, Self::Size(Bytes::Anon | Bytes::File | Bytes::Shmem | Bytes::Usage))
    }
}

pub fn read(text: &str) -> Result<Vec<Sample>, ReadError> {
    let header = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().find(|byte| header.as_bytes().contains(byte)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let wrong = |line: u64, why: String| ReadError::Line { line: usize::try_from(line).unwrap_or(usize::MAX), why };
    let mut columns: Vec<Column> = Vec::new();
    let mut samples = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            wrong(line, error.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        if columns.is_empty() {
            columns = record.iter().map(Column::named).collect();
            if !columns.contains(&Column::Time) {
                return Err(wrong(line, "it has no column t, and JSON begins with { or [".to_owned()));
            }
            if !columns.iter().any(|column| column.is_size()) {
                return Err(wrong(
                    line,
                    "it has no column with a size (anon_bytes, file_bytes, shmem_bytes or usage_bytes)".to_owned(),
                ));
            }
            continue;
        }
        if record.len() != columns.len() {
            return Err(wrong(line, format!("it has {} fields, and the header {}", record.len(), columns.len())));
        }
        if samples.len() >= MOST {
            return Err(ReadError::TooMany);
        }
        samples.push(sample(&columns, &record).map_err(|why| wrong(line, why))?);
    }
    Ok(samples)
}

fn sample(columns: &[Column], record: &csv::StringRecord) -> Result<Sample, String> {
    let mut sample = Sample { t: f64::NAN, ..Sample::default() };
    for (column, field) in columns.iter().zip(record) {
        match column {
            Column::Time => sample.t = time(field)?,
            Column::Size(of) => *of.of(&mut sample) = size(*of, field)?,
            Column::Restart => sample.restart = matches!(field.to_ascii_lowercase().as_str(), "true" | "1" | "yes"),
            Column::Other => {}
        }
    }
    Ok(sample)
}
