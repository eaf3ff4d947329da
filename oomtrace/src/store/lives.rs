//! What the memory of earlier lives did, as their kills have it.

use rusqlite::params;
use serde::Deserialize;

use crate::model::{Memory, Oom, OomScope, Victim};
use crate::resolve::lives_before::{KeptLife, LIVES, Life, init_age_s, last_life};
use crate::store::{History, StoreError};

/// The longest record that is read for it, the most of them, and the bytes after which no other is: a verdict waits.
const LONGEST: u64 = 1 << 20;
const MOST: u64 = 64;
const MOST_BYTES: usize = 6 << 20;

/// What of an incident is read.
#[derive(Deserialize)]
struct Part {
    time: String,
    victim: Victim,
    oom: Option<Oom>,
    memory: Option<Memory>,
}

impl History {
    /// Lives of the identity with that [`Identity::key`](crate::store::Identity::key) that a memory limit ended before that time, in
    /// nanoseconds since 1970: the latest few of those whose memory was followed, the oldest first. They are looked for among so many of
    /// its latest kills by a limit.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn lives(&self, key: &str, before: i64) -> Result<Vec<KeptLife>, StoreError> {
        let find = || {
            let mut find = self.db().prepare_cached(
                "SELECT at, json FROM incident JOIN record ON record.seq = incident.seq
                 WHERE incident.who = (SELECT id FROM who WHERE key = ?1) AND routine = 0 AND at < ?2
                 AND cause IN (SELECT id FROM word WHERE word GLOB 'oom_*' AND word NOT IN ('oom_host', 'oom_constrained'))
                 AND octet_length(json) <= ?3
                 ORDER BY at DESC LIMIT ?4",
            )?;
            let mut rows = find.query(params![key, before, LONGEST, MOST])?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()?
                && found.len() < LIVES
                && bytes < MOST_BYTES
            {
                let (at, json): (i64, String) = (row.get(0)?, row.get(1)?);
                bytes += json.len();
                found.extend(life(&json, before.saturating_sub(at)));
            }
            rusqlite::Result::Ok(found)
        };
        let mut found = find().map_err(StoreError::of("read", self.path()))?;
        found.reverse();
        Ok(found)
    }
}

/// None where nothing was followed, it was not by a cgroup's limit, or the record cannot be read: then it says nothing of a life.
fn life(json: &str, before_ns: i64) -> Option<KeptLife> {
    let Part { time, victim, oom, memory } = serde_json::from_str(json).ok()?;
    let owner = oom.filter(|oom| oom.scope == Some(OomScope::Memcg))?.limit_owner?;
    let timeline = memory?.timeline?;
    let life = Life::of(last_life(&timeline, None), init_age_s(&time, &victim));
    let life = Life { ended_before_s: before_ns as f64 / 1e9, ..life };
    (!life.points.is_empty()).then_some(KeptLife { level: owner.level, owner: owner.path, life })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::oom;
    use crate::model::{Cause, Incident, LimitLevel, TimelinePoint};
    use crate::store::Identity;
    use crate::store::tests::{Place, entries, named};
    use crate::text::nanoseconds;

    const MIB: u64 = 1 << 20;

    /// Killed by its limit in that hour, with the curve of the hour before.
    fn killed(number: u32, name: &str) -> Incident {
        let killed = oom(&[("/a", 64, Some(64))], Some((0, LimitLevel::Container)), OomScope::Memcg);
        let mut incident = Incident { oom: killed.oom, memory: killed.memory, ..named(number, name, "nginx:1") };
        incident.verdict.as_mut().unwrap().cause = Cause::OomContainerLimit;
        let point = |minute: u64| TimelinePoint {
            before_ms: (59 - minute) * 60_000,
            usage_bytes: minute * MIB,
            limit_bytes: Some(64 * MIB),
            ..TimelinePoint::default()
        };
        incident.memory.as_mut().unwrap().timeline = Some((0..60).map(point).collect());
        incident
    }

    #[test]
    fn lives_are_those_of_the_same_thing_that_a_limit_ended_and_that_were_followed() {
        let place = Place::new();
        let mut unseen = killed(2, "web");
        unseen.memory.as_mut().unwrap().timeline = None;
        let all =
            [killed(1, "web"), unseen, killed(3, "web"), killed(4, "db"), named(5, "web", "nginx:1"), killed(9, "web")];
        place.writer().append(&entries(all)).unwrap();
        let now = killed(9, "web");
        let lives = place.history().lives(Identity::of(&now).key(), nanoseconds(&now.time).unwrap()).unwrap();
        let ended: Vec<f64> = lives.iter().map(|kept| kept.life.ended_before_s / 3600.0).collect();
        assert_eq!(ended, [8.0, 6.0]);
        assert!(lives.iter().all(|kept| kept.level == LimitLevel::Container && kept.life.points.len() > 10));
        // On its way to whoever asked.
        let json = serde_json::to_string(&lives).unwrap();
        assert_eq!(serde_json::from_str::<Vec<KeptLife>>(&json).unwrap(), lives);
        assert_eq!(place.history().lives("nobody's", i64::MAX).unwrap(), []);
        // What was not followed, or was killed by the machine's end of memory, takes nobody's place.
        let others = (10..30).map(|number| {
            let mut other = killed(number, "web");
            if number % 2 == 0 {
                other.verdict.as_mut().unwrap().cause = Cause::OomHost;
                other.oom.as_mut().unwrap().scope = Some(OomScope::Host);
            } else {
                other.memory.as_mut().unwrap().timeline = None;
            }
            other
        });
        place.writer().append(&entries(others)).unwrap();
        assert_eq!(place.history().lives(Identity::of(&now).key(), i64::MAX).unwrap().len(), 3);
        // Of many the latest.
        place.writer().append(&entries((30..50).map(|number| killed(number, "web")))).unwrap();
        assert_eq!(place.history().lives(Identity::of(&now).key(), i64::MAX).unwrap().len(), LIVES);
    }
}
