//! The types in the kernel's BTF that programs are attached to by number: a tracepoint's typedef, a function.
//!
//! aya finds such a number by name among all of the kernel's types, some 150,000, which take it 30 ms to read. They have been
//! read here already; so aya is given a table that says nothing but these names, at their numbers.

use aya::{BtfError, Endianness};

use super::btf::{Btf, Kind, TypeId};

/// What programs are attached to.
const WANTED: [(&str, Kind); 3] = [
    ("btf_trace_signal_generate", Kind::Typedef),
    ("oom_kill_process", Kind::Func),
    ("security_unix_stream_connect", Kind::Func),
];

// include/uapi/linux/btf.h
const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER_LEN: u32 = 24;
const KIND_FWD: u32 = 7;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC: u32 = 12;

/// Those of [`WANTED`] that this kernel has: number, kind as BTF has it, name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachTypes(Vec<(u32, u32, &'static str)>);

impl AttachTypes {
    /// Looks them up.
    #[must_use]
    pub fn find(btf: &Btf<'_>) -> Self {
        let ids = btf.find(&WANTED);
        let found = WANTED.iter().zip(ids).filter_map(|((name, kind), id)| {
            let TypeId(number) = id?;
            Some((number, if *kind == Kind::Func { KIND_FUNC } else { KIND_TYPEDEF }, *name))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        Self(found)
    }

    /// The table for aya.
    ///
    /// # Errors
    /// When aya does not take it.
    pub fn for_aya(&self) -> Result<aya::Btf, BtfError> {
        aya::Btf::parse(&self.table(), Endianness::default())
    }

    fn table(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut types: Vec<u8> = Vec::new();
        let mut add = |name: u32, kind: u32| types.extend([name, kind << 24, 0].iter().flat_map(|w| w.to_ne_bytes()));
        let mut next = 1;
        for (number, kind, name) in &self.0 {
            // What lies in between is nameless.
            (next..*number).for_each(|_| add(0, KIND_FWD));
            add(u32::try_from(strings.len()).unwrap_or_default(), *kind);
            strings.extend(name.bytes().chain([0]));
            next = number + 1;
        }
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default();
        let mut table: Vec<u8> = MAGIC.to_ne_bytes().into_iter().chain([VERSION, 0]).collect();
        let sections = [HEADER_LEN, 0, len(&types), len(&types), len(&strings)];
        table.extend(sections.iter().flat_map(|word| word.to_ne_bytes()));
        table.extend(types);
        table.extend(strings);
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_names_at_their_numbers_and_nothing_else() {
        let found = AttachTypes(vec![
            (3, KIND_TYPEDEF, "btf_trace_signal_generate"),
            (4, KIND_FUNC, "oom_kill_process"),
            (100_000, KIND_FUNC, "security_unix_stream_connect"),
        ]);
        let table = found.table();
        assert!(found.for_aya().is_ok());
        let btf = Btf::parse(&table, &[]).unwrap();
        assert_eq!(btf.find(&WANTED), [Some(TypeId(3)), Some(TypeId(4)), Some(TypeId(100_000))]);
        assert_eq!(AttachTypes::find(&btf), found);
        // Each by its own kind.
        assert_eq!(btf.find(&[("oom_kill_process", Kind::Typedef), ("oom_kill", Kind::Func)]), [None, None]);
        assert!(AttachTypes::default().for_aya().is_ok());
    }
}
