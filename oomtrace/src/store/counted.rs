//! What the history said last of each identity, and the kills since. A history that cannot be read just now, or cannot be written, leaves no
//! incident without its count, and none that it has not kept yet uncounted. Bounded, whoever has what killed; what is not here is asked for.

use std::collections::VecDeque;

use crate::resolve::case::EarlierByCause;

/// Identities that are remembered; those that were asked for or killed last.
const IDENTITIES: usize = 256;
/// Bytes of the longest key that is remembered: names have some hundred.
const MAX_KEY: usize = 4096;
/// Kills of one identity that are remembered each by itself; the oldest of more are only counted.
const EACH: usize = 16;

/// A kill that goes into the history.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The incident's.
    pub id: String,
    /// How many incidents had been handed over with this one.
    pub number: u64,
    /// Nanoseconds since 1970.
    pub at: i64,
    /// The same as the contract has it.
    pub time: String,
    /// The cause's name in the contract.
    pub cause: String,
}

#[derive(Debug, Default)]
struct Counted {
    key: String,
    /// What the history said, with kills since. Where it has said nothing, these alone.
    earlier: EarlierByCause,
    /// The history has said what there was.
    is_said: bool,
    /// `earlier` is of the time before this, in nanoseconds since 1970.
    since: i64,
    /// Kills that are not in `earlier`, by their times.
    more: VecDeque<Kill>,
    /// The number of the latest kill that was handed over.
    latest: u64,
}

impl Counted {
    fn add(&mut self, kill: Kill) {
        self.latest = self.latest.max(kill.number);
        let place = self.more.partition_point(|other| other.at <= kill.at);
        self.more.insert(place, kill);
        if self.more.len() > EACH
            && let Some(oldest) = self.more.pop_front()
        {
            count(&mut self.earlier, &oldest);
            self.since = self.since.max(oldest.at.saturating_add(1));
        }
    }

    /// All that is known of before that time.
    fn before(&self, before: i64) -> EarlierByCause {
        let mut earlier = self.earlier.clone();
        self.more.iter().filter(|kill| kill.at < before).for_each(|kill| count(&mut earlier, kill));
        earlier
    }
}

fn count(earlier: &mut EarlierByCause, kill: &Kill) {
    let EarlierByCause { causes, first, last, kept_since, .. } = earlier;
    match causes.iter_mut().find(|(known, _)| *known == kill.cause) {
        Some((_, count)) => *count += 1,
        None => causes.push((kill.cause.clone(), 1)),
    }
    first.get_or_insert_with(|| kill.time.clone());
    kept_since.get_or_insert_with(|| kill.time.clone());
    *last = Some(kill.time.clone());
}

fn sum(earlier: &EarlierByCause) -> u64 {
    earlier.causes.iter().map(|(_, count)| count).sum()
}

/// What was handed over of an identity when the history was asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The history had all of it.
    is_kept: bool,
    latest: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct CountedKills {
    /// The latest last.
    known: VecDeque<Counted>,
    /// Of the incidents that were handed over, so many have been kept, or are lost.
    settled: u64,
}

impl CountedKills {
    /// Of the incidents that were handed over, the first `number` have been kept, or are lost.
    pub const fn settled(&mut self, number: u64) {
        self.settled = number;
    }

    /// The history is asked about an identity now.
    pub fn asked(&self, key: &str) -> Asked {
        let latest = self.get(key).map_or(0, |counted| counted.latest);
        Asked { is_kept: latest <= self.settled, latest }
    }

