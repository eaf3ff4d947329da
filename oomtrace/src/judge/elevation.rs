//! By which program a person became the user that the sender runs as.

use crate::judge::senders::is_installed;
use crate::model::{Elevation, Process, Sender};

/// Programs that a person becomes another user by.
const ELEVATORS: &[&str] = &["sudo", "su", "doas", "pkexec", "runuser"];

/// By what the sender became the user that it is, and who ran that, where it is known.
pub fn of(sender: &Sender) -> Option<Elevation> {
    let elevator = |process: &Process| ELEVATORS.iter().find(|name| is_installed(process, name)).copied();
    let chain: Vec<&Process> = sender.process.iter().chain(&sender.ancestors).collect();
    let at = chain.iter().position(|process| elevator(process).is_some())?;
    let own = chain.get(at..)?;
    let by = elevator(own.first()?)?;
    // sudo has a monitor of its own below it.
    let (own, above) = own.split_at(own.iter().take_while(|process| elevator(process) == Some(by)).count());
    // It keeps the user id of whoever ran it until it sets another. Else it is the parent's, which had started it: unless that
    // may have become another user in between, as root does, and su, and what else makes a user of root.
    let kept = own.last().copied().filter(|process| is_person(process));
    let parent = above.first().copied().filter(|process| is_person(process) && elevator(process).is_none());
    let person = kept.or(parent);
    let (uid, user) = (person.and_then(|person| person.uid), person.and_then(|person| person.user.clone()));
    Some(Elevation { by: by.to_owned(), uid, user })
}

/// A person becomes another user by it.
pub fn is_elevator(process: &Process) -> bool {
    ELEVATORS.iter().any(|name| is_installed(process, name))
}

fn is_person(process: &Process) -> bool {
    process.uid.is_some_and(|uid| uid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::run as process;

    #[test]
    fn who_ran_sudo_is_whoever_is_known_to_and_never_somebody_further_up() {
        let with = |exe: &str, uid, user: &str| Process {
            uid: Some(uid),
            user: Some(user.to_owned()).filter(|user| !user.is_empty()),
            ..process(exe, "/user.slice", &[])
        };
        let sender = |ancestors: Vec<Process>| Sender {
            kind: crate::model::SenderKind::Process,
            process: Some(with("/usr/bin/kill", 0, "root")),
            ancestors,
            container: None,
            unit: None,
            login: None,
            elevation: None,
            traced: false,
        };
        let shell = || with("/usr/bin/bash", 1000, "alice");
        let root = || with("/usr/bin/bash", 0, "root");
        let sudo = || with("/usr/bin/sudo", 0, "root");
        for (ancestors, text) in [
            (vec![sudo(), sudo(), shell()], Some("through sudo, run by alice (uid 1000)")),
            (vec![root(), sudo(), shell()], Some("through sudo, run by alice (uid 1000)")),
            (vec![sudo(), with("/usr/bin/zsh", 1001, "")], Some("through sudo, run by uid 1001")),
            // su alice -c 'sudo kill': the shell became sudo, and su is root's.
            (vec![sudo(), with("/usr/bin/su", 0, "root"), root()], Some("through sudo")),
            (vec![sudo(), with("/usr/sbin/runuser", 0, "root"), shell()], Some("through sudo")),
            // setpriv --reuid alice sudo kill: nothing of alice is left.
            (vec![sudo(), root()], Some("through sudo")),
            // su keeps who ran it as its real user.
            (vec![root(), with("/usr/bin/su", 1000, "alice"), root()], Some("through su, run by alice (uid 1000)")),
            (vec![shell()], None),
            (vec![sudo()], Some("through sudo")),
            // Anybody's own.
            (vec![with("/home/u/sudo", 0, "root"), shell()], None),
            (vec![with("/usr/bin/x/sudo", 0, "root"), shell()], None),
        ] {
            let found = of(&sender(ancestors));
            assert_eq!(found.as_ref().map(crate::text::elevation).as_deref(), text);
        }
    }
}
