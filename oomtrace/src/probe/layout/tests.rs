//! The resolver on the types of ten kernels. What is expected was read with pahole 1.24 from the same kernels' full BTF,
//! so another program's reading is compared with this one's.

use super::*;

/// Names of the fields in [`KERNELS`]' rows.
const FIELDS: [&str; 16] = [
    "task_tgid",
    "task_cgroups",
    "task_signal",
    "signal_group_exit_code",
    "kn_parent",
    "kn_id",
    "cgroup_level",
    "css_set_dfl_cgrp",
    "mm_exe_file",
    "mm_rss_stat",
    "memcg_memory",
    "memcg_memsw",
    "counter_max",
    "file_f_path",
    "pid_numbers",
    "signal_pgrp",
];

struct Kernel {
    name: &'static str,
    btf: &'static [u8],
    mark_victim: MarkVictimArg,
    /// Where `mm_struct.rss_stat` holds per-CPU counters (6.2), whose value is 8 bytes into each of their 40.
    percpu_rss: bool,
    offsets: [u32; 16],
}

macro_rules! kernel {
    ($name:literal, $arg:ident, $percpu:literal, $offsets:expr) => {
        Kernel {
            name: $name,
            btf: include_bytes!(concat!("../../../tests/btf/debian-", $name, ".btf")),
            mark_victim: MarkVictimArg::$arg,
            percpu_rss: $percpu,
            offsets: $offsets,
        }
    };
}

const KERNELS: [Kernel; 10] = [
    kernel!("5.10.218", Tid, false, [2236, 3328, 2832, 96, 8, 104, 208, 120, 928, 712, 208, 320, 32, 16, 96, 368]),
    kernel!("5.10.262", Task, false, [2236, 3328, 2832, 96, 8, 104, 208, 120, 928, 712, 208, 320, 32, 16, 96, 368]),
    kernel!("6.1.176", Task, false, [2420, 3600, 3072, 96, 8, 104, 208, 128, 936, 720, 256, 448, 152, 16, 96, 376]),
    kernel!("6.12.95", Task, true, [2436, 3584, 3072, 96, 8, 96, 216, 128, 1160, 816, 256, 512, 224, 64, 112, 368]),
    kernel!("6.16.12", Task, true, [2708, 3872, 3344, 96, 8, 96, 216, 128, 1192, 840, 256, 448, 160, 64, 136, 376]),
    kernel!("6.17.13", Task, true, [2708, 3880, 3344, 96, 8, 96, 216, 128, 1280, 928, 256, 448, 160, 64, 144, 376]),
    kernel!("6.18.15", Task, true, [2708, 3880, 3344, 96, 8, 96, 216, 128, 1280, 928, 256, 448, 160, 64, 144, 376]),
    kernel!("6.19.14", Task, true, [2708, 3880, 3344, 96, 8, 96, 216, 128, 1528, 1176, 256, 448, 160, 64, 144, 376]),
    kernel!("7.0.13", Task, true, [2740, 3920, 3384, 96, 8, 96, 216, 128, 1528, 1176, 256, 448, 160, 64, 128, 376]),
    kernel!("7.3.4", Task, true, [2876, 4072, 3520, 96, 8, 96, 256, 128, 1536, 1208, 256, 448, 160, 64, 128, 392]),
];

fn resolve(kernel: &Kernel) -> KernelLayout {
    KernelLayout::resolve(&Btf::parse(kernel.btf, &KernelLayout::wanted_types()).unwrap())
}

