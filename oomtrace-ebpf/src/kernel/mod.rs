//! Typed readers of kernel structures. Each takes addresses, reads them by a [`KernelRead`] and yields zero for what cannot be read:
//! user space distinguishes "zero" from "absent" by the layout table, which it made itself.

pub mod cgroup;
pub mod memcg;
pub mod mm;
pub mod origin;
pub mod path;
pub mod siginfo;
pub mod task;

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_ktime_get_boot_ns, bpf_probe_read_kernel};
use oomtrace_common::layout::ABSENT;

/// A type for which every bit pattern is a valid value, so that it can be read from any memory.
///
/// # Safety
/// Every bit pattern must be a valid value of the type.
pub unsafe trait Plain: Copy + Default {}

macro_rules! plain {
    ($($number:ty),*) => {
        $(
            // SAFETY: every bit pattern is a number.
            unsafe impl Plain for $number {}
        )*
    };
}
plain!(u8, u16, u32, u64, i16, i32, i64);

// SAFETY: an array has the bits of its elements and no others.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] where Self: Default {}

/// How kernel memory is read.
pub trait KernelRead {
    /// Reads a `T` at `base + offset`; zero when there is no such field or the read fails, as it does without a base.
    fn read<T: Plain>(base: u64, offset: u32) -> T;
}

/// By `bpf_probe_read_kernel`, a call each, at any address.
pub struct Probed;

/// By a plain load, an instruction each: where the verifier knows by the kernel's types what a pointer points to, as it does of
/// a BTF tracepoint's arguments and of what they point to in turn. A load that faults yields zero, there too
/// (kernel/bpf/verifier.c, `BPF_PROBE_MEM`, 5.5 to 7.3).
pub struct Typed;

impl KernelRead for Probed {
    #[inline(always)]
    fn read<T: Plain>(base: u64, offset: u32) -> T {
        if offset == ABSENT {
            return T::default();
        }
        let from = base + u64::from(offset);
        let mut value = core::mem::MaybeUninit::<T>::uninit();
        // No branch follows: the helper itself fills with zeros when it fails (kernel/trace/bpf_trace.c,
        // `bpf_probe_read_kernel_common`, 5.5 to 7.3), and each branch would double what the verifier has to follow.
        // SAFETY: the helper checks the address that it reads from. It always writes all bytes of `value`, whose every bit pattern is
        // a `T`.
        unsafe {
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from as *const _);
            value.assume_init()
        }
    }
}

impl KernelRead for Typed {
    #[inline(always)]
    fn read<T: Plain>(base: u64, offset: u32) -> T {
        if offset == ABSENT {
            return T::default();
        }
        // SAFETY: the verifier rejects the program unless a field of `T`'s size is there by the kernel's types; a load that faults
        // yields zeros. Every bit pattern is a `T`.
        unsafe { ((base + u64::from(offset)) as *const T).read_volatile() }
    }
}

/// The address of the current task's `task_struct`.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: the helper takes nothing and returns a number.
    unsafe { bpf_get_current_task() }
}

/// Now on `CLOCK_BOOTTIME`, in nanoseconds.
#[inline(always)]
pub fn boot_ns() -> u64 {
    // SAFETY: as above.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Reads a `T` through a field of the layout table, by the given [`KernelRead`] or by [`Probed`].
macro_rules! field {
    ($base:expr, $field:ident) => {
        <$crate::kernel::Probed as $crate::kernel::KernelRead>::read($base, $crate::globals::layout!($field))
    };
    ($read:ident: $base:expr, $field:ident) => {
        <$read as $crate::kernel::KernelRead>::read($base, $crate::globals::layout!($field))
    };
}
pub(crate) use field;