    /// The history has said what there was of an identity before that time, in nanoseconds since 1970, as it was asked. Gives what there was:
    /// the history's word, where it had all that was handed over. Where something is still to be kept, nobody knows whether the answer has
    /// it: what was counted until then goes on.
    pub fn answered(&mut self, key: &str, before: i64, said: EarlierByCause, asked: Asked) -> EarlierByCause {
        if key.len() > MAX_KEY {
            return said;
        }
        let mut counted = self.take(key);
        let is_whole = asked.is_kept && asked.latest == counted.latest;
        let mut found = said;
        if !is_whole {
            // Each has only kills that there were, and none twice.
            let own = counted.before(before);
            if sum(&own) > sum(&found) {
                found = EarlierByCause { lives: found.lives, ..own };
            }
        } else if before >= counted.since {
            counted.more.retain(|kill| kill.at >= before);
            // What memory did before is not counted on.
            counted.earlier = EarlierByCause { lives: Vec::new(), ..found.clone() };
            (counted.is_said, counted.since) = (true, before);
        }
        self.put(counted);
        found
    }

    /// A kill of the identity goes into the history.
    pub fn killed(&mut self, key: &str, kill: Kill) {
        if key.len() > MAX_KEY {
            return;
        }
        let mut counted = self.take(key);
        counted.add(kill);
        self.put(counted);
    }

    /// What there was of the identity before that time; none where the history has not said, or it is not remembered.
    pub fn recall(&self, key: &str, before: i64) -> Option<EarlierByCause> {
        self.get(key).filter(|counted| counted.is_said).map(|counted| counted.before(before))
    }

    /// A kill turns out to be of this identity, and to have this cause.
    pub fn corrected(&mut self, id: &str, key: &str, cause: &str) {
        let found = self.known.iter_mut().find_map(|counted| {
            let place = counted.more.iter().position(|kill| kill.id == id)?;
            counted.more.remove(place)
        });
        match found {
            Some(kill) => self.killed(key, Kill { cause: cause.to_owned(), ..kill }),
            // The history has it, and is asked anew. While it lacks others, that there was one counts for more than its cause.
            None if self.asked(key).is_kept => self.known.retain(|counted| counted.key != key),
            None => {}
        }
    }

    fn get(&self, key: &str) -> Option<&Counted> {
        self.known.iter().find(|counted| counted.key == key)
    }

    fn take(&mut self, key: &str) -> Counted {
        let place = self.known.iter().position(|counted| counted.key == key);
        let known = place.and_then(|place| self.known.remove(place));
        known.unwrap_or_else(|| Counted { key: key.to_owned(), since: i64::MIN, ..Counted::default() })
    }

