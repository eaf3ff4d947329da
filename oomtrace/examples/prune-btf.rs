//! Makes a test fixture, or an attachment for a bug report, of a kernel's type information:
//! `cargo run --example prune-btf -- /sys/kernel/btf/vmlinux FILE`.

use oomtrace::probe::btf::{Btf, prune::prune};
use oomtrace::probe::layout::KernelLayout;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("usage: prune-btf INPUT OUTPUT".into());
    };
    let bytes = std::fs::read(input)?;
    let btf = Btf::parse(&bytes, &KernelLayout::wanted_types())?;
    let pruned = prune(&btf, &KernelLayout::wanted_types(), &KernelLayout::wanted_members());
    // What was cut away must not have mattered.
    let again = Btf::parse(&pruned, &KernelLayout::wanted_types())?;
    if KernelLayout::resolve(&again) != KernelLayout::resolve(&btf) {
        return Err("the pruned types resolve to another layout".into());
    }
    std::fs::write(output, pruned)?;
    Ok(())
}
