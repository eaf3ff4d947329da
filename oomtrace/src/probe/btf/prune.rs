//! Cuts a kernel's BTF (5 MB) down to the types that the layout table asks for (some 20 KB), so that the resolver can be
//! tested on the real types of many kernels, and a bug report can carry its kernel's.
//!
//! Wanted structs keep all their members, at their offsets; a member keeps its type only when it is wanted or anonymous.

use std::collections::HashMap;

use crate::probe::btf::read::{Kind, RawType};
use crate::probe::btf::write::file;
use crate::probe::btf::{Btf, TypeId};

/// BTF with the types named in `types`, in which the members named in `members` have types.
#[must_use]
pub fn prune(btf: &Btf<'_>, types: &[&str], members: &[&str]) -> Vec<u8> {
    let mut pruner = Pruner { btf, members, new_ids: HashMap::new(), order: Vec::new(), strings: vec![0] };
    for name in types {
        for id in btf.named(name) {
            pruner.collect(*id);
        }
    }
    pruner.write()
}

struct Pruner<'a, 'b> {
    btf: &'a Btf<'b>,
    members: &'a [&'a str],
    new_ids: HashMap<TypeId, u32>,
    order: Vec<(TypeId, RawType)>,
    strings: Vec<u8>,
}

impl Pruner<'_, '_> {
    /// Gives `id`, and all that it needs, a new number.
    fn collect(&mut self, id: TypeId) {
        let Some(raw) = self.btf.raw(id) else { return };
        if self.new_ids.contains_key(&id) {
            return;
        }
        self.new_ids.insert(id, u32::try_from(self.order.len() + 1).unwrap_or(u32::MAX));
        self.order.push((id, raw));
        for needed in self.needs(&raw) {
            self.collect(needed);
        }
    }

    fn needs(&self, raw: &RawType) -> Vec<TypeId> {
        let target = TypeId(raw.size_or_type);
        match raw.kind {
            Kind::Struct | Kind::Union => {
                let members = self.btf.types.members(raw).flatten();
                members.filter(|m| self.keeps_type(m.name)).map(|m| TypeId(m.ty)).collect()
            }
            Kind::Array => self.btf.types.array(raw).map(|(element, _)| vec![element]).unwrap_or_default(),
            Kind::FuncProto => self.btf.types.params(raw).flatten().collect(),
            // What a pointer points to does not matter, unless it is a tracepoint's prototype.
            Kind::Ptr if self.btf.kind(target) == Some(Kind::FuncProto) => vec![target],
            kind if kind.is_alias() => vec![target],
            _ => Vec::new(),
        }
    }

    fn keeps_type(&self, name: u32) -> bool {
        self.btf.string(name).is_none_or(|name| self.members.contains(&name))
    }

    fn new_id(&self, id: TypeId) -> u32 {
        self.new_ids.get(&id).copied().unwrap_or(0)
    }

    fn new_string(&mut self, offset: u32) -> u32 {
        let Some(text) = self.btf.string(offset) else { return 0 };
        let at = u32::try_from(self.strings.len()).unwrap_or(0);
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn write(mut self) -> Vec<u8> {
        let mut types = Vec::new();
        for (_, raw) in std::mem::take(&mut self.order) {
            self.write_type(&raw, &mut types);
        }
        file(&types, &self.strings)
    }

    fn write_type(&mut self, raw: &RawType, out: &mut Vec<u8>) {
        let name = self.new_string(raw.name);
        let refers = raw.kind.is_alias() || raw.kind == Kind::Ptr;
        let size_or_type = if refers { self.new_id(TypeId(raw.size_or_type)) } else { raw.size_or_type };
        let info = raw.vlen as u32 | raw.kind.number() << 24 | u32::from(raw.kind_flag) << 31;
        let mut words = vec![name, info, if raw.kind == Kind::FuncProto { 0 } else { size_or_type }];
        match raw.kind {
            Kind::Struct | Kind::Union => {
                for member in self.btf.types.members(raw).flatten() {
                    let ty = if self.keeps_type(member.name) { self.new_id(TypeId(member.ty)) } else { 0 };
                    words.extend([self.new_string(member.name), ty, member.offset]);
                }
            }
            Kind::Enum => {
                for (name, value) in self.btf.types.variants(raw).flatten() {
                    words.extend([self.new_string(name), value]);
                }
            }
            Kind::Array => {
                let (element, count) = self.btf.types.array(raw).unwrap_or((TypeId(0), 0));
                words.extend([self.new_id(element), 0, count]);
            }
            Kind::FuncProto => {
                for param in self.btf.types.params(raw).flatten() {
                    words.extend([0, self.new_id(param)]);
                }
            }
            // The encoding of an integer (signed, bits) is not asked for.
            Kind::Int => words.push(0),
            _ => {}
        }
        out.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }
}
