//! A small reader of BTF, the kernel's own type information: names to byte offsets, enum values and prototypes.
//!
//! It exists because Rust emits no CO-RE relocations and aya keeps BTF's struct members private. It reads what
//! `Documentation/bpf/btf.rst` (5.10 to 7.3) describes, once, at start, and keeps nothing but a table of positions.

pub mod prune;
mod read;
pub(crate) mod write;

use std::collections::HashMap;

pub use read::Kind;
use read::{Bytes, HEADER_LEN, MAGIC, RawType};

/// Why a BTF blob cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BtfError {
    #[error("it is not BTF (magic {0:#06x})")]
    Magic(u16),
    #[error("it ends early, at byte {at}")]
    Truncated { at: usize },
    #[error("type {id} is of kind {kind}, which this version of oomtrace does not know")]
    UnknownKind { id: u32, kind: u32 },
}

/// A type's number in its BTF; 0 is `void`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeId(pub u32);

/// Where a member lies and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the outermost struct.
    pub offset: u32,
    /// The member's type.
    pub ty: TypeId,
}

/// Parsed type information over borrowed bytes.
pub struct Btf<'a> {
    types: Bytes<'a>,
    strings: &'a [u8],
    /// Byte offset of each type in the type section; index 0 is `void`.
    positions: Vec<u32>,
    /// Named structs, unions, enums and typedefs, as far as they were asked for.
    named: HashMap<&'a str, Vec<TypeId>>,
}

/// Deep enough for every real nesting of anonymous members; a cycle in damaged BTF ends here.
const MAX_DEPTH: u32 = 16;

