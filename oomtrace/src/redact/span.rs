//! Where secrets are in a string, and the string without them.

/// What stands in a secret's place. It is no shape of a secret itself, so that what is masked stays as it is.
pub const MASK: &str = "REDACTED";

/// Parts of a string, in bytes from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(usize, usize)>);

impl Spans {
    /// Adds the bytes from `start` up to `end`.
    pub fn add(&mut self, start: usize, end: usize) {
        if start < end {
            self.0.push((start, end));
        }
    }

    /// Adds those of a part that starts at `offset`.
    pub fn add_all(&mut self, part: &Self, offset: usize) {
        for (start, end) in &part.0 {
            self.add(start.saturating_add(offset), end.saturating_add(offset));
        }
    }

    /// `text` with the mask in the place of each part; parts that touch have one between them.
    pub fn mask(mut self, text: &[u8]) -> Vec<u8> {
        self.0.sort_unstable();
        let mut masked = Vec::with_capacity(text.len());
        let mut done = 0;
        let mut parts = self.0.into_iter().peekable();
        while let Some((start, mut end)) = parts.next() {
            while let Some((_, next)) = parts.next_if(|(next, _)| *next <= end) {
                end = end.max(next);
            }
            masked.extend_from_slice(text.get(done..start).unwrap_or_default());
            masked.extend_from_slice(MASK.as_bytes());
            done = end;
        }
        masked.extend_from_slice(text.get(done..).unwrap_or_default());
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_touch_or_overlap_are_one() {
        let spans = Spans(vec![(6, 8), (0, 1), (2, 4), (3, 5), (5, 5), (2, 3)]);
        assert_eq!(String::from_utf8_lossy(&spans.mask(b"0123456789")), "REDACTED1REDACTED5REDACTED89");
        assert_eq!(Spans::default().mask(b"abc"), b"abc");
    }
}
