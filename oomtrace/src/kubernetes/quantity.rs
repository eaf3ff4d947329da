//! Quantities as Kubernetes writes them: `512Mi`, `1.5Gi`, `100m`.

/// Bytes, rounded up: `512Mi`, `1e9`, `128974848`, `100M`. None when it is no quantity, or more than can be counted.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    scaled(text, 1)
}

/// Thousandths: of a processor, for `250m` or `1.5`.
#[must_use]
pub fn millis(text: &str) -> Option<u64> {
    scaled(text, 1000)
}

/// What each suffix multiplies by, in thousandths (k8s.io/apimachinery/pkg/api/resource/suffix.go).
const SUFFIXES: [(&str, u128); 13] = [
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("Ei", 1000 << 60),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000),
];

fn scaled(text: &str, by: u128) -> Option<u64> {
    // `E` is a suffix at the end, and an exponent before digits.
    let suffixed = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, thousandths) = suffixed.unwrap_or((text, 1000));
    let (number, exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<u32>().ok().filter(|exponent| *exponent <= 18)?),
        None => (number, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let value = digits.checked_mul(thousandths)?.checked_mul(by)?.checked_mul(10_u128.pow(exponent))?;
    let divisor = 1000 * 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    u64::try_from(value.div_ceil(divisor)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for (text, expected) in [
            ("0", Some(0)),
            ("128974848", Some(128_974_848)),
            ("129e6", Some(129_000_000)),
            ("1E3", Some(1000)),
            ("129M", Some(129_000_000)),
            ("123Mi", Some(123 << 20)),
            ("1.5Gi", Some(3 << 29)),
            (".5Ki", Some(512)),
            ("128974848000m", Some(128_974_848)),
            ("1m", Some(1)),
            ("2E", Some(2_000_000_000_000_000_000)),
            ("20Ei", None),
            ("", None),
            ("Mi", None),
            ("-1", None),
            ("1x", None),
            ("1e99", None),
            ("99999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        for (text, expected) in [("250m", Some(250)), ("1.5", Some(1500)), ("2", Some(2000)), ("0.1", Some(100))] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
