//! Events as the kernel side writes them, whole and damaged.

use super::*;
use oomtrace_common::event::{
    FLAG_NO_TASK, KIND_CGROUP, KIND_CONNECT, KIND_DISCONNECT, KIND_MARK_VICTIM, KIND_SIGNAL, KIND_UNSEEN,
};

const PAGE: u64 = 4096;

/// Builds an event's bytes field by field, in the order of `oomtrace_common::event`.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn header(kind: u16, flags: u32) -> Self {
        let mut bytes = Self::default();
        bytes.0.extend(kind.to_ne_bytes());
        bytes.0.extend(WIRE_VERSION.to_ne_bytes());
        bytes.u32(flags).u64(77);
        bytes
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn task(&mut self, pid: u32, level: u32, memory_hierarchy: u32) -> &mut Self {
        for value in [pid, pid + 1, 1, 1000, 5, 1, u32::MAX, 3, 0, 4, 9, 0] {
            self.u32(value);
        }
        self.u64(1_000).u64(0xffff).u64(11).u32(0).u32(level).u64(12).u32(memory_hierarchy).u32(level);
        self.0.extend(*b"name\0garbage....");
        self
    }

    fn lens(&mut self, lens: &[u16]) -> &mut Self {
        for index in 0..12 {
            self.0.extend(lens.get(index).copied().unwrap_or(0).to_ne_bytes());
        }
        self
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }
}

fn signal_bytes() -> Vec<u8> {
    let mut bytes = Bytes::header(KIND_SIGNAL, FLAG_CMDLINE_TRUNCATED);
    for value in [9, wire::INFO_REAL, 0xffff_fffa, 0, 0, 0] {
        bytes.u32(value);
    }
    bytes.task(20, 2, 4).task(10, 0, 4);
    bytes.lens(&[32, 16, 9, 4, 0, 0, 10, 0, 12, 5, 0, 60]);
    bytes.u32(1).u32(0).u64(99).raw(b"systemd\0........");
    bytes.u64(0xffff_ffff_8100_0000).u64(0xffff_ffff_8100_0100);
    bytes.raw(b"leaf\0top\0").raw(b"a\0b\0").raw(b"sh\0bin\0us\0").raw(b"kill\0-9\0\x32\x30\0\0").raw(b"pts1\0");
    for (pid, mount) in [(20, 7), (10, 0), (1, 5)] {
        bytes.u32(pid).u32(mount).u32(8).u32(1).u32(1000);
    }
    bytes.0
}

