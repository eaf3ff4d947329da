//! What the history said last of each identity, and the kills since: a disk that stands still leaves no incident without its count that was
//! known for the one before. Bounded, whoever has what killed; what is not here is asked for.

use std::collections::VecDeque;

use crate::resolve::case::EarlierByCause;

/// Identities that are remembered; those that were asked for or killed last.
const IDENTITIES: usize = 256;
/// Bytes of the longest key that is remembered: names have some hundred.
const MAX_KEY: usize = 4096;

#[derive(Debug)]
struct Counted {
    key: String,
    earlier: EarlierByCause,
    /// All from then on was not in the answer, in nanoseconds since 1970.
    since: i64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct CountedKills {
    /// The latest last.
    known: VecDeque<Counted>,
}

impl CountedKills {
    /// The history has said what there was of an identity before that time, in nanoseconds since 1970.
    pub fn answered(&mut self, key: &str, before: i64, earlier: &EarlierByCause) {
        if key.len() > MAX_KEY {
            return;
        }
        self.forget(key);
        // What memory did before is not counted on.
        let earlier = EarlierByCause { lives: Vec::new(), ..earlier.clone() };
        self.known.push_back(Counted { key: key.to_owned(), earlier, since: before });
        if self.known.len() > IDENTITIES {
            self.known.pop_front();
        }
    }

    /// A kill of the identity, at that time, goes into the history. `time` is the same as the contract has it.
    pub fn killed(&mut self, key: &str, at: i64, time: &str, cause: &str) {
        let Some(place) = self.known.iter().position(|counted| counted.key == key && counted.since <= at) else {
            return;
        };
        let Some(mut counted) = self.known.remove(place) else { return };
        let EarlierByCause { causes, first, last, kept_since, .. } = &mut counted.earlier;
        match causes.iter_mut().find(|(known, _)| known == cause) {
            Some((_, count)) => *count += 1,
            None => causes.push((cause.to_owned(), 1)),
        }
        first.get_or_insert_with(|| time.to_owned());
        kept_since.get_or_insert_with(|| time.to_owned());
        *last = Some(time.to_owned());
        self.known.push_back(counted);
    }

    /// What there was of the identity; none where the history has not said, or it is not remembered.
    pub fn recall(&self, key: &str) -> Option<EarlierByCause> {
        self.known.iter().find(|counted| counted.key == key).map(|counted| counted.earlier.clone())
    }

    /// A kill of it has another cause than was counted.
    pub fn forget(&mut self, key: &str) {
        self.known.retain(|counted| counted.key != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "2026-11-20T12:00:00Z";
    const LATER: &str = "2026-11-20T12:00:02Z";

    fn earlier(count: u64) -> EarlierByCause {
        let causes = if count > 0 { vec![("oom_host".to_owned(), count)] } else { Vec::new() };
        let first = (count > 0).then(|| FIRST.to_owned());
        EarlierByCause { causes, last: first.clone(), kept_since: first.clone(), first, lives: Vec::new() }
    }

    #[test]
    fn what_the_history_said_counts_on_while_it_does_not_answer() {
        let mut kills = CountedKills::default();
        kills.killed("web", 10, FIRST, "oom_host");
        assert_eq!(kills.recall("web"), None, "the history may have others");
        kills.answered("web", 20, &earlier(3));
        // The one that was asked for, and the next; one from before was in the answer.
        for (at, cause) in [(20, "oom_host"), (30, "self_kill"), (19, "oom_host")] {
            kills.killed("web", at, LATER, cause);
        }
        kills.killed("api", 30, LATER, "oom_host");
        let found = kills.recall("web").unwrap();
        assert_eq!(found.causes, [("oom_host".to_owned(), 4), ("self_kill".to_owned(), 1)]);
        assert_eq!((found.first.as_deref(), found.last.as_deref()), (Some(FIRST), Some(LATER)));
        // It answers again.
        kills.answered("web", 40, &earlier(7));
        assert_eq!(kills.recall("web"), Some(earlier(7)));
        kills.answered("new", 50, &earlier(0));
        kills.killed("new", 50, LATER, "oom_host");
        assert_eq!(kills.recall("new").unwrap().first.as_deref(), Some(LATER));
        kills.forget("web");
        assert_eq!((kills.recall("web"), kills.recall("api")), (None, None));
    }

    #[test]
    fn a_crowd_of_identities_takes_no_more_room() {
        let mut kills = CountedKills::default();
        for number in 0..3 * IDENTITIES {
            kills.answered(&number.to_string(), 0, &earlier(1));
            kills.answered("again", 0, &earlier(1));
        }
        kills.answered(&"x".repeat(MAX_KEY + 1), 0, &earlier(1));
        assert_eq!(kills.known.len(), IDENTITIES);
        assert!(kills.recall("again").is_some() && kills.recall("0").is_none());
    }
}
