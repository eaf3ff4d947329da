//! Which file is mapped at an address of a process: `/proc/PID/maps` (proc(5)).

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::node::files;

/// Bytes that are read: some 10,000 mappings.
const MAX_BYTES: u64 = 1 << 20;

/// A place in a file that is mapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// Path in the process's mount namespace, as the kernel writes it: a line feed in it is `\\012`.
    pub file: String,
    /// From the file's start, in bytes.
    pub offset: u64,
}

/// What is mapped at each of `addresses` of a process; nothing when it has no memory any more.
#[must_use]
pub fn mapped(proc: &Path, pid: u32, addresses: &[u64]) -> Vec<Option<Mapped>> {
    let mut found = vec![None; addresses.len()];
    if let Ok(file) = File::open(proc.join(pid.to_string()).join("maps")) {
        // What was read before an error counts.
        _ = files::lines_of(file, MAX_BYTES, |line| {
            let Some(mapping) = Mapping::parse(line) else { return };
            for (address, found) in addresses.iter().zip(&mut found) {
                if let Some(offset) = mapping.offset_of(*address) {
                    *found = Some(Mapped { file: mapping.file.clone(), offset });
                }
            }
        });
    }
    found
}

struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    file: String,
}

impl Mapping {
    /// `7f0000000000-7f0000001000 r-xp 00002000 fd:01 123      /usr/lib/libc.so.6`; none for memory that is no file's.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        let offset = number(words.nth(1)?)?;
        let file = words.nth(2)?.trim_start_matches(' ').trim_end();
        file.starts_with('/').then(|| Self { start, end, offset, file: file.to_owned() })
    }

    fn offset_of(&self, address: u64) -> Option<u64> {
        (self.start..self.end).contains(&address).then(|| self.offset.saturating_add(address - self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_place_in_the_file_that_is_mapped_there() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("7")).unwrap();
        let maps = "55550000-55551000 r--p 00000000 fd:01 7                  /usr/bin/a b\n\
                    55551000-55553000 r-xp 00001000 fd:01 7                  /usr/bin/a b\n\
                    7f000000-7f001000 rw-p 00000000 00:00 0 \n\
                    7ffe0000-7ffe1000 r-xp 00000000 00:00 0                  [vdso]\n\
                    nonsense\n\
                    ffffffffff000000-ffffffffff001000 r-xp ffffffffffffffff fd:01 7 /wraps\n";
        std::fs::write(dir.path().join("7/maps"), maps).unwrap();
        let place = |file: &str, offset| Some(Mapped { file: file.to_owned(), offset });
        let addresses = [0x5555_1010, 0x5555_2fff, 0x5555_3000, 0x7f00_0000, 0x7ffe_0001, 0xffff_ffff_ff00_0001];
        let expected =
            [place("/usr/bin/a b", 0x1010), place("/usr/bin/a b", 0x2fff), None, None, None, place("/wraps", u64::MAX)];
        assert_eq!(mapped(dir.path(), 7, &addresses), expected);
        assert_eq!(mapped(dir.path(), 8, &addresses), vec![None; 6]);
    }
}