fn signal(bytes: &[u8]) -> Signal {
    match decode(bytes, PAGE) {
        Ok(Event::Signal(signal)) => *signal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_is_read_field_by_field() {
    let signal = signal(&signal_bytes());
    assert_eq!((signal.at, signal.number, signal.info), (77, 9, Info::Real(-6)));
    assert!(!signal.group && signal.cmdline_truncated && !signal.preceding && !signal.truncated);
    assert_eq!(signal.outcome, Outcome::Delivered);
    let victim = &signal.victim;
    assert_eq!((victim.key, victim.tid, victim.uid), (ProcessKey { pid: 20, start: 1_000 }, 21, 1000));
    assert_eq!((victim.login_uid, victim.session), (None, Some(3)));
    assert_eq!((victim.group_exit, victim.is_namespace_init()), (Some(9), false));
    assert_eq!(victim.comm, "name");
    assert_eq!(victim.cgroup_path.as_deref(), Some("/top/leaf"));
    assert_eq!(victim.memory_path.as_deref(), Some("/b/a"));
    assert_eq!(victim.exe.as_deref(), Some("/us/bin/sh"));
    // The root of a hierarchy has no names, and is not "unknown".
    assert_eq!(signal.sender.cgroup_path.as_deref(), Some("/"));
    assert_eq!(signal.sender.exe, None);
    assert_eq!(signal.cmdline, Arguments::new(b"kill\0-9\x0020"));
    assert_eq!(signal.tty.as_deref(), Some("pts1"));
    assert_eq!(signal.ancestors.len(), 1);
    assert_eq!((signal.ancestors[0].key.pid, signal.ancestors[0].comm.as_str()), (1, "systemd"));
    assert_eq!(signal.stack, [0xffff_ffff_8100_0000, 0xffff_ffff_8100_0100]);
}

#[test]
fn what_the_siginfo_claims_and_the_limits_allow_is_there_since_it_is_recorded() {
    let before = signal(&signal_bytes());
    assert_eq!((before.claimed, before.cpu), (None, None));
    let since = |info: u32| {
        let mut bytes = Bytes::header(KIND_SIGNAL, 0);
        for value in [9, info, 0, 0, 0, 0] {
            bytes.u32(value);
        }
        bytes.task(20, 2, 4).task(10, 0, 4).lens(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40]);
        bytes.u32(7).u32(1000).u64(60).u64(u64::MAX).u64(3).u64(4);
        signal(&bytes.0)
    };
    let signal = since(wire::INFO_REAL);
    assert_eq!(signal.claimed, Some(Claimed { pid: 7, uid: 1000 }));
    assert_eq!(signal.cpu, Some(Cpu { limit_s: Some(60), rttime_limit_us: None, used_ns: 7 }));
    // There is no siginfo to claim anything.
    assert_eq!(since(wire::INFO_KERNEL).claimed, None);
}

#[test]
fn namespaces_are_those_of_the_process_that_has_the_pid() {
    let of = |pid: u32, mount| {
        let mut bytes = signal_bytes();
        let at = bytes.len() - 20;
        bytes[at..at + 4].copy_from_slice(&pid.to_ne_bytes());
        let signal = signal(&bytes);
        assert_eq!(
            signal.victim.namespaces,
            Some(Namespaces { mount: Some(7), user: 8, user_level: 1, user_owner: 1000 })
        );
        assert_eq!(signal.sender.namespaces.unwrap().mount, None);
        assert_eq!(signal.ancestors[0].namespaces.and_then(|namespaces| namespaces.mount), mount);
    };
    of(1, Some(5));
    // Another process was there in between.
    of(2, None);
}

/// Eighteen names are recorded, and a user may make more: what is left of the path could be made to look like another's.
#[test]
fn a_path_without_its_top_is_no_path() {
    let mut bytes = signal_bytes();
    let level = 16 + 24 + 48 + 16 + 12;
    bytes[level..level + 4].copy_from_slice(&3_u32.to_ne_bytes());
    assert_eq!(signal(&bytes).victim.cgroup_path, None);
}

#[test]
fn on_one_hierarchy_the_memory_cgroup_is_a_part_of_the_path() {
    let mut bytes = Bytes::header(KIND_SIGNAL, 0);
    for value in [9, 1, 0, 1, 0, 0] {
        bytes.u32(value);
    }
    bytes.task(20, 2, 0).task(10, 0, 0).lens(&[0, 0, 9]).raw(b"leaf\0top\0");
    // The victim's memory cgroup is one level up: memory is not enabled further down.
    let at = 16 + 24 + 48 + 16 + 28;
    bytes.0[at..at + 4].copy_from_slice(&1_u32.to_ne_bytes());
    let signal = signal(&bytes.0);
    assert_eq!(signal.victim.cgroup_path.as_deref(), Some("/top/leaf"));
    assert_eq!(signal.victim.memory_path.as_deref(), Some("/top"));
}

fn mark_bytes(flags: u32) -> Vec<u8> {
    let mut bytes = Bytes::header(KIND_MARK_VICTIM, flags);
    bytes.task(20, 1, 4).task(10, 0, 4);
    for pages in [1, 2, 3, 4, 5] {
        bytes.u64(pages);
    }
    bytes.u64(8192).u32(-500_i32 as u32).u32(3);
    for len in [64_u16, 0, 4, 0] {
        bytes.raw(&len.to_ne_bytes());
    }
    bytes
        .u64(12)
        .u32(4)
        .u32(1)
        .u64(100)
        .u64(200)
        .u64(150)
        .u64(7)
        .u64(i64::MAX as u64 / PAGE)
        .u32(1)
        .u32(0)
        .raw(b"web\0");
    bytes.0
}

#[test]
fn a_mark_is_read_field_by_field_in_bytes() {
    let Ok(Event::MarkVictim(mark)) = decode(&mark_bytes(0), PAGE) else { panic!() };
    assert_eq!((mark.anon_bytes, mark.file_bytes, mark.shmem_bytes), (PAGE, 2 * PAGE, 3 * PAGE));
    assert_eq!((mark.swap_bytes, mark.total_vm_bytes, mark.page_table_bytes), (4 * PAGE, 5 * PAGE, 8192));
    assert_eq!((mark.oom_score_adj, mark.victim_tid, mark.sharers), (-500, 21, 3));
    assert_eq!(mark.victim.unwrap().memory_path.as_deref(), Some("/web"));
    let level = mark.levels[0];
    assert_eq!((level.usage_bytes, level.limit_bytes, level.peak_bytes), (100 * PAGE, Some(200 * PAGE), 150 * PAGE));
    assert_eq!((level.swap_usage_bytes, level.swap_limit_bytes), (7 * PAGE, None));
    assert!(level.oom_group);
}

#[test]
fn a_mark_without_a_task_names_nobody() {
    let Ok(Event::MarkVictim(mark)) = decode(&mark_bytes(FLAG_NO_TASK), PAGE) else { panic!() };
    assert_eq!((mark.victim, mark.victim_tid), (None, 21));
}

fn connect_bytes() -> Vec<u8> {
    let mut bytes = Bytes::header(KIND_CONNECT, 0);
    bytes.u32(3).u32(wire::CONNECT_WROTE).task(20, 2, 4);
    for len in [32_u16, 9, 4, 10, 12, 5, 20, 20] {
        bytes.raw(&len.to_ne_bytes());
    }
    bytes.u32(9).u32(1000).u32(0).u32(1).u32(4_026_531_832);
    bytes.u32(20).u32(7).u32(8).u32(1).u32(1000);
    bytes.u32(1).u32(0).u64(99).raw(b"systemd\0........");
    bytes.raw(b"leaf\0top\0").raw(b"a\0b\0").raw(b"sh\0bin\0us\0").raw(b"docker\0stop\0").raw(b"pts1\0");
    bytes.0
}

fn cgroup_bytes(what: u32) -> Vec<u8> {
    let mut bytes = Bytes::header(KIND_CGROUP, 0);
    bytes.u64(11).u32(4).u32(2).u32(what).raw(&9_u16.to_ne_bytes()).raw(&[0; 2]).raw(b"leaf\0top\0");
    bytes.0
}

fn disconnect_bytes() -> Vec<u8> {
    let mut bytes = Bytes::header(KIND_DISCONNECT, 0);
    bytes.u32(20).u32(0).u64(1_000);
    bytes.0
}

#[test]
fn a_connection_is_read_field_by_field() {
    let Ok(Event::Connect(connect)) = decode(&connect_bytes(), PAGE) else { panic!() };
    assert_eq!((connect.at, connect.socket, connect.task.key), (77, 3, ProcessKey { pid: 20, start: 1_000 }));
    assert_eq!(connect.task.cgroup_path.as_deref(), Some("/top/leaf"));
    assert_eq!(connect.task.memory_path.as_deref(), Some("/b/a"));
    assert_eq!(connect.task.exe.as_deref(), Some("/us/bin/sh"));
    assert_eq!(connect.cmdline, Arguments::new(b"docker\0stop"));
    assert_eq!((connect.tty.as_deref(), connect.ancestors.len()), (Some("pts1"), 1));
    assert_eq!((connect.wrote, connect.followed), (true, true));
    assert_eq!(connect.task.namespaces.unwrap().mount, Some(7));
    assert_eq!(connect.listener, Some(Listener { pid: 9, uid: 1000, mount: Some(4_026_531_832) }));
    let Ok(Event::Disconnect(end)) = decode(&disconnect_bytes(), PAGE) else { panic!() };
    assert_eq!(end.key, connect.task.key);
}

#[test]
fn a_cgroup_has_a_path_until_it_is_gone() {
    for (what, path) in [
        (wire::CGROUP_MADE, Some("/top/leaf")),
        (wire::CGROUP_RENAMED, Some("/top/leaf")),
        (wire::CGROUP_REMOVED, None),
        (wire::CGROUP_RELEASED, None),
        (99, None),
    ] {
        let Ok(Event::Cgroup(change)) = decode(&cgroup_bytes(what), PAGE) else { panic!() };
        assert_eq!((change.cgroup.id, change.cgroup.hierarchy), (11, 4));
        assert_eq!(change.path.as_deref(), path, "{what}");
    }
}

#[test]
fn events_of_another_kind_or_version_say_so() {
    let mut bytes = signal_bytes();
    bytes[0] = 99;
    assert_eq!(decode(&bytes, PAGE), Err(DecodeError::Kind(99)));
    bytes[2] = 0xfe;
    assert!(matches!(decode(&bytes, PAGE), Err(DecodeError::Version(_))));
    assert_eq!(decode(&[], PAGE), Err(DecodeError::Truncated));
}

#[test]
fn no_damage_makes_it_panic() {
    let others = [connect_bytes(), cgroup_bytes(wire::CGROUP_MADE), disconnect_bytes()];
    for whole in [signal_bytes(), mark_bytes(0)].into_iter().chain(others) {
        for end in 0..whole.len() {
            assert!(decode(&whole[..end], PAGE).is_err(), "{end} of {} bytes", whole.len());
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _any = decode(&damaged, PAGE);
                let _any = decode(&damaged, u64::MAX);
                let _any = decode(&damaged, 0);
            }
        }
    }
}

