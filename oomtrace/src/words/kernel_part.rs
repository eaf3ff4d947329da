//! Parts of the kernel that have no cause of their own, in words.

use crate::judge::judgement::KernelPart;

/// What such a part kills for.
pub const fn kernel_part(part: KernelPart) -> &'static str {
    match part {
        KernelPart::MessageQueue => "it had asked to be notified of a message by SIGKILL (mq_notify)",
        KernelPart::AsyncIo => {
            "a file descriptor was set to send SIGKILL to it when there is something to read or write (F_SETSIG)"
        }
        KernelPart::PidfdAutokill => "the last descriptor was closed that it was to live for (CLONE_PIDFD_AUTOKILL)",
        KernelPart::AppArmor => "its AppArmor profile says to",
        KernelPart::SecureAttentionKey => "the secure attention key ends what uses its terminal",
        KernelPart::BrokenMemory => "memory that it uses is broken",
        KernelPart::NamespaceReboot => "a process in its pid namespace asked for a reboot",
        KernelPart::ChildsExitSignal => "a child of it ended, whose exit signal it had chosen to be SIGKILL (clone)",
    }
}
