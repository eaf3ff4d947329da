use crate::judge::tests::{case, kill};
use crate::model::ExitedAfter;
use crate::resolve::case::{AsKilled, Case};
use crate::resolve::given_ids::{GivenIds, KEPT};

fn incident(id: &str) -> Case {
    let mut case = case(kill("/bin/bash"));
    id.clone_into(&mut case.incident.id);
    case
}

#[test]
fn an_exit_refers_to_the_id_that_was_given_last_and_to_none_that_was_not() {
    let pid = incident("a").incident.victim.process.pid;
    let exit = |pid: u32| {
        let after = ExitedAfter {
            incident: None,
            pid,
            comm: "a".to_owned(),
            is_child: true,
            is_oom: false,
            by_pid: None,
            by_comm: None,
            before_ms: 1,
        };
        Case { exited: Some(AsKilled { after: Some(after) }), ..incident("exit") }
    };
    let mut ids = GivenIds::default();
    let mut linked = |case: Case| {
        let mut case = case;
        ids.link(&mut case);
        case.exited.and_then(|exited| exited.after?.incident)
    };
    assert_eq!(linked(exit(pid)), None);
    assert_eq!(linked(incident("a")), None);
    assert_eq!(linked(incident("b")), None);
    assert_eq!(linked(exit(pid)).as_deref(), Some("b"), "and an exit has no id to give");
    assert_eq!(linked(exit(pid)).as_deref(), Some("b"));
    assert_eq!(linked(exit(pid + 1)), None);
    let mut other = incident("other");
    other.incident.victim.process.pid = pid + 1;
    for _ in 0..KEPT {
        linked(other.clone());
    }
    assert_eq!(linked(exit(pid)), None);
}
