//! Curves as they are found: JSON lines, a Prometheus range query's answer, CSV. Whose they are is not known, so any of it may be wrong.

mod json_lines;
mod prometheus;
mod table;

use thiserror::Error;

use crate::memory::fit::median;
use crate::memory::sample::Sample;
use crate::text::clip;

/// More samples than this are no curve: a year of one every ten seconds.
const MOST: usize = 4_000_000;

/// Why a curve cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("it is empty")]
    Empty,
    #[error("it has a header and no samples")]
    NoRows,
    #[error("none of its samples has a size")]
    NoSize,
    #[error("the query has matched no series")]
    NoSeries,
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it is compressed: give what `gzip -dc` makes of it, or `-` and that on standard input")]
    Compressed,
    #[error("line {line}: {why}")]
    Line { line: usize, why: String },
    #[error("{0}")]
    Prometheus(String),
    #[error("it has more than {MOST} samples")]
    TooMany,
    #[error("sample {number} is of 1970, and others are of now: its time is missing or wrong")]
    Epoch { number: usize },
    #[error("sample {number} is of a time to come, beyond 2100: its time is wrong")]
    ToCome { number: usize },
    #[error("sample {number} is of a time that no clock has: its time is wrong")]
    NoTime { number: usize },
}

/// What a file has.
#[derive(Debug)]
pub struct Read {
    /// In the file's order.
    pub samples: Vec<Sample>,
    /// What is said of what is left out: a last line that somebody is still writing, samples without a size.
    pub left_out: Option<String>,
}

/// The samples in a file.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(bytes: &[u8]) -> Result<Read, ReadError> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    if bytes.starts_with(&GZIP) {
        return Err(ReadError::Compressed);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ReadError::NotText)?;
    let is_whole = text.ends_with('\n');
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut left_out = None;
    let samples = match text.chars().next() {
        None => return Err(ReadError::Empty),
        Some('{') => match prometheus::answer(text) {
            Some(answer) => prometheus::read(answer)?,
            None => without_torn(text, is_whole, &mut left_out, json_lines::read)?,
        },
        Some('[') => json_lines::read(text)?,
        Some(_) => match without_torn(text, is_whole, &mut left_out, table::read)? {
            samples if samples.is_empty() => return Err(ReadError::NoRows),
            samples => samples,
        },
    };
    let unknown = samples.iter().filter(|sample| !sample.has_size() && !sample.restart).count();
    if unknown > 0 && left_out.is_none() {
        let samples = if unknown == 1 { "sample has" } else { "samples have" };
        left_out = Some(format!("{unknown} {samples} no size, and count for nothing"));
    }
    match samples.len() {
        0 => Err(ReadError::Empty),
        count if count > MOST => Err(ReadError::TooMany),
        count if count == unknown => Err(ReadError::NoSize),
        _ => Ok(Read { samples: in_seconds(samples)?, left_out }),
    }
}

/// Reads lines, without the last one where that cannot be read and has no end: somebody is still writing it.
fn without_torn(
    text: &str,
    is_whole: bool,
    left_out: &mut Option<String>,
    read: impl Fn(&str) -> Result<Vec<Sample>, ReadError>,
) -> Result<Vec<Sample>, ReadError> {
    let last = text.lines().count();
    match (read(text), text.rsplit_once('\n')) {
        (Err(ReadError::Line { line, .. }), Some((before, _))) if line == last && !is_whole => {
            *left_out = Some(format!("line {line}, the last one, is not whole, and left out"));
            read(before)
        }
        (result, _) => result,
    }
}

/// Times in seconds. Exports of dashboards have milliseconds since 1970, other programs smaller units yet; in seconds those would lie beyond
/// the year 5000. A time of 1970 among those of our days is none.
fn in_seconds(mut samples: Vec<Sample>) -> Result<Vec<Sample>, ReadError> {
    // Seconds in March 1973 and in September 2001: curves whose clock began with them stay below.
    const EARLY: f64 = 1e8;
    const OURS: f64 = 1e9;
    // And in January 2100.
    const TO_COME: f64 = 4_102_444_800.0;
    // By the middle one: a single time that is wrong says nothing of the others.
    let usual = median(&mut samples.iter().map(|sample| sample.t).collect::<Vec<_>>()).unwrap_or_default();
    let in_a_second = match usual {
        1e17.. => 1e9,
        1e14.. => 1e6,
        1e11.. => 1e3,
        _ => 1.0,
    };
    for sample in &mut samples {
        sample.t /= in_a_second;
    }
    if usual / in_a_second >= OURS {
        if let Some(at) = samples.iter().position(|sample| sample.t < EARLY) {
            return Err(ReadError::Epoch { number: at + 1 });
        }
        if let Some(at) = samples.iter().position(|sample| sample.t > TO_COME) {
            return Err(ReadError::ToCome { number: at + 1 });
        }
    }
    match samples.iter().position(|sample| sample.t.abs() > TO_COME) {
        Some(at) => Err(ReadError::NoTime { number: at + 1 }),
        None => Ok(samples),
    }
}

