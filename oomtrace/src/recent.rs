//! Few things, each by its key: where there are more, those that were used longest ago are forgotten. For what anybody may bring any number of.

use std::collections::VecDeque;

/// At most `MOST` of them: few, for each is looked for among all.
#[derive(Clone, Debug)]
pub struct Recent<K, V, const MOST: usize> {
    /// Those that were used last come last.
    entries: VecDeque<(K, V)>,
}

impl<K, V, const MOST: usize> Default for Recent<K, V, MOST> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<K: PartialEq, V, const MOST: usize> Recent<K, V, MOST> {
    /// Takes out what is known by that key, to be put back as what was used last.
    pub fn take<Q: ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: PartialEq<Q>,
    {
        let at = self.entries.iter().position(|(known, _)| known == key)?;
        self.entries.remove(at).map(|(_, value)| value)
    }

    /// Puts it in as what was used last; the value that is forgotten for it, where there is no room. What is known by that key must have been
    /// taken out before.
    pub fn put(&mut self, key: K, value: V) -> Option<V> {
        debug_assert!(self.entries.iter().all(|(known, _)| *known != key), "it was taken out before");
        self.entries.push_back((key, value));
        let is_full = self.entries.len() > MOST;
        if is_full { self.entries.pop_front().map(|(_, value)| value) } else { None }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was put in last.
    #[must_use]
    pub fn last(&self) -> Option<&V> {
        self.entries.back().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut V> {
        self.entries.back_mut().map(|(_, value)| value)
    }

    /// Those that were used last come last.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_is_forgotten() {
        let mut recent: Recent<String, u32, 3> = Recent::default();
        let mut use_it = |key: &str| {
            let count = recent.take(key).unwrap_or_default() + 1;
            (count, recent.put(key.to_owned(), count))
        };
        for (key, expected) in [
            ("a", (1, None)),
            ("b", (1, None)),
            ("a", (2, None)),
            ("c", (1, None)),
            ("d", (1, Some(1))),
            ("a", (3, None)),
            ("b", (1, Some(1))),
        ] {
            assert_eq!(use_it(key), expected, "{key}");
        }
        assert_eq!(recent.last(), Some(&1));
        let all: Vec<(&str, u32)> = recent.iter_mut().map(|(key, count)| (key.as_str(), *count)).collect();
        assert_eq!(all, [("d", 1), ("a", 3), ("b", 1)]);
    }
}
