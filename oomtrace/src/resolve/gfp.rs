//! The flags of an allocation, by their names (include/linux/gfp_types.h; bits 0 to 22 are the same from 5.4 to 7.3, those
//! above have moved and stay numbers).

/// Flags that are used together have a name of their own; the first that fits is the widest.
const TOGETHER: &[(&str, u32)] = &[
    ("GFP_HIGHUSER_MOVABLE", KERNEL | HARDWALL | HIGHMEM | MOVABLE),
    ("GFP_HIGHUSER", KERNEL | HARDWALL | HIGHMEM),
    ("GFP_USER", KERNEL | HARDWALL),
    ("GFP_KERNEL_ACCOUNT", KERNEL | ACCOUNT),
    ("GFP_KERNEL", KERNEL),
    ("GFP_NOFS", RECLAIM | IO),
    ("GFP_NOIO", RECLAIM),
    ("GFP_NOWAIT", KSWAPD_RECLAIM),
];

const HIGHMEM: u32 = 1 << 1;
const MOVABLE: u32 = 1 << 3;
const IO: u32 = 1 << 6;
const FS: u32 = 1 << 7;
const KSWAPD_RECLAIM: u32 = 1 << 11;
const RECLAIM: u32 = 1 << 10 | KSWAPD_RECLAIM;
const HARDWALL: u32 = 1 << 20;
const ACCOUNT: u32 = 1 << 22;
const KERNEL: u32 = RECLAIM | IO | FS;

/// Bit 9 was ATOMIC up to 6.2, and is unused since.
const NAMES: [&str; 23] = [
    "DMA",
    "HIGHMEM",
    "DMA32",
    "MOVABLE",
    "RECLAIMABLE",
    "HIGH",
    "IO",
    "FS",
    "ZERO",
    "ATOMIC",
    "DIRECT_RECLAIM",
    "KSWAPD_RECLAIM",
    "WRITE",
    "NOWARN",
    "RETRY_MAYFAIL",
    "NOFAIL",
    "NORETRY",
    "MEMALLOC",
    "COMP",
    "NOMEMALLOC",
    "HARDWALL",
    "THISNODE",
    "ACCOUNT",
];

/// `GFP_KERNEL|__GFP_ZERO`, as the kernel's own report writes it; what has no name is a hexadecimal number.
#[must_use]
pub fn names(mask: u32) -> String {
    let mut left = mask;
    let mut parts = Vec::new();
    if let Some((name, flags)) = TOGETHER.iter().find(|(_, flags)| mask & flags == *flags) {
        parts.push((*name).to_owned());
        left &= !flags;
    }
    for (bit, name) in NAMES.iter().enumerate() {
        if left & 1 << bit != 0 {
            parts.push(format!("__GFP_{name}"));
            left &= !(1 << bit);
        }
    }
    if left != 0 || parts.is_empty() {
        parts.push(format!("{left:#x}"));
    }
    parts.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masks and names as kernels wrote them to their logs ("invoked oom-killer: gfp_mask=…").
    #[test]
    fn masks_are_named_as_the_kernel_names_them() {
        for (mask, text) in [
            (0xcc0, "GFP_KERNEL"),
            (0x100cca, "GFP_HIGHUSER_MOVABLE"),
            (0x140dca, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP"),
            (0x400dc0, "GFP_KERNEL_ACCOUNT|__GFP_ZERO"),
            (0xc40, "GFP_NOFS"),
            (0x40, "__GFP_IO"),
            (1 << 24 | 0xcc0, "GFP_KERNEL|0x1000000"),
            (0, "0x0"),
        ] {
            assert_eq!(names(mask), text, "{mask:#x}");
        }
    }
}
