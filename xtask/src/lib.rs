//! What oomtrace's build script and `cargo xtask` share: finding a BPF toolchain, and building the kernel side with it.

pub mod bpf;
