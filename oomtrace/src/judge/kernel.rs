//! Kills that the kernel made by itself: the signal's path says why.

use crate::correlate::path as stack;
use crate::judge::judgement::KernelPart;
use crate::model::{Cause, Confidence, Incident, SignalPath};

pub fn by_path(path: Option<SignalPath>) -> Cause {
    match path {
        Some(SignalPath::PidNamespaceExit) => Cause::PidNamespaceExit,
        Some(SignalPath::ParentDeath) => Cause::ParentExit,
        Some(SignalPath::RlimitCpu) => Cause::RlimitCpu,
        Some(SignalPath::RlimitRttime) => Cause::RlimitRttime,
        Some(SignalPath::PosixTimer) => Cause::Timer,
        // A child that was forked meanwhile, and whoever wrote it was not seen.
        Some(SignalPath::CgroupKill) => Cause::CgroupKill,
        Some(SignalPath::Ptrace) => Cause::Ptrace,
        Some(SignalPath::BpfSendSignal) => Cause::BpfProgram,
        _ => Cause::OtherKernel,
    }
}

/// Which part of the kernel it was, where that has no cause of its own.
pub fn part(incident: &Incident) -> Option<KernelPart> {
    const PARTS: [(&str, KernelPart); 5] = [
        ("aa_audit", KernelPart::AppArmor),
        ("__do_SAK", KernelPart::SecureAttentionKey),
        ("kill_procs", KernelPart::BrokenMemory),
        ("reboot_pid_ns", KernelPart::NamespaceReboot),
        ("do_notify_parent", KernelPart::ChildsExitSignal),
    ];
    match incident.signal.path? {
        SignalPath::MessageQueue => Some(KernelPart::MessageQueue),
        SignalPath::AsyncIo => Some(KernelPart::AsyncIo),
        SignalPath::PidfdAutokill => Some(KernelPart::PidfdAutokill),
        SignalPath::OtherKernel if incident.signal.path_confidence == Some(Confidence::Certain) => {
            let own = stack::own(&incident.signal.kernel_stack);
            let is_on_it = |function: &str| own.iter().any(|symbol| stack::is(symbol, function));
            PARTS.iter().find(|(function, _)| is_on_it(function)).map(|(_, part)| *part)
        }
        _ => None,
    }
}