impl<'a> Btf<'a> {
    /// Parses `bytes` and indexes those named types whose name is in `wanted`.
    ///
    /// # Errors
    /// When the bytes are no BTF, end early, or hold a kind of type that is not known.
    pub fn parse(bytes: &'a [u8], wanted: &[&str]) -> Result<Self, BtfError> {
        let all = Bytes(bytes);
        let magic = all.u16(0)?;
        if magic != MAGIC {
            return Err(BtfError::Magic(magic));
        }
        let header_len = all.u32(4)? as usize;
        let section = |field: usize| -> Result<&'a [u8], BtfError> {
            let start = header_len.saturating_add(all.u32(field)? as usize);
            let len = all.u32(field + 4)? as usize;
            all.range(start, len)
        };
        if header_len < HEADER_LEN {
            return Err(BtfError::Truncated { at: header_len });
        }
        let types = Bytes(section(8)?);
        let strings = section(16)?;
        let mut btf = Self { types, strings, positions: vec![0], named: HashMap::new() };
        btf.index(wanted)?;
        Ok(btf)
    }

    fn index(&mut self, wanted: &[&str]) -> Result<(), BtfError> {
        let mut at = 0;
        while at < self.types.0.len() {
            let id = TypeId(u32::try_from(self.positions.len()).unwrap_or(u32::MAX));
            let raw = self.types.raw_type(at, id)?;
            self.positions.push(u32::try_from(at).unwrap_or(u32::MAX));
            if matches!(raw.kind, Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef)
                && let Some(name) = self.string(raw.name)
                && wanted.contains(&name)
            {
                self.named.entry(name).or_default().push(id);
            }
            at += raw.len;
        }
        // The last type must be whole.
        if at == self.types.0.len() { Ok(()) } else { Err(BtfError::Truncated { at }) }
    }

    /// The type `id`; none when there is no such type, or it is `void`.
    #[must_use]
    pub(crate) fn raw(&self, id: TypeId) -> Option<RawType> {
        if id.0 == 0 {
            return None;
        }
        let at = *self.positions.get(id.0 as usize)?;
        self.types.raw_type(at as usize, id).ok()
    }

    /// The string at `offset` of the string section; none when empty or damaged.
    #[must_use]
    pub(crate) fn string(&self, offset: u32) -> Option<&'a str> {
        let rest = self.strings.get(offset as usize..)?;
        let end = rest.iter().position(|b| *b == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok().filter(|s| !s.is_empty())
    }

    /// The first type of each name and kind, among all that there are.
    #[must_use]
    pub fn find(&self, wanted: &[(&str, Kind)]) -> Vec<Option<TypeId>> {
        let mut found = vec![None; wanted.len()];
        for id in (1..self.positions.len()).filter_map(|id| u32::try_from(id).ok()).map(TypeId) {
            let Some(raw) = self.raw(id).filter(|raw| wanted.iter().any(|(_, kind)| *kind == raw.kind)) else {
                continue;
            };
            let is_this = |(name, kind): &(&str, Kind)| *kind == raw.kind && self.is_named(raw.name, name);
            if let Some(slot) = wanted.iter().position(is_this).and_then(|at| found.get_mut(at)) {
                *slot = slot.or(Some(id));
            }
        }
        found
    }

    /// The string at `offset` is `name`: without a search for its end.
    fn is_named(&self, offset: u32, name: &str) -> bool {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
    }

    /// All types named `name` among those asked for.
    fn named(&self, name: &str) -> &[TypeId] {
        self.named.get(name).map_or(&[], Vec::as_slice)
    }

    /// Follows typedefs and qualifiers to what the type really is.
    #[must_use]
    pub fn strip(&self, mut id: TypeId) -> TypeId {
        for _ in 0..MAX_DEPTH {
            match self.raw(id) {
                Some(raw) if raw.kind.is_alias() => id = TypeId(raw.size_or_type),
                _ => break,
            }
        }
        id
    }

    /// What kind of thing a type is, behind typedefs and qualifiers; none for `void`.
    #[must_use]
    pub fn kind(&self, id: TypeId) -> Option<Kind> {
        Some(self.raw(self.strip(id))?.kind)
    }

    /// The size of a struct, union, int or array in bytes.
    #[must_use]
    pub fn size(&self, id: TypeId) -> Option<u32> {
        let raw = self.raw(self.strip(id))?;
        match raw.kind {
            Kind::Struct | Kind::Union | Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float => Some(raw.size_or_type),
            Kind::Ptr => Some(8),
            Kind::Array => {
                let (element, count) = self.types.array(&raw).ok()?;
                self.size(element)?.checked_mul(count)
            }
            _ => None,
        }
    }

    /// An array's element type and count.
    #[must_use]
    pub fn array(&self, id: TypeId) -> Option<(TypeId, u32)> {
        let raw = self.raw(self.strip(id))?;
        (raw.kind == Kind::Array).then(|| self.types.array(&raw).ok()).flatten()
    }

    /// A struct or union's name, or a typedef's, as declared.
    #[must_use]
    pub fn name(&self, id: TypeId) -> Option<&'a str> {
        self.string(self.raw(id)?.name)
    }

    /// What a pointer points to.
    #[must_use]
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        let raw = self.raw(self.strip(id))?;
        (raw.kind == Kind::Ptr).then_some(TypeId(raw.size_or_type))
    }

    /// Finds `path` (`"f_path.dentry"`) in `struct_name`, through anonymous members. Where the kernel has several types
    /// of that name, the first that has the member counts.
    #[must_use]
    pub fn member(&self, struct_name: &str, path: &str) -> Option<Member> {
        self.named(struct_name).iter().find_map(|id| self.member_of(*id, path))
    }

    fn member_of(&self, id: TypeId, path: &str) -> Option<Member> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(f, r)| (f, Some(r)));
        let member = self.direct_member(id, first, 0)?;
        let Some(rest) = rest else { return Some(member) };
        let inner = self.member_of(member.ty, rest)?;
        Some(Member { offset: member.offset.checked_add(inner.offset)?, ty: inner.ty })
    }

    fn direct_member(&self, id: TypeId, name: &str, depth: u32) -> Option<Member> {
        if depth > MAX_DEPTH {
            return None;
        }
        let raw = self.raw(self.strip(id))?;
        let mut anonymous = None;
        for member in self.types.members(&raw) {
            let Ok(member) = member else { return None };
            // A bit field inside a byte has no byte offset.
            let Some(offset) = member.offset_bytes(&raw) else { continue };
            let at = Member { offset, ty: TypeId(member.ty) };
            match self.string(member.name) {
                Some(found) if found == name => return Some(at),
                None if anonymous.is_none() => {
                    if let Some(inner) = self.direct_member(at.ty, name, depth + 1) {
                        let offset = at.offset.checked_add(inner.offset)?;
                        anonymous = Some(Member { offset, ty: inner.ty });
                    }
                }
                _ => {}
            }
        }
        anonymous
    }

    /// The value of `variant` in `enum enum_name`.
    #[must_use]
    pub fn enum_value(&self, enum_name: &str, variant: &str) -> Option<u32> {
        self.named(enum_name).iter().find_map(|id| {
            let raw = self.raw(*id).filter(|raw| raw.kind == Kind::Enum)?;
            self.types.variants(&raw).find_map(|v| {
                let (name, value) = v.ok()?;
                (self.string(name)? == variant).then_some(value)
            })
        })
    }

    /// The parameters of the function that `typedef` names a pointer to; none when there is no such typedef.
    ///
    /// Tracepoints have one each: `typedef void (*btf_trace_mark_victim)(void *, …)` (include/trace/bpf_probe.h, 5.5).
    #[must_use]
    pub fn prototype(&self, typedef: &str) -> Option<Vec<TypeId>> {
        self.named(typedef).iter().find_map(|id| {
            let proto = self.raw(self.strip(self.pointee(*id)?))?;
            if proto.kind != Kind::FuncProto {
                return None;
            }
            self.types.params(&proto).collect::<Result<_, _>>().ok()
        })
    }
}

#[cfg(test)]
mod tests;
