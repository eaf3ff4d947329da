//! The reader on a type section made by hand, and on damaged ones.

use super::*;

/// Writes BTF, type by type; the first is number 1.
#[derive(Default)]
struct Writer {
    types: Vec<u32>,
    strings: Vec<u8>,
}

impl Writer {
    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32 + 1;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn ty(&mut self, name: &str, kind: u32, flag: bool, size_or_type: u32, entries: &[(&str, u32, u32)]) -> &mut Self {
        let name = self.string(name);
        self.types.extend([name, entries.len() as u32 | kind << 24 | u32::from(flag) << 31, size_or_type]);
        for (name, a, b) in entries {
            let name = self.string(name);
            self.types.push(name);
            // Enums and parameters have one word besides the name.
            if matches!(kind, 6 | 13) { self.types.push(*a) } else { self.types.extend([*a, *b]) }
        }
        self
    }

    fn done(&self) -> Vec<u8> {
        let strings: Vec<u8> = std::iter::once(0).chain(self.strings.iter().copied()).collect();
        let types = self.types.len() as u32 * 4;
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, strings.len() as u32] {
            out.extend(word.to_ne_bytes());
        }
        out.extend(self.types.iter().flat_map(|w| w.to_ne_bytes()));
        out.extend(strings);
        out
    }
}

const WANTED: [&str; 5] = ["s", "e", "btf_trace_x", "big", "loop"];

/// 1: int, 2: anonymous union { a; b }, 3: s { bit field; x; anonymous union; after }, 4: enum e, 5: prototype,
/// 6: pointer to it, 7: typedef btf_trace_x.
fn sample() -> Vec<u8> {
    let mut w = Writer::default();
    w.ty("int", 1, false, 4, &[]);
    w.types.push(32);
    w.ty("", 5, false, 8, &[("a", 1, 0), ("b", 1, 32)]);
    // With the flag, an offset's upper byte is a bit field's size: this one starts inside a byte.
    w.ty("s", 4, true, 32, &[("bits", 1, 3 | 2 << 24), ("x", 1, 64), ("", 2, 128), ("after", 2, 192)]);
    w.ty("e", 6, false, 4, &[("zero", 0, 0), ("four", 4, 0)]);
    w.ty("", 13, false, 0, &[("", 6, 0), ("", 1, 0)]);
    w.ty("", 2, false, 5, &[]);
    w.ty("btf_trace_x", 8, false, 6, &[]);
    w.done()
}

#[test]
fn members_are_found_through_anonymous_ones_and_past_bit_fields() {
    let bytes = sample();
    let btf = Btf::parse(&bytes, &WANTED).unwrap();
    for (path, offset) in [
        ("x", Some(8)),
        ("a", Some(16)),
        ("b", Some(20)),
        ("after.b", Some(28)),
        ("bits", None),
        ("c", None),
        ("x.y", None),
    ] {
        assert_eq!(btf.member("s", path).map(|m| m.offset), offset, "{path}");
    }
    assert_eq!(btf.member("unknown", "x"), None);
}

#[test]
fn enums_prototypes_and_sizes() {
    let bytes = sample();
    let btf = Btf::parse(&bytes, &WANTED).unwrap();
    assert_eq!(btf.enum_value("e", "four"), Some(4));
    assert_eq!(btf.enum_value("e", "five"), None);
    let params = btf.prototype("btf_trace_x").unwrap();
    assert_eq!(params.iter().map(|p| btf.kind(*p)).collect::<Vec<_>>(), [Some(Kind::Ptr), Some(Kind::Int)]);
    assert_eq!(btf.size(btf.member("s", "after").unwrap().ty), Some(8));
    assert_eq!(btf.prototype("s"), None);
}

#[test]
fn a_type_that_contains_itself_ends() {
    let mut w = Writer::default();
    w.ty("loop", 4, false, 8, &[("", 1, 0)]);
    w.ty("big", 8, false, 2, &[]);
    let bytes = w.done();
    let btf = Btf::parse(&bytes, &WANTED).unwrap();
    assert_eq!(btf.member("loop", "x"), None);
    assert_eq!(btf.prototype("big"), None);
}

#[test]
fn bytes_that_are_no_btf_say_why() {
    assert_eq!(Btf::parse(&[], &WANTED).err(), Some(BtfError::Truncated { at: 0 }));
    assert_eq!(
        Btf::parse(&[0x7f, b'E', b'L', b'F'], &WANTED).err(),
        Some(BtfError::Magic(u16::from_ne_bytes([0x7f, b'E'])))
    );
    let mut unknown = Writer::default();
    unknown.ty("x", 31, false, 0, &[]);
    assert_eq!(Btf::parse(&unknown.done(), &WANTED).err(), Some(BtfError::UnknownKind { id: 1, kind: 31 }));
}

#[test]
fn no_damage_makes_it_panic() {
    let whole = sample();
    for end in 0..whole.len() {
        if let Ok(btf) = Btf::parse(&whole[..end], &WANTED) {
            exercise(&btf);
        }
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            if let Ok(btf) = Btf::parse(&damaged, &WANTED) {
                exercise(&btf);
            }
        }
    }
}

fn exercise(btf: &Btf<'_>) {
    for path in ["x", "a", "after.b"] {
        let member = btf.member("s", path);
        member.map(|m| (btf.size(m.ty), btf.kind(m.ty), btf.name(m.ty)));
    }
    let _any = btf.enum_value("e", "four");
    let _any = btf.prototype("btf_trace_x");
}
