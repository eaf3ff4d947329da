//! Events to cases: decode, correlate, resolve. The live kernel and recordings feed the same pipeline; what becomes of a case is theirs
//! to say, because live its containers are asked for first.

use crate::container::clients::ExistingClient;
use crate::correlate::{Correlator, Episode, Hooks};
use crate::event::{BootNs, Event};
use crate::filter::Filter;
use crate::model::Record;
use crate::resolve::case::Case;
use crate::resolve::facts::Facts;
use crate::resolve::given_ids::GivenIds;
use crate::resolve::limits_before::LimitPasts;
use crate::resolve::lives_before::LivesBefore;
use crate::run::recording::Start;
use crate::run::resolver::Resolver;
use crate::words::repeats::Repeats;

/// See the module's documentation.
pub struct Pipeline {
    hooks: Hooks,
    correlator: Correlator,
    resolver: Resolver,
    filter: Filter,
    left_out: u64,
    repeats: Repeats,
    limit_pasts: LimitPasts,
    lives_before: LivesBefore,
    given_ids: GivenIds,
}

impl Pipeline {
    /// Of a run that began with `start`. Episodes that `filter` cannot want become no cases.
    pub fn new(start: &Start, facts: Box<dyn Facts>, filter: Filter) -> Self {
        let hooks = start.hooks();
        let correlator = Correlator::new(hooks).watching_since(start.since);
        Self {
            hooks,
            correlator,
            resolver: Resolver::new(start, facts),
            filter,
            left_out: 0,
            repeats: Repeats::default(),
            limit_pasts: LimitPasts::default(),
            lives_before: LivesBefore::default(),
            given_ids: GivenIds::default(),
        }
    }

    /// Whether the filter wants a record; an incident that it does not want is counted.
    pub fn wants(&mut self, record: &Record) -> bool {
        let is_wanted = self.filter.wants(record);
        self.left_out += u64::from(!is_wanted && matches!(record, Record::Incident(_)));
        is_wanted
    }

    /// The same, without counting.
    pub fn would_want(&self, record: &Record) -> bool {
        self.filter.wants(record)
    }

    /// What is put out before a record that is wanted: that it is like one before.
    pub fn repeated(&mut self, record: &Record) -> Option<Record> {
        let Record::Incident(incident) = record else { return None };
        self.repeats.take_worth_saying(incident).map(Record::Repeat)
    }

    /// Incidents that the filter has left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Decodes one record; none when it is damaged.
    pub fn decode(&self, record: &[u8]) -> Option<Event> {
        self.resolver.decode(record)
    }

    /// Takes an event, and asks the node about it now; what is complete by it is there at the next [`Self::take_complete`].
    pub fn hold(&mut self, event: Event) {
        self.resolver.hold(event);
    }

    /// What is complete by the events that were held.
    pub fn take_complete(&mut self) -> Vec<Case> {
        let mut complete = Vec::new();
        for event in self.resolver.take_held() {
            let done = self.correlator.take(event);
            complete.extend(self.resolve(done));
        }
        complete
    }

    /// When something will be complete though no event comes, on `CLOCK_BOOTTIME`.
    pub fn deadline(&self) -> Option<BootNs> {
        self.correlator.deadline()
    }

    /// What is complete by `now`, on `CLOCK_BOOTTIME`; whether anything was, wanted or not.
    pub fn advance(&mut self, now: BootNs) -> (Vec<Case>, bool) {
        let done = self.correlator.advance(now);
        let was_anything = !done.is_empty();
        (self.resolve(done), was_anything)
    }

    /// All that is open, as far as it goes.
    pub fn finish(&mut self) -> Vec<Case> {
        let rest = self.correlator.finish();
        self.resolve(rest)
    }

    /// Begins anew: nothing is known of what came since the last event. What was open is to be finished before.
    pub fn restart(&mut self) {
        self.correlator = Correlator::new(self.hooks);
        self.resolver.forget();
    }

    /// Takes those that were connected to runtimes before.
    pub fn take_existing(&mut self, clients: &[ExistingClient]) {
        self.resolver.standing(clients);
    }

    /// Clients, or their ends, were missed since the events before the last ones.
    pub fn clients_missed(&mut self) {
        self.resolver.clients_missed();
    }

    /// Pids of clients that the kernel side need follow no more, since the last call.
    pub fn take_forgotten(&mut self) -> Vec<u32> {
        self.resolver.take_forgotten()
    }

    fn resolve(&mut self, episodes: Vec<Episode>) -> Vec<Case> {
        let (wanted, others): (Vec<_>, Vec<_>) =
            episodes.into_iter().partition(|episode| self.filter.may_want(episode));
        self.left_out += others.len() as u64;
        let cases = wanted.into_iter().map(|episode| self.resolver.resolve(episode));
        let cases = cases.filter(|case| !is_anybodys_exit(case));
        // In the order of the kills, which is the same in a replay: names come later, and in any order.
        cases
            .map(|mut case| {
                self.given_ids.link(&mut case);
                let limits_before = self.limit_pasts.take(&case.incident);
                let lives_before = self.lives_before.take(&case.incident, case.at);
                Case { limits_before, lives_before, ..case }
            })
            .collect()
    }
}

/// It exited with 137 in a pid namespace that anybody can make, by a user namespace, and is in no container.
fn is_anybodys_exit(case: &Case) -> bool {
    let namespaces = case.incident.victim.process.namespaces.as_ref();
    case.exited.is_some()
        && case.incident.container.is_none()
        && namespaces.is_some_and(|namespaces| namespaces.user_level > 0)
}
