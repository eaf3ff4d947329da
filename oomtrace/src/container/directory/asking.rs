//! Asks runtimes. Docker is one daemon for all of its containers: while it does not answer, it is left alone for a while.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Directory, Partial};
use crate::container::metadata::Metadata;
use crate::container::runtime::docker::DockerError;
use crate::container::sources::Unknown;
use crate::placement::ContainerPlace;

/// Daemons that are remembered as such.
const MAX_DOWN: usize = 64;
/// How long a daemon that did not answer is not asked again.
const BACK_OFF: Duration = Duration::from_secs(10);
/// A user's own daemon that takes longer for an answer is not asked again for as long: nobody else waits for what a user makes slow.
const USERS_WITHIN: Duration = Duration::from_millis(500);
/// How long a daemon that holds one answer back has for another that it has at hand. With the first it is less than a verdict waits for
/// names: what is found out about the daemon is not lost with that.
const AT_HAND: Duration = Duration::from_millis(500);

impl Directory {
    /// Asks the runtime; what is remembered counts where it does not answer, or no longer knows, with what that lacks, and the reason, where
    /// it may not be all, or not be true any more.
    pub(super) async fn look_up(
        &self,
        place: &ContainerPlace,
    ) -> Result<(Rc<Metadata>, Option<(Partial, Unknown)>), Unknown> {
        match self.fetch(place).await {
            Ok(metadata) => Ok((metadata, None)),
            Err(why) => match self.known(place) {
                Some(known) => Ok((known, self.partial(place).map(|partial| (partial, why)))),
                None => Err(why),
            },
        }
    }

    /// Asks the runtime.
    pub(super) async fn fetch(&self, place: &ContainerPlace) -> Result<Rc<Metadata>, Unknown> {
        match self.sources.ask(place).await {
            Some(said) => {
                let said = said?;
                // A daemon that is down leaves the files of its containers, which say less than it did.
                let said = match self.known(place).filter(|_| said.labels.is_none()) {
                    Some(known) => said.named_as(&known),
                    None => said,
                };
                Ok(self.remember(&place.key(), said))
            }
            None => self.fetch_from_docker(place).await.map_err(Unknown::Docker),
        }
    }

    async fn fetch_from_docker(&self, place: &ContainerPlace) -> Result<Rc<Metadata>, DockerError> {
        let user = place.user();
        if let Some((until, why)) = self.state.borrow().down.get(&user)
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        let docker = &self.sources.docker_of(place);
        if user.is_none() && self.known(place).is_none() {
            // The names first: while a container starts, the rest takes as long as that does.
            match docker.glance(&place.id).await {
                Ok(said) => self.remember_listed(place, said),
                Err(error) if error.is_down() => {
                    self.failed(user, &error);
                    return Err(error);
                }
                Err(error) => log::debug!("{error}"),
            }
        }
        let began = Instant::now();
        let answer = docker.inspect(&place.id).await;
        if user.is_some() && began.elapsed() >= USERS_WITHIN {
            // Whatever it says: each of a user's containers would take as long.
            self.failed(user, &DockerError::Slow { socket: docker.socket().to_owned() });
            return answer.map(|metadata| self.remember(&place.key(), metadata));
        }
        match answer {
            Ok(metadata) => {
                self.state.borrow_mut().down.remove(&user);
                Ok(self.remember(&place.key(), metadata))
            }
            Err(error) => {
                // One that is starting this container, for longer than is waited, still has its name at hand.
                let glance = async { tokio::time::timeout(AT_HAND, docker.glance(&place.id)).await.ok()?.ok() };
                match if error.is_down() { glance.await } else { None } {
                    Some(said) => self.remember_listed(place, said),
                    None => self.failed(user, &error),
                }
                Err(error)
            }
        }
    }

    /// What a list says is newer than what was changed since, and not all of it.
    fn remember_listed(&self, place: &ContainerPlace, said: Metadata) {
        let (known, partial) = (self.known(place), self.partial(place));
        if known.is_none() || partial.is_some() {
            let said = said.or(known.as_deref().cloned().unwrap_or_default());
            let partial = partial.filter(|partial| *partial == Partial::Changed).unwrap_or(Partial::Listed);
            self.state.borrow_mut().remember_partial(&place.key(), Rc::new(said), partial);
        }
    }

    pub(super) fn failed(&self, user: Option<u32>, error: &DockerError) {
        if error.is_down() {
            log::debug!("{error}; not asked for {} s", BACK_OFF.as_secs());
            let mut state = self.state.borrow_mut();
            let now = Instant::now();
            if state.down.len() >= MAX_DOWN {
                state.down.retain(|user, (until, _)| user.is_none() || *until > now);
            }
            if state.down.len() < MAX_DOWN || user.is_none() {
                state.down.insert(user, (now + BACK_OFF, error.clone()));
            }
        }
    }
}
