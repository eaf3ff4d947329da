//! A history that is written by nobody here: what is handed over to it, and what it says.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::judge::tests::{in_container, judged, kill};
use crate::model::Correction;
use crate::store::exits::tests::exited;

/// Answers with so many kills, while it is not silent.
fn answering(theirs: UnixStream, count: &Arc<AtomicU64>, silent: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (count, silent) = (Arc::clone(count), Arc::clone(silent));
    std::thread::spawn(move || {
        let mut questions = BufReader::new(theirs.try_clone().unwrap());
        while let Ok(Some(Question { number, .. })) = protocol::take(&mut questions) {
            let causes = vec![("runtime_kill".to_owned(), count.load(Ordering::Relaxed))];
            let first = Some("2026-01-01T00:00:00Z".to_owned());
            let earlier = EarlierByCause { causes, first, ..EarlierByCause::default() };
            if !silent.load(Ordering::Relaxed) {
                protocol::put(&mut &theirs, &Answer { number, earlier: Some(earlier) }).unwrap();
            }
        }
    })
}

fn killed() -> Incident {
    let mut incident = in_container(kill("/usr/sbin/runc"));
    incident.verdict = Some(judged(&incident));
    incident
}

fn count(earlier: EarlierByCause) -> u64 {
    earlier.causes.iter().map(|(_, count)| count).sum()
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn ns(second: i64) -> i64 {
    i64::try_from(at(second).as_nanosecond()).unwrap()
}

/// On a machine that is short of processors an answer may come late.
async fn answered(asker: &Asker, identity: &Identity, before: i64) -> u64 {
    let mut tries = 0;
    loop {
        asker.rests_until.set(None);
        let found = asker.ask(identity, before, false, false).await;
        if asker.rests_until.get().is_none() {
            return found.map(count).unwrap();
        }
        tries += 1;
        assert!(tries < 100);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A keeper whose disk stands still after a while.
#[test]
fn each_kill_has_its_number_while_the_history_is_silent() {
    let (own, theirs) = UnixStream::pair().unwrap();
    let (number, silent) = (Arc::new(AtomicU64::new(3)), Arc::default());
    let keeper = answering(theirs, &number, &silent);
    let mut incident = killed();
    let identity = Identity::of(&incident);
    runtime().block_on(async {
        let asker = Asker::new(own, Settled::default());
        assert_eq!(answered(&asker, &identity, ns(0)).await, 3);
        silent.store(true, Ordering::Relaxed);
        let mut counts = Vec::new();
        for second in 0..3 {
            incident.time = at(second).to_string();
            asker.put(&incident);
            counts.push(asker.ask(&identity, ns(second + 1), false, second == 2).await.map(count));
        }
        assert_eq!(counts, [Some(4), Some(5), Some(6)]);
        // A routine one is not counted, and of what was corrected the history is asked anew.
        incident.routine = Some(crate::model::Routine::Helper);
        asker.put(&incident);
        assert_eq!(asker.ask(&identity, ns(9), false, true).await.map(count), Some(6));
        asker.settled.add(4);
        incident.id = "another".to_owned();
        asker.correct(&incident);
        assert_eq!(asker.ask(&identity, ns(9), false, true).await.map(count), None);
    });
    keeper.join().unwrap();
}

/// A keeper that can read its file, and not write it.
#[test]
fn each_kill_has_its_number_while_the_history_cannot_be_written() {
    let (own, theirs) = UnixStream::pair().unwrap();
    let (number, silent) = (Arc::new(AtomicU64::new(3)), Arc::default());
    let answers = answering(theirs, &number, &silent);
    let (to_keep, keepers) = UnixStream::pair().unwrap();
    let settled = Settled::default();
    let mut kept = Kept::new(to_keep, false, settled.clone()).unwrap();
    let mut incident = killed();
    let identity = Identity::of(&incident);
    let mut handed = Vec::new();
    let asker = Asker::new(own, settled);
    let runtime = runtime();
    let asked = |second| runtime.block_on(answered(&asker, &identity, ns(second)));
    assert_eq!(asked(0), 3);
    for (second, expected) in [(0, 4), (1, 5), (2, 6)] {
        (incident.id, incident.time) = (second.to_string(), at(second).to_string());
        asker.put(&incident);
        handed.push(Arc::new(Record::Incident(incident.clone())));
        assert_eq!(asked(second + 1), expected, "the one that is not kept yet counts");
    }
    // There is room again.
    let keeper = std::thread::spawn(move || {
        let mut lines = BufReader::new(keepers.try_clone().unwrap());
        loop {
            let Some(line) = protocol::take::<ToKeep<'_>>(&mut lines).unwrap() else { return };
            if matches!(line, ToKeep::Now) {
                protocol::put(&mut &keepers, &Said::Kept).unwrap();
            }
        }
    });
    number.store(6, Ordering::Relaxed);
    assert_eq!(asked(3), 6, "not counted twice before it is said that they are kept");
    kept.put_all(&handed).unwrap();
    // From here on the history's word counts, also where its bounds have removed some.
    number.store(5, Ordering::Relaxed);
    assert_eq!(asked(3), 5);
    // What was lost on its way there is not waited for.
    asker.put(&incident);
    let lost = Unwritten { output: OutputName::History, kills: 1, others: 0 };
    kept.put(&Record::Lost(Lost { unwritten: Some(lost), ..Lost::default() })).unwrap();
    assert_eq!(asked(4), 5);
    drop((kept, asker));
    keeper.join().unwrap();
    answers.join().unwrap();
}

#[test]
fn all_that_is_lost_with_a_history_that_ended_is_counted() {
    let (to_keep, keepers) = UnixStream::pair().unwrap();
    drop(keepers);
    let lost: Arc<Mutex<Vec<Unwritten>>> = Arc::default();
    let said = Arc::clone(&lost);
    let kept = Kept::new(to_keep, true, Settled::default()).unwrap();
    let mut kept = kept.saying(move |unwritten| said.lock().unwrap().push(unwritten));
    let incident = killed();
    let correction = Correction {
        incident: incident.id.clone(),
        time: incident.time.clone(),
        verdict: incident.verdict.clone().unwrap(),
        container: None,
        missing: Vec::new(),
        missing_parts: Vec::new(),
    };
    let records = [
        Record::Correction(correction.clone()),
        Record::Exit(exited(1, "web", None)),
        Record::Incident(incident),
        Record::Correction(correction),
        Record::Lost(Lost::default()),
    ];
    kept.put_all(&records.map(Arc::new)).unwrap_err();
    let expected = Unwritten { output: OutputName::History, kills: 1, others: 3 };
    assert_eq!(*lost.lock().unwrap(), [expected]);
}
