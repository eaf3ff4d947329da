//! The same report in the kernel's log and in the journal: journald copies the kernel's log, and a syslog daemon writes what anybody sends it.

use crate::past::klog::oom::{Report, Victim};

/// The same report in the kernel's log and in the journal is not further apart where one of them does not have the kernel's own time: what is
/// there besides is alike to the byte, and clocks are set. In milliseconds.
const SAME_MS: u64 = 600_000;
/// The same where one of them is text that anybody may have written: a syslog daemon has the time to the second.
const SAME_TEXT_MS: u64 = 5_000;

/// Drops those from `had` on that are there already: journald copies the kernel's log. The one with more of it stays; but the kernel's own
/// gives way to no text, which is dropped where it says nothing else.
pub fn drop_copies(reports: &mut Vec<Report>, had: usize, slept_ms: i64) {
    let copies = reports.split_off(had.min(reports.len()));
    for copy in copies {
        reports.retain(|known| known.by_kernel || !copy.by_kernel || !is_copy(known, &copy, slept_ms));
        match reports.iter_mut().find(|known| is_copy(known, &copy, slept_ms)) {
            Some(known) if known.has_start || !copy.has_start || known.by_kernel != copy.by_kernel => {}
            Some(known) => *known = copy,
            None => reports.push(copy),
        }
    }
}

/// Both are of one kill. The times of day do not say so: that of the kernel's log is reckoned from a clock that stands still while the machine
/// sleeps, `slept_ms` until now, and that of the journal was right for whoever set the clock by then.
fn is_copy(known: &Report, copy: &Report, slept_ms: i64) -> bool {
    let (Some(one), Some(other)) = (known.victims.first(), copy.victims.first()) else { return false };
    // What the line that says the kill has in each.
    let figures = |victim: &Victim| (victim.total_vm_bytes, victim.anon_bytes, victim.file_bytes, victim.shmem_bytes);
    if one.pid != other.pid
        || one.comm != other.comm
        || figures(one) != figures(other)
        || !may_be_one(known.cgroup.as_ref(), copy.cgroup.as_ref())
    {
        return false;
    }
    let is_proven = known.by_kernel && copy.by_kernel;
    if !is_proven && contradicts(known, copy) {
        return false;
    }
    if let Some((one, other)) = known.stamp.zip(copy.stamp) {
        return one.us == other.us && one.boot.zip(other.boot).is_none_or(|(one, other)| one == other);
    }
    let within = if is_proven { SAME_MS.saturating_add(slept_ms.unsigned_abs()) } else { SAME_TEXT_MS };
    known.at.zip(copy.at).is_some_and(|(one, other)| one.as_millisecond().abs_diff(other.as_millisecond()) <= within)
}

/// Both say something of the same, and not the same.
fn contradicts(one: &Report, other: &Report) -> bool {
    let uid = |report: &Report| report.victims.first().and_then(|victim| victim.uid);
    let is_one = may_be_one(one.constraint, other.constraint)
        && may_be_one(one.owner.as_ref(), other.owner.as_ref())
        && may_be_one(one.group.as_ref(), other.group.as_ref())
        && may_be_one(one.trigger.as_ref(), other.trigger.as_ref())
        && may_be_one(one.gfp.as_ref(), other.gfp.as_ref())
        && may_be_one(one.order, other.order)
        && may_be_one(one.memory, other.memory)
        && may_be_one(one.swap, other.swap)
        && may_be_one(one.memory_and_swap, other.memory_and_swap)
        && may_be_one(uid(one), uid(other));
    !is_one
}

