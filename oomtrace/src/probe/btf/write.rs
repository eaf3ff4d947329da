//! A BTF file of types and strings that are put together already.

use crate::probe::btf::read::{HEADER_LEN, MAGIC};

/// The file: a header of version 1 without flags, then both sections.
#[must_use]
pub fn file(types: &[u8], strings: &[u8]) -> Vec<u8> {
    let (type_len, string_len) = (len(types), len(strings));
    let mut out: Vec<u8> = MAGIC.to_ne_bytes().into_iter().chain([1, 0]).collect();
    for word in [HEADER_LEN as u32, 0, type_len, type_len, string_len] {
        out.extend(word.to_ne_bytes());
    }
    out.extend(types);
    out.extend(strings);
    out
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
