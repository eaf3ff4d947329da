//! Parts of a shell script whose memory grows by as much as is wanted.

/// A MiB of a shell's variables in `$x`, to be kept as often as is wanted.
pub const BLOCK: &str = "x=0123456789abcdef; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; i=0";
/// Keeps one more.
pub const KEEP: &str = "i=$((i+1)); eval \"v$i=\\$x\"";
