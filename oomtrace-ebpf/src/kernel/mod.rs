//! Typed readers of kernel structures. Each takes addresses, reads them in a [`Way`] and yields zero for what cannot be read:
//! user space tells "zero" from "absent" by the layout table, which it made itself.

pub mod cgroup;
pub mod memcg;
pub mod mm;
pub mod origin;
pub mod path;
pub mod task;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use oomtrace_common::layout::ABSENT;

/// How kernel memory is read.
pub trait Way {
    /// Reads a `T` at `base + offset`; zero when there is no such field or the read fails, as it does without a base.
    fn read<T: Copy + Default>(base: u64, offset: u32) -> T;
}

/// By `bpf_probe_read_kernel`, a call each, at any address.
pub struct Probed;

/// By a plain load, an instruction each: where the verifier knows by the kernel's types what a pointer points to, as it does of
/// a BTF tracepoint's arguments and of what they point to in turn. A load that faults yields zero, there too
/// (kernel/bpf/verifier.c, `BPF_PROBE_MEM`, 5.5 to 7.3).
pub struct Typed;

impl Way for Probed {
    #[inline(always)]
    fn read<T: Copy + Default>(base: u64, offset: u32) -> T {
        if offset == ABSENT {
            return T::default();
        }
        let from = base + u64::from(offset);
        let mut value = core::mem::MaybeUninit::<T>::uninit();
        // No branch follows: the helper itself fills with zeros when it fails (kernel/trace/bpf_trace.c,
        // `bpf_probe_read_kernel_common`, 5.5 to 7.3), and each branch would double what the verifier has to follow.
        unsafe {
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from as *const _);
            value.assume_init()
        }
    }
}

impl Way for Typed {
    #[inline(always)]
    fn read<T: Copy + Default>(base: u64, offset: u32) -> T {
        if offset == ABSENT {
            return T::default();
        }
        unsafe { ((base + u64::from(offset)) as *const T).read_volatile() }
    }
}

/// Reads a `T` through a field of the layout table, in the given way or as [`Probed`].
macro_rules! field {
    ($base:expr, $field:ident) => {
        <$crate::kernel::Probed as $crate::kernel::Way>::read($base, $crate::globals::layout!($field))
    };
    ($way:ident: $base:expr, $field:ident) => {
        <$way as $crate::kernel::Way>::read($base, $crate::globals::layout!($field))
    };
}
pub(crate) use field;
