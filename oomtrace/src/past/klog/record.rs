//! One record of the kernel's log, wherever it was kept.

use jiff::Timestamp;

/// Bytes of a record that are looked at: the kernel's own have 1 KiB (`PRINTKRB_RECORD_MAX`).
pub const MAX_TEXT: usize = 4096;

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was written. None: its source does not say, or not in a way that a time of day follows from.
    pub at: Option<Timestamp>,
    /// When it was written, by the kernel's own clock: the same wherever the record was kept.
    pub stamp: Option<Stamp>,
    /// What the kernel numbers it by.
    pub number: Option<u64>,
    /// Without the prefix that its source puts before it.
    pub text: String,
    /// Its source says that the kernel wrote it: whoever may write to /dev/kmsg can write anything, but not with the kernel's facility.
    pub by_kernel: bool,
}

/// A time of the kernel's log's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Microseconds since boot, less what the machine slept.
    pub us: u64,
    /// Which boot that was, as [`boot`] has it. None: its source does not say.
    pub boot: Option<u128>,
}

/// The kernel's log's clock is not corrected while it runs (`local_clock`, kernel/sched/clock.c): it goes wrong by a thousandth at the most.
pub const DRIFT: i64 = 1_000;

/// The number of a boot, from its id with dashes (`/proc/sys/kernel/random/boot_id`) or without (journald's `_BOOT_ID`).
#[must_use]
pub fn boot(id: &str) -> Option<u128> {
    u128::from_str_radix(&id.trim().replace('-', ""), 16).ok()
}

/// Why it is only taken for the kernel's, or none where its source says that it is.
pub const UNPROVEN: &str = "a log as text does not say who wrote its lines";

/// A line as `/dev/kmsg` gives it, `6,316353,76584296005,-;text`: the record without its time of day.
#[must_use]
pub fn of_device(line: &str) -> Option<Record> {
    let (prefix, text) = line.split_once(';')?;
    let mut fields = prefix.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let number = fields.next()?.parse().ok()?;
    let us = fields.next()?.parse().ok()?;
    let text = unescaped(crate::text::clip(text, MAX_TEXT));
    // Facility 0 is the kernel's: what others write gets another one, whatever they ask for (devkmsg_write).
    let stamp = Some(Stamp { us, boot: None });
    Some(Record { at: None, stamp, number: Some(number), text, by_kernel: priority >> 3 == 0 })
}

/// What the kernel writes for a byte that it does not write as it is (`append_char`, kernel/printk/printk.c): `\x0a`.
#[must_use]
pub fn unescaped(text: &str) -> String {
    if !text.contains("\\x") {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = match bytes.get(at..at + 4) {
            Some([b'\\', b'x', high, low]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                at += 4;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_the_same_with_dashes_and_without() {
        let dashed = boot("5a3fe8b4-18e0-4b7a-9f3a-0c1d2e3f4a5b\n");
        assert_eq!(dashed, Some(0x5a3f_e8b4_18e0_4b7a_9f3a_0c1d_2e3f_4a5b));
        assert_eq!(dashed, boot("5a3fe8b418e04b7a9f3a0c1d2e3f4a5b"));
        assert_eq!(boot("x"), None);
    }

    #[test]
    fn the_kernels_escapes_are_undone_and_nothing_else_is() {
        for (text, expected) in [
            ("plain", "plain"),
            (r"a\x0ab\x5cx0a", "a\nb\\x0a"),
            (r"\x", r"\x"),
            (r"\xg0 \x1", r"\xg0 \x1"),
            (r"\xc3\xa5", "å"),
            (r"\xff", "\u{fffd}"),
        ] {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }
}