#[test]
fn a_prefix_has_no_more_names_than_the_path() {
    for (path, level, expected) in [("/a/b/c", 2, "/a/b"), ("/a", 5, "/a"), ("/a/b", 0, "/"), ("/", 1, "/")] {
        assert_eq!(prefix(path, level), expected);
    }
}

#[test]
fn an_end_that_no_signal_explains() {
    let mut bytes = Bytes::header(KIND_UNSEEN, 0);
    bytes.task(20, 2, 4).u32(7).u32(0).u64(99).raw(b"strace\0.........");
    bytes.u32(9).u32(wire::UNSEEN_TRACED | wire::UNSEEN_LOST);
    for len in [4_u16, 4, 5, 8] {
        bytes.raw(&len.to_ne_bytes());
    }
    bytes.raw(b"b\0a\0d\0c\0f\0e\0\0e f\0-x\0\0");
    let Ok(Event::Unseen(unseen)) = decode(&bytes.0, PAGE) else { panic!("{:?}", decode(&bytes.0, PAGE)) };
    assert_eq!((unseen.exit.at, unseen.exit.status, unseen.exit.task.key.pid), (77, 9, 20));
    assert_eq!((unseen.lost, unseen.seccomp), (true, false));
    assert_eq!(unseen.tracer.map(|tracer| (tracer.key.pid, tracer.comm)), Some((7, "strace".to_owned())));
    assert_eq!(unseen.exit.task.cgroup_path.as_deref(), Some("/a/b"));
    assert_eq!(unseen.exit.task.memory_path.as_deref(), Some("/c/d"));
    assert_eq!(Some(unseen.exit.cmdline.unwrap().arguments), Arguments::new(b"e f\0-x"));
    for len in 0..bytes.0.len() {
        assert!(decode(&bytes.0[..len], PAGE).is_err(), "{len} bytes");
    }
}

