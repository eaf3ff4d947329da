//! How much memory a record holds, about: what a bounded queue counts with. Counted by what would be serialized, so that a field
//! that is added counts, too.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Of a string, a list or an optional part besides its contents: pointer, size, capacity, and what the allocator adds.
const OVERHEAD: usize = 32;
/// Of a number.
const WORD: usize = 8;

/// Bytes that `value` holds.
#[must_use]
pub fn weight(value: &impl Serialize) -> usize {
    let mut bytes = 0;
    // Only what serializes may fail, and then it is not put out either.
    _ = value.serialize(Scale(&mut bytes));
    bytes
}

struct Scale<'a>(&'a mut usize);

impl Scale<'_> {
    fn add(self, bytes: usize) -> Result<(), fmt::Error> {
        *self.0 = self.0.saturating_add(bytes);
        Ok(())
    }
}

macro_rules! words {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, _: $type) -> Result<(), fmt::Error> {
            self.add(WORD)
        })*
    };
}

impl<'a> Serializer for Scale<'a> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Scale<'a>;
    type SerializeTuple = Scale<'a>;
    type SerializeTupleStruct = Scale<'a>;
    type SerializeTupleVariant = Scale<'a>;
    type SerializeMap = Scale<'a>;
    type SerializeStruct = Scale<'a>;
    type SerializeStructVariant = Scale<'a>;

    words!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_unit_struct: &'static str
    );

    fn serialize_str(self, text: &str) -> Result<(), fmt::Error> {
        self.add(OVERHEAD + text.len())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), fmt::Error> {
        self.add(OVERHEAD + bytes.len())
    }

    /// The room for it is there all the same.
    fn serialize_none(self) -> Result<(), fmt::Error> {
        self.add(OVERHEAD)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), fmt::Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), fmt::Error> {
        self.add(WORD)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), fmt::Error> {
        self.add(WORD)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), fmt::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), fmt::Error> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self.with(OVERHEAD))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self.with(OVERHEAD))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }
}

impl Scale<'_> {
    fn with(self, bytes: usize) -> Self {
        *self.0 = self.0.saturating_add(bytes);
        self
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), fmt::Error> {
        value.serialize(Scale(&mut *self.0))
    }
}

macro_rules! parts {
    ($($part:ident: $function:ident),*) => {
        $(impl $part for Scale<'_> {
            type Ok = ();
            type Error = fmt::Error;

            fn $function<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), fmt::Error> {
                self.part(value)
            }

            fn end(self) -> Result<(), fmt::Error> {
                Ok(())
            }
        })*
    };
}

macro_rules! fields {
    ($($part:ident),*) => {
        $(impl $part for Scale<'_> {
            type Ok = ();
            type Error = fmt::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), fmt::Error> {
                self.part(value)
            }

            fn end(self) -> Result<(), fmt::Error> {
                Ok(())
            }
        })*
    };
}

parts!(
    SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);
fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Scale<'_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), fmt::Error> {
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), fmt::Error> {
        self.part(value)
    }

    fn end(self) -> Result<(), fmt::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Process;

    #[test]
    fn a_record_weighs_what_it_holds() {
        let small = weight(&Process::default());
        let large = weight(&Process { cmdline: Some(vec!["x".repeat(1000); 10]), ..Process::default() });
        assert!((100..1000).contains(&small), "{small}");
        assert!((10_000..11_000 + small).contains(&large), "{large}");
    }
}