/// So much of what is wrong is shown.
fn shown(text: &str) -> &str {
    const MOST: usize = 80;
    clip(text, MOST)
}

/// What a size is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bytes {
    Anon,
    File,
    Shmem,
    Usage,
    Limit,
}

impl Bytes {
    const ALL: [Self; 5] = [Self::Anon, Self::File, Self::Shmem, Self::Usage, Self::Limit];

    /// Its name in each format.
    const fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon_bytes",
            Self::File => "file_bytes",
            Self::Shmem => "shmem_bytes",
            Self::Usage => "usage_bytes",
            Self::Limit => "limit_bytes",
        }
    }

    /// Its place in a sample.
    const fn of(self, sample: &mut Sample) -> &mut Option<f64> {
        match self {
            Self::Anon => &mut sample.anon,
            Self::File => &mut sample.file,
            Self::Shmem => &mut sample.shmem,
            Self::Usage => &mut sample.usage,
            Self::Limit => &mut sample.limit,
        }
    }
}

/// No machine has so many bytes, an exbibyte; what stands for no limit is beyond it.
const MOST_BYTES: f64 = 1_152_921_504_606_846_976.0;

/// A size in bytes, as text: a limit may be `max`, as the kernel says that there is none.
fn size(of: Bytes, text: &str) -> Result<Option<f64>, String> {
    let (name, is_limit) = (of.name(), of == Bytes::Limit);
    let number = match text {
        "" => return Ok(None),
        "max" if is_limit => return Ok(None),
        text => text.parse::<f64>().map_err(|_| format!("{name} is {:?}, and not a number of bytes", shown(text)))?,
    };
    match number {
        number if number.is_nan() => Ok(None),
        // Exporters have 0 for none.
        number if is_limit && (0.0..1.0).contains(&number) => Ok(None),
        number if number < 0.0 => Err(format!("{name} is {}, and no size is below 0", shown(text))),
        number if number > MOST_BYTES && !is_limit => {
            Err(format!("{name} is {}, and no machine has so much", shown(text)))
        }
        number => Ok(Some(number)),
    }
}

