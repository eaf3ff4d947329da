//! The types in the kernel's BTF that programs are attached to by number: a tracepoint's typedef, a function.
//!
//! aya finds such a number by name among all of the kernel's types, some 150,000, which take it 30 ms to read. They have been
//! read here already; so aya is given a table that says nothing but these names, at their numbers.

use aya::{BtfError, Endianness};

use crate::probe::btf::write::file;
use crate::probe::btf::{Btf, Kind};

/// What programs are attached to.
const WANTED: [(&str, Kind); 3] = [
    ("btf_trace_signal_generate", Kind::Typedef),
    ("oom_kill_process", Kind::Func),
    ("security_unix_stream_connect", Kind::Func),
];

/// Those of [`WANTED`] that this kernel has, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachTypes(Vec<(u32, Kind, &'static str)>);

impl AttachTypes {
    /// Looks them up.
    #[must_use]
    pub fn find(btf: &Btf<'_>) -> Self {
        let ids = btf.find(&WANTED);
        let found = WANTED.iter().zip(ids).filter_map(|((name, kind), id)| Some((id?.0, *kind, *name)));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable_by_key(|(number, ..)| *number);
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
        let mut add = |name: u32, kind: Kind| {
            types.extend([name, kind.number() << 24, 0].iter().flat_map(|word| word.to_ne_bytes()));
        };
        let mut next = 1;
        for (number, kind, name) in &self.0 {
            // What lies in between is nameless.
            (next..*number).for_each(|_| add(0, Kind::Fwd));
            add(u32::try_from(strings.len()).unwrap_or_default(), *kind);
            strings.extend(name.bytes().chain([0]));
            next = number + 1;
        }
        file(&types, &strings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::btf::TypeId;

    #[test]
    fn the_table_has_the_names_at_their_numbers_and_nothing_else() {
        let found = AttachTypes(vec![
            (3, Kind::Typedef, "btf_trace_signal_generate"),
            (4, Kind::Func, "oom_kill_process"),
            (100_000, Kind::Func, "security_unix_stream_connect"),
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