    fn put(&mut self, counted: Counted) {
        self.known.push_back(counted);
        if self.known.len() > IDENTITIES {
            // What the history has can be asked for again.
            let place = self.known.iter().position(|counted| counted.latest <= self.settled);
            self.known.remove(place.unwrap_or(0));
        }
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

    /// The kill that was handed over as that number.
    fn kill(number: u64, at: i64, cause: &str) -> Kill {
        Kill { id: number.to_string(), number, at, time: LATER.to_owned(), cause: cause.to_owned() }
    }

    /// Asks, and is answered at once; how many.
    fn ask(kills: &mut CountedKills, key: &str, before: i64, count: u64) -> u64 {
        let asked = kills.asked(key);
        sum(&kills.answered(key, before, earlier(count), asked))
    }

    #[test]
    fn what_the_history_said_counts_on_while_it_does_not_answer() {
        let mut kills = CountedKills::default();
        kills.killed("web", kill(1, 10, "oom_host"));
        assert_eq!(kills.recall("web", 99), None, "the history may have others");
        kills.settled(1);
        assert_eq!(ask(&mut kills, "web", 20, 3), 3);
        // The one that was asked for, and the next; one from before that is put now was not in the answer.
        for (number, at, cause) in [(2, 20, "oom_host"), (3, 30, "self_kill"), (4, 19, "oom_host")] {
            kills.killed("web", kill(number, at, cause));
        }
        kills.killed("api", kill(5, 30, "oom_host"));
        let found = kills.recall("web", 40).unwrap();
        assert_eq!(found.causes, [("oom_host".to_owned(), 5), ("self_kill".to_owned(), 1)]);
        assert_eq!((found.first.as_deref(), found.last.as_deref()), (Some(FIRST), Some(LATER)));
        assert_eq!(kills.recall("web", 30).as_ref().map(sum), Some(5), "not those that came after");
        // It answers again.
        kills.settled(5);
        assert_eq!(ask(&mut kills, "web", 40, 7), 7);
        assert_eq!(kills.recall("web", 40), Some(earlier(7)));
        assert_eq!(ask(&mut kills, "new", 50, 0), 0);
        kills.killed("new", kill(6, 50, "oom_host"));
        assert_eq!(kills.recall("new", 60).unwrap().first.as_deref(), Some(LATER));
    }

    #[test]
    fn a_kill_stays_counted_until_it_is_kept_whatever_the_history_says() {
        let mut kills = CountedKills::default();
        assert_eq!(ask(&mut kills, "web", 10, 3), 3);
        // The disk is full for longer than each kill is remembered.
        for number in 1..=40 {
            let at = 10 * i64::try_from(number).unwrap();
            kills.killed("web", kill(number, at, "oom_host"));
            assert_eq!(ask(&mut kills, "web", at + 10, 3), 3 + number);
        }
        // Some of them are kept, and no answer says which.
        kills.settled(30);
        assert_eq!(ask(&mut kills, "web", 410, 33), 43);
        kills.settled(40);
        assert_eq!(ask(&mut kills, "web", 410, 43), 43);
        // On the disk, and that was not said yet: not counted twice.
        kills.killed("web", kill(41, 410, "oom_host"));
        assert_eq!(ask(&mut kills, "web", 420, 44), 44);
        kills.settled(41);
        // Handed over after the question.
        let asked = kills.asked("web");
        kills.killed("web", kill(42, 420, "oom_host"));
        kills.settled(42);
        assert_eq!(sum(&kills.answered("web", 430, earlier(44), asked)), 45);
        // What is older than the question may come later; the history knows of both.
        assert_eq!(ask(&mut kills, "web", 415, 44), 44);
        assert_eq!(kills.recall("web", 430).as_ref().map(sum), Some(45));
        // Where the history has never said anything, at least those that are known count.
        for number in 43..=45 {
            kills.killed("new", kill(number, 500, "oom_host"));
        }
        assert_eq!((ask(&mut kills, "new", 600, 0), kills.recall("new", 600)), (3, None));
    }

    #[test]
    fn what_was_corrected_is_asked_for_anew_once_all_is_kept() {
        let mut kills = CountedKills::default();
        assert_eq!((ask(&mut kills, "web", 10, 3), ask(&mut kills, "api", 10, 0)), (3, 0));
        kills.killed("web", kill(1, 10, "oom_host"));
        kills.corrected("1", "api", "kubelet_eviction");
        assert_eq!(kills.recall("web", 20), Some(earlier(3)));
        assert_eq!(kills.recall("api", 20).unwrap().causes, [("kubelet_eviction".to_owned(), 1)]);
        kills.corrected("older", "api", "oom_host");
        assert!(kills.recall("api", 20).is_some(), "nothing else has the one that is not kept");
        kills.settled(1);
        kills.corrected("older", "api", "oom_host");
        assert_eq!((kills.recall("api", 20), kills.recall("web", 20)), (None, Some(earlier(3))));
    }

    #[test]
    fn a_crowd_of_identities_takes_no_more_room() {
        let mut kills = CountedKills::default();
        kills.killed("not kept", kill(1, 10, "oom_host"));
        for number in 0..3 * IDENTITIES {
            ask(&mut kills, &number.to_string(), 0, 1);
            ask(&mut kills, "again", 0, 1);
        }
        ask(&mut kills, &"x".repeat(MAX_KEY + 1), 0, 1);
        assert_eq!(kills.known.len(), IDENTITIES);
        assert!(kills.recall("again", 0).is_some() && kills.recall("0", 0).is_none());
        assert_eq!(ask(&mut kills, "not kept", 20, 0), 1);
    }
}