/// A time: Unix seconds, or RFC 3339.
fn time(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let stamp = || text.parse::<jiff::Timestamp>().ok().map(|stamp| stamp.as_nanosecond() as f64 / 1e9);
    number.or_else(stamp).ok_or_else(|| format!("{:?} is no time: it takes Unix seconds, or RFC 3339", shown(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::sample::cleaned;

    #[test]
    fn each_format_gives_the_same_samples() {
        let expected = [
            Sample { t: 1_700_000_000.0, anon: Some(1e6), limit: Some(5e6), ..Sample::default() },
            Sample { t: 1_700_000_060.5, anon: Some(2e6), limit: Some(5e6), ..Sample::default() },
        ];
        let restarted = [expected[0], Sample { restart: true, ..expected[1] }];
        for (text, samples) in [
            (
                r#"{"t":1700000000,"anon_bytes":1000000,"limit_bytes":5000000}
               {"t":1700000060.5,"anon_bytes":2000000,"limit_bytes":5000000,"restart":true}"#,
                &restarted,
            ),
            (
                r#"[{"t":1700000000,"anon_bytes":1e6,"limit_bytes":5e6},{"t":"2023-11-14T22:14:20.5Z","anon_bytes":2e6,"limit_bytes":5e6,"more":[1]}]"#,
                &expected,
            ),
            (
                "t,anon_bytes,limit_bytes,restart\n1700000000,1000000,5000000,\n\n1700000060.5,2000000,5000000,true\n",
                &restarted,
            ),
            (
                "\u{feff}limit_bytes;anon_bytes;t\r\n5000000;1000000;2023-11-14T22:13:20Z\r\n5000000;2000000;1700000060.5\r\n",
                &expected,
            ),
            (
                r#"{"status":"success","data":{"resultType":"matrix","result":[
                {"metric":{"__name__":"container_memory_rss","pod":"a"},"values":[[1700000000,"1000000"],[1700000060.5,"2000000"]]},
                {"metric":{"__name__":"container_spec_memory_limit_bytes","pod":"a"},"values":[[1700000000,"5000000"],[1700000060.5,"5e6"]]}]}}"#,
                &expected,
            ),
        ] {
            assert_eq!(&read(text.as_bytes()).unwrap().samples, samples, "{text}");
        }
    }

    #[test]
    fn times_in_smaller_units_are_known_by_their_size() {
        for unit in ["", "000", "000000", "000000000"] {
            let text = format!("t,anon_bytes\n1700000000{unit},1\n1700000060{unit},2\n");
            let times: Vec<f64> = read(text.as_bytes()).unwrap().samples.iter().map(|sample| sample.t).collect();
            assert_eq!(times, [1_700_000_000.0, 1_700_000_060.0], "{text}");
        }
        let since_start = read(b"t,anon_bytes\n0,1\n60,2\n").unwrap().samples;
        assert_eq!(since_start.iter().map(|sample| sample.t).collect::<Vec<_>>(), [0.0, 60.0]);
        let stray = read(b"t,anon_bytes\n1700000000,1\n0,2\n1700000060,2\n");
        assert!(matches!(stray, Err(ReadError::Epoch { number: 2 })));
        let beyond = read(b"t,anon_bytes\n1700000000,1\n1700000060,2\n1e300,2\n");
        assert!(matches!(beyond, Err(ReadError::ToCome { number: 3 })));
        for times in ["0,1\n-1e300,2", "0,1\n1,1\n1e300,2"] {
            let beyond = read(format!("t,anon_bytes\n{times}\n").as_bytes());
            assert!(matches!(beyond, Err(ReadError::NoTime { number: 2 | 3 })), "{times}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, why) in [
            ("", "it is empty"),
            ("   \n", "it is empty"),
            ("\u{feff}", "it is empty"),
            ("{\"t\":1,\"anon_bytes\":1}\n{\"t\":\n", "line 2: "),
            ("{\"t\":1,\"anon_bytes\":1}\n{\"t\":\n{\"t\":2,\"anon_bytes\":1}", "line 2: "),
            ("{\"t\":1}", "line 1: it has a time and no size"),
            ("{\"anon_bytes\":1}", "line 1: "),
            ("{\"t\":1,\"anon_bytes\":-1}", "line 1: anon_bytes is -1"),
            ("{\"t\":1,\"anon_bytes\":1e30}\n", "line 1: anon_bytes is 1e+30, and no machine has so much"),
            ("{\"t\":1,\"anon_bytes\":\"a lot\"}\n", "line 1: anon_bytes is \"a lot\""),
            ("{\"t\":true,\"anon_bytes\":1}", "line 1: "),
            ("nonsense", "line 1: it has no column t"),
            ("t,x\n1,2", "line 1: it has no column with a size"),
            ("t,anon_bytes\nx,1\n", "line 2: \"x\" is no time"),
            ("t,anon_bytes\n1,a lot\n", "line 2: anon_bytes is \"a lot\""),
            ("t,anon_bytes\n1,2,3\n", "line 2: it has 3 fields, and the header 2"),
            ("t,anon_bytes", "it has a header and no samples"),
            (
                r#"{"data":{"resultType":"matrix","result":[{"metric":{"__name__":"http_requests_total"},"values":[[1,"1"]]}]}}"#,
                "http_requests_total is no size of a container's memory",
            ),
            (r#"{"status":"error","error":"parse error"}"#, "Prometheus answered: parse error"),
            (r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, "it is a vector"),
            (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "the query has matched no series"),
            ("{\"t\":1,\"anon_bytes\":null}\n", "none of its samples has a size"),
            (
                r#"{"data":{"resultType":"matrix","result":[{"metric":{"pod":"a"},"values":[[1,"1"],[9,"1"]]},{"metric":{"pod":"b"},"values":[[2,"2"]]}]}}"#,
                "it has 2 containers at the same time",
            ),
            (r#"{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"x"]]}]}}"#, "\"x\" is no number"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(why), "{text}: {error}");
        }
        assert!(matches!(read(&[0xff, 0xfe]), Err(ReadError::NotText)));
        assert!(matches!(read(&[0x1f, 0x8b, 8, 0]), Err(ReadError::Compressed)));
    }

    #[test]
    fn a_columns_name_counts_in_any_case_and_in_quotes() {
        for header in ["t,anon_bytes,limit_bytes", "T,Anon_Bytes,Limit_Bytes", "\"t\",\"anon_bytes\",\"limit_bytes\""] {
            for none in ["max", "\"max\"", "9223372036854771712", "0", "1e-300"] {
                let text = format!("{header}\n1,5,{none}\n2,5,9\n");
                let samples = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}")).samples;
                let limits: Vec<_> = cleaned(samples).iter().map(|sample| sample.limit).collect();
                assert_eq!(limits, [None, Some(9.0)], "{text}");
            }
        }
    }

    #[test]
    fn of_what_is_wrong_only_so_much_is_shown() {
        for number in [format!("-{}", "1".repeat(300)), "1".repeat(300)] {
            for text in [format!("t,anon_bytes\n1,{number}\n"), format!("{{\"t\":1,\"anon_bytes\":\"{number}\"}}\n")] {
                let error = read(text.as_bytes()).unwrap_err().to_string();
                assert!(error.len() < 150, "{error}");
            }
        }
    }

    #[test]
    fn what_stands_for_nothing_is_nothing_and_a_torn_line_is_left_out() {
        for text in [
            "{\"t\":1,\"anon_bytes\":NaN,\"usage_bytes\":\"7\",\"limit_bytes\":\"max\"}\n{\"t\":2,\"anon_by",
            "t,anon_bytes,usage_bytes,limit_bytes\n1,NaN,7,max\n2,",
        ] {
            let Read { samples, left_out } = read(text.as_bytes()).unwrap();
            assert_eq!(samples, [Sample { t: 1.0, usage: Some(7.0), ..Sample::default() }], "{text}");
            assert!(left_out.unwrap().contains("is not whole"), "{text}");
        }
    }

    #[test]
    fn each_exporter_has_its_own_labels_beside_the_containers() {
        let text = r#"{"data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"container_memory_rss","namespace":"shop","pod":"web-1","container":"app","id":"/kubepods/x","image":"i","name":"n"},"values":[[1,"5"],[2,"6"]]},
            {"metric":{"__name__":"kube_pod_container_resource_limits","namespace":"shop","pod":"web-1","container":"app","resource":"cpu","unit":"core","job":"ksm"},"values":[[1,"0.5"],[2,"0.5"]]},
            {"metric":{"__name__":"kube_pod_container_resource_limits","namespace":"shop","pod":"web-1","container":"app","resource":"memory","unit":"byte","job":"ksm"},"values":[[1,"9"],[2,"9"]]},
            {"metric":{"__name__":"container_memory_failcnt","namespace":"shop","pod":"web-1","container":"app"},"values":[[1,"3"],[2,"3"]]}]}}"#;
        let sample = |t, anon| Sample { t, anon: Some(anon), limit: Some(9.0), ..Sample::default() };
        assert_eq!(read(text.as_bytes()).unwrap().samples, [sample(1.0, 5.0), sample(2.0, 6.0)]);
    }

    #[test]
    fn a_working_set_is_no_usage() {
        let text = r#"{"data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"container_memory_rss","pod":"a"},"values":[[1,"100"]]},
            {"metric":{"__name__":"container_memory_cache","pod":"a"},"values":[[1,"400"]]},
            {"metric":{"__name__":"container_memory_working_set_bytes","pod":"a"},"values":[[1,"350"]]}]}}"#;
        let sample = read(text.as_bytes()).unwrap().samples[0];
        assert_eq!((sample.usage, sample.charged(), sample.kernel()), (None, Some(350.0), None));
    }

    #[test]
    fn pods_one_after_the_other_are_lives() {
        let text = r#"{"data":{"resultType":"matrix","result":[
            {"metric":{"pod":"b"},"values":[[100,"5"],[160,"NaN"],[220,"6"]]},
            {"metric":{"pod":"a"},"values":[[1,"1"],[61,"2"]]}]}}"#;
        let samples = read(text.as_bytes()).unwrap().samples;
        let found: Vec<_> = samples.iter().map(|sample| (sample.t, sample.held(), sample.restart)).collect();
        assert_eq!(
            found,
            [(1.0, Some(1.0), false), (61.0, Some(2.0), false), (100.0, Some(5.0), true), (220.0, Some(6.0), false)]
        );
    }
}
