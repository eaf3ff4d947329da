//! Signal names, by number and back.

/// The signal that cannot be caught, blocked or ignored.
pub const SIGKILL: u32 = 9;

/// Names of signals 1 to 31 (asm-generic/signal.h: x86, arm, arm64, riscv, s390, powerpc).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// The first real-time signal as a C library counts them: the kernel's 32 and 33 belong to the library.
const SIGRTMIN: u32 = 34;
const SIGRTMAX: u32 = 64;

/// A signal's name, `SIGKILL` or `SIGRTMIN+3`.
#[must_use]
pub fn name(number: u32) -> String {
    let standard = (number as usize).checked_sub(1).and_then(|index| NAMES.get(index));
    match (standard, number) {
        (Some(name), _) => format!("SIG{name}"),
        (None, SIGRTMIN) => "SIGRTMIN".to_owned(),
        (None, SIGRTMIN..=SIGRTMAX) => format!("SIGRTMIN+{}", number - SIGRTMIN),
        _ => format!("signal {number}"),
    }
}

/// The number that a person means by `KILL`, `SIGKILL`, `kill`, `9` or `RTMIN+3`; none when there is no such signal.
#[must_use]
pub fn number(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse() {
        return (1..=SIGRTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset: u32 = if offset.is_empty() { 0 } else { offset.strip_prefix('+')?.parse().ok()? };
        return SIGRTMIN.checked_add(offset).filter(|n| *n <= SIGRTMAX);
    }
    let index = NAMES.iter().position(|n| *n == name)?;
    u32::try_from(index).ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_its_name_are_each_others() {
        for n in (1..=31).chain(34..=64) {
            assert_eq!(number(&name(n)), Some(n), "{}", name(n));
        }
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(37), "SIGRTMIN+3");
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        for (text, n) in [
            ("9", Some(9)),
            ("kill", Some(9)),
            ("SIGTERM", Some(15)),
            ("Term", Some(15)),
            ("rtmin+3", Some(37)),
            ("RTMIN", Some(34)),
            ("0", None),
            ("65", None),
            ("RTMIN+31", None),
            ("RTMIN-1", None),
            ("SIGSIGTERM", None),
            ("", None),
            ("-9", None),
        ] {
            assert_eq!(number(text), n, "{text:?}");
        }
    }
}
