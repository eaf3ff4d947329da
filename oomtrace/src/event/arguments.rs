//! A process's arguments, in one piece: thousands of events may be held at a time, and a process chooses how many arguments it has.

use serde::{Serialize, Serializer};

/// Arguments of one process that are shown. Each takes memory of its own then, however short it is.
pub const MAX_ARGUMENTS: usize = 256;

/// See the module's documentation. As the kernel has them: NUL-terminated.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arguments(Box<[u8]>);

impl Arguments {
    /// None when there are none. A process may have overwritten them (`setproctitle`), so the last one need not be terminated, and
    /// empty ones at the end are padding.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().rposition(|byte| *byte != 0)?;
        bytes.get(..=end).map(|bytes| Self(bytes.into()))
    }

    /// Bytes that they take.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.0.len()
    }

    /// Each by itself, what is no UTF-8 replaced; and whether there are more than are shown.
    #[must_use]
    pub fn to_vec(&self) -> (Vec<String>, bool) {
        let mut all = self.0.split(|byte| *byte == 0).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (all.by_ref().take(MAX_ARGUMENTS).collect(), all.next().is_some())
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.to_vec().0)
    }
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.split(|byte| *byte == 0).map(String::from_utf8_lossy)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_and_more_than_are_shown_are_cut() {
        let shown = |bytes: &[u8]| Arguments::new(bytes).map(|arguments| arguments.to_vec());
        let of = |arguments: &[&str]| Some((arguments.iter().map(|a| (*a).to_owned()).collect(), false));
        assert_eq!(shown(b"a\0b c\0"), of(&["a", "b c"]));
        assert_eq!(shown(b"a\0\0b\0\0\0"), of(&["a", "", "b"]));
        assert_eq!(shown(b"\xff"), of(&["\u{fffd}"]));
        assert_eq!((shown(b""), shown(b"\0\0")), (None, None));
        let many = b"x\0".repeat(MAX_ARGUMENTS + 1);
        let (first, more) = shown(&many).unwrap();
        assert_eq!((first.len(), more), (MAX_ARGUMENTS, true));
    }
}