/// Where both are there, they are the same.
fn may_be_one<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::past::klog::record::Stamp;
    use crate::past::klog::summary::Constraint;
    use jiff::Timestamp;

    /// Of that second, with that time of the kernel's clock and that boot.
    fn report(second: i64, stamp: Option<(u64, Option<u128>)>, pid: u32, has_start: bool) -> Report {
        Report {
            at: Timestamp::from_second(second).ok(),
            stamp: stamp.map(|(us, boot)| Stamp { us, boot }),
            has_start,
            by_kernel: true,
            victims: vec![Victim { pid, comm: "java".to_owned(), ..Victim::default() }],
            ..Report::default()
        }
    }

    #[test]
    fn what_journald_copied_is_there_once() {
        let mut all = vec![
            report(1_000, None, 7, false),
            report(2_000, None, 8, true),
            report(1_100, None, 7, true),
            report(2_003, None, 8, false),
            report(3_000, None, 8, true),
        ];
        drop_copies(&mut all, 2, 0);
        let kept: Vec<_> = all.iter().map(|report| (report.at.unwrap().as_second(), report.has_start)).collect();
        assert_eq!(kept, [(1_100, true), (2_000, true), (3_000, true)]);
    }

    #[test]
    fn a_text_takes_the_place_of_no_report_that_is_the_kernels_own() {
        let text = |second, constraint| Report {
            by_kernel: false,
            constraint: Some(constraint),
            ..report(second, None, 7, true)
        };
        let proven = |stamp| Report { constraint: Some(Constraint::Memcg), ..report(1_000, stamp, 7, false) };
        for (known, expected) in [
            // It says the same, and more.
            (vec![text(1_003, Constraint::Memcg)], vec![(1_000, true)]),
            (vec![text(1_003, Constraint::Memcg), text(999, Constraint::Memcg)], vec![(1_000, true)]),
            // It says something else, or may be of another time.
            (vec![text(1_003, Constraint::None)], vec![(1_003, false), (1_000, true)]),
            (vec![text(1_006, Constraint::Memcg)], vec![(1_006, false), (1_000, true)]),
            // The kernel's own is known already.
            (vec![text(1_003, Constraint::Memcg), proven(None)], vec![(1_000, true)]),
        ] {
            let had = known.len();
            let mut all = known;
            all.push(proven(Some((5, Some(1)))));
            drop_copies(&mut all, had, 3_600_000);
            let kept: Vec<_> = all.iter().map(|report| (report.at.unwrap().as_second(), report.by_kernel)).collect();
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn one_kill_is_known_by_the_kernels_own_time_and_by_what_is_said_of_it() {
        let kmsg = report(90_000, Some((5, Some(1))), 7, true);
        let grown = |mut report: Report| {
            report.victims[0].anon_bytes = 4096;
            report
        };
        let called = |mut report: Report, comm: &str| {
            report.victims[0].comm = comm.to_owned();
            report
        };
        let of = |report: Report, cgroup: &str| Report { cgroup: Some(cgroup.to_owned()), ..report };
        for (one, other, slept_ms, is_one) in [
            // A clock that was set by a day meanwhile.
            (kmsg.clone(), report(3_600, Some((5, Some(1))), 7, true), 0, true),
            // A file does not say of which boot it is.
            (kmsg.clone(), report(90_000, Some((5, None)), 7, true), 0, true),
            // Its pid was given anew.
            (kmsg.clone(), report(90_000, Some((6, Some(1))), 7, true), 0, false),
            (kmsg.clone(), report(90_000, Some((5, Some(2))), 7, true), 0, false),
            (kmsg.clone(), report(90_000, Some((5, Some(1))), 8, true), 0, false),
            (kmsg.clone(), called(report(90_000, Some((5, Some(1))), 7, true), "sh"), 0, false),
            (of(kmsg.clone(), "/a"), of(report(90_000, Some((5, None)), 7, true), "/b"), 0, false),
            (of(kmsg.clone(), "/a"), kmsg.clone(), 0, true),
            // Where one has no time of the kernel's.
            (kmsg.clone(), report(90_300, None, 7, true), 0, true),
            (kmsg.clone(), grown(report(90_000, None, 7, true)), 0, false),
            (kmsg.clone(), report(93_600, None, 7, true), 0, false),
            (kmsg.clone(), report(93_600, None, 7, true), 3_600_000, true),
        ] {
            assert_eq!(is_copy(&one, &other, slept_ms), is_one, "{one:?} {other:?}");
        }
    }
}
