//! BTF's bytes: bounds-checked integers, and the shape of each kind of type.

use crate::probe::btf::{BtfError, TypeId};

pub(super) const MAGIC: u16 = 0xeb9f;
/// `struct btf_header` (include/uapi/linux/btf.h).
pub(super) const HEADER_LEN: usize = 24;

/// `BTF_KIND_*` (include/uapi/linux/btf.h, 5.4 to 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    DataSec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

impl Kind {
    fn from_raw(kind: u32) -> Option<Self> {
        use Kind::*;
        const KINDS: [Kind; 19] = [
            Int, Ptr, Array, Struct, Union, Enum, Fwd, Typedef, Volatile, Const, Restrict, Func, FuncProto, Var,
            DataSec, Float, DeclTag, TypeTag, Enum64,
        ];
        KINDS.get((kind as usize).checked_sub(1)?).copied()
    }

    /// The kernel's number for it.
    pub(crate) const fn number(self) -> u32 {
        self as u32 + 1
    }

    /// Only another name or a qualifier for what it refers to.
    pub(super) fn is_alias(self) -> bool {
        matches!(self, Self::Typedef | Self::Volatile | Self::Const | Self::Restrict | Self::TypeTag)
    }

    /// Bytes behind the common part, for `vlen` entries.
    fn extra_len(self, vlen: usize) -> usize {
        match self {
            Self::Int | Self::Var | Self::DeclTag => 4,
            Self::Array => 12,
            Self::Struct | Self::Union | Self::DataSec | Self::Enum64 => 12 * vlen,
            Self::Enum | Self::FuncProto => 8 * vlen,
            Self::Ptr
            | Self::Fwd
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::Float
            | Self::TypeTag => 0,
        }
    }
}

/// `struct btf_type`, and where its entries are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawType {
    pub(crate) name: u32,
    pub(crate) kind: Kind,
    pub(crate) size_or_type: u32,
    /// Member offsets hold a bit-field size in their upper byte.
    pub(crate) kind_flag: bool,
    pub(crate) vlen: usize,
    /// Where the entries start in the type section.
    pub(crate) entries: usize,
    /// Bytes of the whole record.
    pub(crate) len: usize,
}

/// `struct btf_member`.
pub(crate) struct RawMember {
    pub(crate) name: u32,
    pub(crate) ty: u32,
    pub(crate) offset: u32,
}

impl RawMember {
    /// The member's offset in bytes; none for a bit field that does not start on a byte.
    pub(super) fn offset_bytes(&self, parent: &RawType) -> Option<u32> {
        let bits = if parent.kind_flag { self.offset & 0x00ff_ffff } else { self.offset };
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

/// Integers at offsets, in the byte order of this machine: BTF is the running kernel's.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn range(&self, start: usize, len: usize) -> Result<&'a [u8], BtfError> {
        start.checked_add(len).and_then(|end| self.0.get(start..end)).ok_or(BtfError::Truncated { at: self.0.len() })
    }

    pub(super) fn u16(&self, at: usize) -> Result<u16, BtfError> {
        let mut bytes = [0; 2];
        bytes.copy_from_slice(self.range(at, 2)?);
        Ok(u16::from_ne_bytes(bytes))
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, BtfError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.range(at, 4)?);
        Ok(u32::from_ne_bytes(bytes))
    }

    pub(super) fn raw_type(&self, at: usize, id: TypeId) -> Result<RawType, BtfError> {
        let info = self.u32(at + 4)?;
        let kind = info >> 24 & 0x1f;
        let kind = Kind::from_raw(kind).ok_or(BtfError::UnknownKind { id: id.0, kind })?;
        let vlen = (info & 0xffff) as usize;
        Ok(RawType {
            name: self.u32(at)?,
            kind,
            size_or_type: self.u32(at + 8)?,
            kind_flag: info >> 31 == 1,
            vlen,
            entries: at + 12,
            len: 12 + kind.extra_len(vlen),
        })
    }

    /// The members of a struct or union; nothing for other kinds.
    pub(super) fn members(self, raw: &RawType) -> impl Iterator<Item = Result<RawMember, BtfError>> {
        let RawType { entries, vlen, kind, .. } = *raw;
        let count = if matches!(kind, Kind::Struct | Kind::Union) { vlen } else { 0 };
        (0..count).map(move |i| {
            let at = entries + 12 * i;
            Ok(RawMember { name: self.u32(at)?, ty: self.u32(at + 4)?, offset: self.u32(at + 8)? })
        })
    }

    /// The name and value of each variant of a 32-bit enum.
    pub(super) fn variants(self, raw: &RawType) -> impl Iterator<Item = Result<(u32, u32), BtfError>> {
        let RawType { entries, vlen, .. } = *raw;
        (0..vlen).map(move |i| Ok((self.u32(entries + 8 * i)?, self.u32(entries + 8 * i + 4)?)))
    }

    /// The type of each parameter of a function prototype.
    pub(super) fn params(self, raw: &RawType) -> impl Iterator<Item = Result<TypeId, BtfError>> {
        let RawType { entries, vlen, .. } = *raw;
        (0..vlen).map(move |i| Ok(TypeId(self.u32(entries + 8 * i + 4)?)))
    }

    /// An array's element type and count.
    pub(super) fn array(&self, raw: &RawType) -> Result<(TypeId, u32), BtfError> {
        Ok((TypeId(self.u32(raw.entries)?), self.u32(raw.entries + 8)?))
    }
}