/// The same bytes, of an end that only looks like one by SIGKILL.
#[test]
fn an_init_that_exited_with_137_is_no_unseen_end() {
    let of = |facts: u32| {
        let mut bytes = Bytes::header(KIND_UNSEEN, 0);
        bytes.task(20, 2, 4).u32(0).u32(0).u64(0).raw(b"...............\0").u32(137 << 8).u32(facts);
        for len in [4_u16, 0, 5, 0] {
            bytes.raw(&len.to_ne_bytes());
        }
        bytes.raw(b"b\0a\0f\0e\0\0");
        decode(&bytes.0, PAGE).unwrap()
    };
    let Event::ExitedAsKilled(exit) = of(wire::UNSEEN_EXITED) else { panic!("{:?}", of(wire::UNSEEN_EXITED)) };
    assert_eq!((exit.at, exit.status, exit.task.key.pid), (77, 137 << 8, 20));
    assert_eq!(exit.task.cgroup_path.as_deref(), Some("/a/b"));
    assert!(matches!(of(wire::UNSEEN_PENDING), Event::Unseen(_)));
}

#[test]
fn a_user_stack_has_files_where_the_kernel_found_them_and_old_events_have_none() {
    use zerocopy::IntoBytes as _;
    let file = |status, offset| wire::UserFrame { status, build_id: [0xab; 20], offset };
    let decoded = |stack: &[&[u8]]| {
        let bytes: Vec<u8> = stack.concat();
        let tail = wire::MarkVictimTail { user_stack: bytes.len() as u16, ..Default::default() };
        let header = wire::Header { kind: KIND_MARK_VICTIM, version: WIRE_VERSION, ..Default::default() };
        let event = wire::MarkVictimEvent { header, tail, ..Default::default() };
        match decode(&[event.as_bytes(), &bytes].concat(), PAGE) {
            Ok(Event::MarkVictim(mark)) => {
                Ok(mark.user_stack.into_iter().map(|f| (f.address, f.build)).collect::<Vec<_>>())
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    let addresses = [16_u64, 0x7f00, 0x7f10];
    let id = "ab".repeat(20);
    let files = [file(wire::USER_FRAME_VALID, 0x10), file(2, 0x7f10)];
    let both: [&[u8]; 2] = [addresses.as_bytes(), files.as_bytes()];
    assert_eq!(decoded(&both), Ok(vec![(0x7f00, Some((id, 0x10))), (0x7f10, None)]));
    // Of another stack, or not there.
    assert_eq!(decoded(&[addresses.as_bytes(), files[..1].as_bytes()]), Ok(vec![(0x7f00, None), (0x7f10, None)]));
    assert_eq!(decoded(&[addresses.as_bytes()]), Ok(vec![(0x7f00, None), (0x7f10, None)]));
    assert_eq!(decoded(&[]), Ok(vec![]));
    for damaged in [&[24_u64, 1][..], &[u64::MAX], &[3, 1]] {
        assert_eq!(decoded(&[damaged.as_bytes()]), Err(DecodeError::Truncated), "{damaged:?}");
    }
    assert_eq!(decoded(&[b"short"]), Err(DecodeError::Truncated));
}