#[test]
fn offsets_are_those_that_pahole_reads() {
    for kernel in &KERNELS {
        let offsets = resolve(kernel).offsets;
        let field = |name: &str| offsets.fields().iter().find(|(field, _)| *field == name).unwrap().1;
        for (name, expected) in FIELDS.iter().zip(kernel.offsets) {
            let within = if *name == "mm_rss_stat" && kernel.percpu_rss { 8 } else { 0 };
            assert_eq!(field(name), expected + within, "{name} on {}", kernel.name);
        }
        assert_eq!(offsets.mm_rss_stat_stride, if kernel.percpu_rss { 40 } else { 8 }, "{}", kernel.name);
        // memory_cgrp_id is 4 on each of them, after cpuset, cpu, cpuacct and io.
        assert_eq!(offsets.css_set_memory, 32, "{}", kernel.name);
        assert_eq!((offsets.sighand_action, offsets.k_sigaction_size), (32, 32), "{}", kernel.name);
    }
}

#[test]
fn mark_victims_argument_is_told_by_its_prototype_and_not_by_the_version() {
    for kernel in &KERNELS {
        let layout = resolve(kernel);
        assert_eq!(layout.mark_victim, Some(kernel.mark_victim), "{}", kernel.name);
        assert!(layout.signal_generate, "{}", kernel.name);
    }
}

#[test]
fn from_6_16_on_a_process_has_its_memory_when_it_exits() {
    for kernel in &KERNELS {
        let layout = resolve(kernel);
        let old = ["5.10.218", "5.10.262", "6.1.176", "6.12.95"].contains(&kernel.name);
        assert_eq!(layout.process_exit, Some(!old), "{}", kernel.name);
        assert!(layout.signal_deliver && layout.cgroups, "{}", kernel.name);
        // 6.3
        let has_data_ready = !["5.10.218", "5.10.262", "6.1.176"].contains(&kernel.name);
        assert_eq!(layout.sk_data_ready, has_data_ready, "{}", kernel.name);
    }
}

/// Looked up since these types were cut down to what was looked up then; every kernel from 5.10 to 7.3 has them.
const SINCE: &[&str] = &["signal_shared_pending", "task_ptrace", "task_parent", "task_seccomp_mode"];

/// The files of these kernels were made before namespaces, and who listens on a socket, were asked for: they have the way to the
/// namespaces, but not what is at its end.
#[test]
fn nothing_but_namespaces_and_listeners_is_missing_on_any_of_them() {
    for kernel in &KERNELS {
        let mut layout = resolve(kernel);
        for field in SINCE {
            assert!(layout.offsets.set(field, 0), "{field}");
        }
        let missing = layout.missing();
        let is_newer = |cost: &String| cost.starts_with("which namespaces") || cost.starts_with("whether a socket");
        assert!(missing.iter().all(is_newer), "{}: {missing:?}", kernel.name);
        assert_ne!(layout.offsets.task_nsproxy, ABSENT, "{}", kernel.name);
        assert_ne!(layout.offsets.cred_user_ns, ABSENT, "{}", kernel.name);
    }
}

#[test]
fn without_types_everything_is_missing_and_nothing_is_invented() {
    let empty = crate::probe::btf::prune::prune(&Btf::parse(KERNELS[0].btf, &[]).unwrap(), &[], &[]);
    let layout = KernelLayout::resolve(&Btf::parse(&empty, &KernelLayout::wanted_types()).unwrap());
    assert_eq!(layout.offsets, Layout::UNKNOWN);
    assert_eq!((layout.mark_victim, layout.signal_generate), (None, false));
    assert_eq!(layout.missing().len(), COSTS.len());
}

#[test]
fn each_field_is_resolved_once_and_its_loss_has_a_price() {
    for (field, _) in Layout::UNKNOWN.fields() {
        let computed = ["mm_rss_stat", "mm_rss_stat_stride", "signal_pgrp", "k_sigaction_size"];
        let elsewhere =
            computed.contains(&field) || ["upid_size", "css_set_memory", "unix_address_path"].contains(&field);
        let resolved = MEMBERS.iter().filter(|m| m.0 == field).count();
        assert_eq!(resolved, usize::from(!elsewhere), "{field}");
        let priced = COSTS.iter().filter(|(fields, _)| fields.contains(&field)).count();
        // Some are needed for two things.
        assert!(priced >= 1, "{field}");
    }
}
