//! Of several that a word may mean, those that can be asked for each by itself. A cgroup may be called after any container, and one process that
//! idles in it must not keep that from being asked about.

use crate::model::{Container, TargetKind};
use crate::past::gather::whom::{Whom, described_as};
use crate::past::imitated::{Word, may_be_container};
use crate::past::target::{spelled, spelled_whole};

/// Digits of the ids that are nobody else's: others are names, and several runtimes may have one of that name.
const WHOLE_ID: usize = 64;

/// Of those that have one id, the one that the most stands for.
#[must_use]
pub fn told_apart(found: Vec<Whom>) -> Vec<Whom> {
    let words: Vec<(Option<String>, Word)> = found.iter().map(|whom| (id_of(whom), whom.word())).collect();
    let is_meant = |index: usize, id: &Option<String>, word: Word| {
        let Some(own) = id else { return true };
        // Two that runtimes of the machine vouch for, and that only have one name, are two.
        let is_one = own.len() == WHOLE_ID || word < Word::Runtimes;
        !words.iter().enumerate().any(|(other, (id, better))| {
            id.as_ref() == Some(own) && (*better > word || (*better == word && other < index && is_one))
        })
    };
    let meant: Vec<bool> = words.iter().enumerate().map(|(index, (id, word))| is_meant(index, id, *word)).collect();
    found.into_iter().zip(meant).filter_map(|(whom, is_meant)| is_meant.then_some(whom)).collect()
}

fn id_of(whom: &Whom) -> Option<String> {
    let container = whom.container.as_ref().filter(|_| whom.kind == TargetKind::Container);
    container.map(|container| container.id.clone()).filter(|id| !id.is_empty())
}

/// One who is there, and whom `seen`, who is gone, was called like: both, where they are two.
#[must_use]
pub fn with_seen(whom: Whom, seen: Option<Whom>) -> Vec<Whom> {
    let Some(seen) = seen.filter(|seen| seen.word() > whom.word()) else { return vec![whom] };
    let containers = whom.container.as_ref().zip(seen.container.as_ref());
    let is_one = containers.is_some_and(|(there, seen)| may_be_container(there, seen));
    if is_one { vec![whom] } else { told_apart(vec![seen, whom]) }
}

/// How each would be asked for, each otherwise, and what it is. `container` has the name that one goes by.
#[must_use]
pub fn spelled_apart(found: &[Whom], container: impl Fn(&Whom) -> Option<Container>) -> Vec<(String, String)> {
    let all: Vec<String> = found.iter().map(|whom| spelled(whom.kind, container(whom).as_ref(), &whom.name)).collect();
    let whole = |whom: &Whom, short: &String| {
        let is_shared = all.iter().filter(|other| *other == short).count() > 1;
        whom.container.as_ref().filter(|_| is_shared && whom.kind == TargetKind::Container).map(spelled_whole)
    };
    let one =
        |(whom, short): (&Whom, &String)| (whole(whom, short).unwrap_or_else(|| short.clone()), described_as(whom));
    found.iter().zip(&all).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "6c266caa8d7c";

    fn id(end: char) -> String {
        format!("{SHORT}{}", end.to_string().repeat(52))
    }

    fn whom(id: &str, cgroup: &str, user: Option<u32>, confirmed: bool) -> Whom {
        let (id, cgroup) = (id.to_owned(), cgroup.to_owned());
        Whom::container(Container { id, cgroup, user, confirmed, ..Container::default() }, Some(false))
    }

    #[test]
    fn candidates_are_asked_for_each_otherwise() {
        let own = || whom(&id('a'), "/docker/x", None, true);
        let removed = || whom(&id('a'), "", None, true);
        let below = |above: &str, end| format!("{above}/docker-{}.scope", id(end));
        let users = |uid: u32, end| {
            whom(&id(end), &below(&format!("/user.slice/user-{uid}.slice/user@{uid}.service"), end), Some(uid), false)
        };
        let anybodys = |end| whom(&id(end), &below("/system.slice/ci.service", end), None, false);
        let roots = |end| whom(&id(end), &below("/system.slice", end), None, false);
        let short = format!("container:{SHORT}");
        let whole = |end| format!("container:{}", id(end));
        for (found, left, commands) in [
            (vec![users(7711, 'a'), removed()], vec![1], vec![short.clone()]),
            (vec![removed(), users(7711, 'a')], vec![0], vec![short.clone()]),
            (vec![anybodys('a'), own(), users(7711, 'a')], vec![1], vec![short.clone()]),
            (vec![anybodys('a'), roots('a')], vec![1], vec![short.clone()]),
            (vec![users(7711, 'a'), users(7712, 'a')], vec![0], vec![short.clone()]),
            // The beginning that is shown is the same.
            (vec![removed(), users(7711, 'b')], vec![0, 1], vec![whole('a'), whole('b')]),
            // Ids that are names: two runtimes of the machine may have them, and a cgroup's name is nothing against these.
            (
                vec![whom("web", "/lxc/web", None, true), whom("web", "/default/web", None, true)],
                vec![0, 1],
                vec!["container:web".to_owned(); 2],
            ),
            (
                vec![whom("web", "/ci/lxc/web", None, false), whom("web", "/lxc/web", None, true)],
                vec![1],
                vec!["container:web".to_owned()],
            ),
        ] {
            let expected: Vec<Whom> = left.iter().map(|index| found[*index].clone()).collect();
            let apart = told_apart(found.clone());
            assert_eq!(apart, expected, "{found:?}");
            let spelled: Vec<String> =
                spelled_apart(&apart, |whom| whom.container.clone()).into_iter().map(|(command, _)| command).collect();
            assert_eq!(spelled, commands, "{found:?}");
        }
    }

    #[test]
    fn one_that_is_there_is_hidden_by_nobody_who_is_gone_but_by_the_one_that_it_is_called_after() {
        let users = whom(&id('a'), "/user.slice/user-7711.slice/x/y", Some(7711), false);
        let own = format!("/system.slice/docker-{}.scope", id('a'));
        let seen = whom(&id('a'), &own, None, true);
        let unit = Whom { kind: TargetKind::Unit, container: None, ..seen.clone() };
        let unasked = whom(&id('a'), &own, None, false);
        let other = whom(&id('b'), "/docker/b", None, true);
        for (whom, seen, expected) in [
            (&users, None, vec![&users]),
            (&users, Some(&users), vec![&users]),
            (&users, Some(&seen), vec![&seen]),
            (&users, Some(&other), vec![&other, &users]),
            (&users, Some(&unit), vec![&unit, &users]),
            // It is the very one, and runs.
            (&unasked, Some(&seen), vec![&unasked]),
        ] {
            let expected: Vec<Whom> = expected.into_iter().cloned().collect();
            assert_eq!(with_seen(whom.clone(), seen.cloned()), expected, "{whom:?} {seen:?}");
        }
    }
}
