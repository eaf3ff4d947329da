//! The end of the pipeline: what is put out, how much of it there was, and whether the outputs keep up.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::kubernetes::Kubernetes;
use crate::model::{Incident, Lost, Record, Warning};
use crate::run::live::aftermath::{Aftermath, Followed};
use crate::run::live::naming::Named;
use crate::run::live::paced::PacedLosses;
use crate::run::pipeline::Pipeline;
use crate::run::recording::Recorder;
use crate::sink::notices;
use crate::sink::outputs::Outputs;
use crate::store::sink::Asker;
use crate::words::report::report;

/// So many processes, reported one after the other or as one incident, took megabytes, which are given back.
const LARGE: usize = 256;
/// How long after: a storm needs its memory again and again.
const REST: Duration = Duration::from_secs(1);

/// An output that is behind is waited for, while the ring buffer takes what comes, as long as it takes so many records in this time: one
/// that has stopped, or nearly, must not hold up the others.
const BEHIND: Duration = Duration::from_secs(1);
const BEHIND_TAKES: u64 = 500;

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Incidents put out.
    pub incidents: u64,
    /// Of those, routine ones: for which nobody needs to be woken.
    pub routine: u64,
    /// Incidents that the filters left out.
    pub left_out: u64,
    /// What was not recorded.
    pub lost: Lost,
}

/// The end of the pipeline.
pub struct Out<'a> {
    outputs: &'a Outputs,
    pub tally: Tally,
    recorder: Option<Recorder>,
    losses: PacedLosses,
    /// Processes in incidents since memory was given back.
    told: usize,
    /// When memory is given back.
    pub rest_at: Option<Instant>,
    /// Records that outputs which are behind had taken when it was given back last.
    taken_at_rest: Option<u64>,
    /// Since when an output has been behind, and how many records it had taken then.
    behind: Option<(Instant, u64)>,
    kubernetes: Kubernetes,
    /// Counts on by what goes into it.
    history: Option<Rc<Asker>>,
}

impl<'a> Out<'a> {
    pub fn new(
        outputs: &'a Outputs,
        recorder: Option<Recorder>,
        kubernetes: Kubernetes,
        history: Option<Rc<Asker>>,
    ) -> Self {
        Self {
            outputs,
            tally: Tally::default(),
            recorder,
            losses: PacedLosses::default(),
            told: 0,
            rest_at: None,
            taken_at_rest: None,
            behind: None,
            kubernetes,
            history,
        }
    }

    /// An output is behind, and will catch up.
    pub fn waits_for_outputs(&mut self) -> bool {
        let Some(taken) = self.outputs.behind() else {
            self.behind = None;
            return false;
        };
        let (since, before) = *self.behind.get_or_insert_with(|| (Instant::now(), taken));
        if since.elapsed() < BEHIND {
            return true;
        }
        let catches_up = taken.saturating_sub(before) >= BEHIND_TAKES;
        if catches_up {
            self.behind = Some((Instant::now(), taken));
        }
        catches_up
    }

    /// Puts one incident out, when it is wanted, and has what comes of it followed.
    pub fn put(&mut self, named: Option<Named>, pipeline: &mut Pipeline, aftermath: &mut Aftermath) {
        let Some(Named { record, open }) = named else { return };
        let is_wanted = pipeline.wants(&record);
        // One with a cause that is not wanted may turn out to have another.
        let is_followed = open.is_some_and(|case| aftermath.follow_open(case, is_wanted));
        if !is_wanted {
            return;
        }
        if let Record::Incident(incident) = &record {
            aftermath.follow(incident);
            if !is_followed {
                self.report(incident);
            }
        }
        self.put_wanted(record, pipeline);
    }

    fn put_wanted(&mut self, record: Record, pipeline: &mut Pipeline) {
        if let Some(repeat) = pipeline.repeated(&record) {
            self.outputs.put(repeat);
        }
        if let Record::Incident(incident) = &record {
            if let Some(history) = &self.history {
                history.put(incident);
            }
            self.tally.incidents += 1;
            self.tally.routine += u64::from(incident.routine.is_some());
            self.told += 1 + incident.collateral.len();
            if self.told >= LARGE && self.rest_at.is_none() {
                self.rest_at = Some(Instant::now() + REST);
            }
        }
        self.outputs.put(record);
    }

    /// Has an Event put on the victim's pod.
    fn report(&self, incident: &Incident) {
        if let Some(report) = report(incident) {
            self.kubernetes.report(report);
        }
    }

    /// Memory was given back. What was put out since, or still waits in an output, takes more, to be given back when it is over.
    pub fn rested(&mut self) {
        // One whose reader has stopped holds what it has.
        let taken = self.outputs.behind();
        let goes_on = self.told > 0 || (taken.is_some() && taken != self.taken_at_rest);
        (self.told, self.taken_at_rest) = (0, taken);
        self.rest_at = goes_on.then(|| Instant::now() + REST);
    }

    /// Passes on what became known of an incident that was put out.
    pub fn followed(&mut self, known: Option<Followed>, pipeline: &mut Pipeline) {
        match known {
            None => {}
            Some(Followed::Contradiction(said)) => self.said(Record::Contradiction(said)),
            Some(Followed::Settled { incident, correction, was_put }) => {
                let record = Record::Incident(*incident);
                let is_wanted = pipeline.would_want(&record);
                if let Record::Incident(incident) = &record
                    && (was_put || is_wanted)
                {
                    self.report(incident);
                }
                if let (Some(_), Record::Incident(incident), Some(history)) = (&correction, &record, &self.history) {
                    history.correct(incident);
                }
                match correction {
                    Some(correction) if was_put => self.said(Record::Correction(correction)),
                    Some(_) if is_wanted => self.put_wanted(record, pipeline),
                    _ => {}
                }
            }
        }
    }

    /// Says what is to come, where it is wanted.
    pub fn warn(&mut self, warning: Warning, pipeline: &mut Pipeline) {
        let record = Record::Warning(warning);
        if pipeline.would_want(&record) {
            self.said(record);
        }
    }

    fn said(&mut self, record: Record) {
        if let Some(recorder) = &self.recorder {
            recorder.said(&record);
        }
        self.outputs.put(record);
    }

    /// Takes what was not recorded, if anything; whether cgroups may have come and gone unseen. What does not fit means that the ring was
    /// full, so there is always a read after it to notice.
    pub fn lost(&mut self, lost: Option<Lost>) -> bool {
        let Some(lost) = lost else { return false };
        self.tally.lost = self.tally.lost.plus(&lost);
        if let Some(recorder) = &self.recorder {
            recorder.lost(&lost);
        }
        self.outputs.put(Record::Lost(lost));
        let due = self.losses.take(&lost, Instant::now());
        Self::say_lost(due);
        lost.cgroups > 0 || lost.limited.cgroups > 0
    }

    /// When losses that were held back on standard error are to be said there.
    pub fn losses_at(&self) -> Option<Instant> {
        self.losses.at()
    }

    /// Says those whose time has come; `is_end`: all.
    pub fn say_losses(&mut self, is_end: bool) {
        Self::say_lost(if is_end { self.losses.rest() } else { self.losses.due(Instant::now()) });
    }

    fn say_lost(lost: Option<Lost>) {
        let Some(lost) = lost else { return };
        if let Some(words) = lost.words() {
            let advice =
                if lost.events > 0 { ". Give oomtrace more processor time, or a larger --ring-size" } else { "" };
            notices::say(&format!("{words}{advice}"));
        }
    }

    /// Nothing waits in memory while oomtrace does.
    pub fn flush(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.flush();
        }
    }
}
