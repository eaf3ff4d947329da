//! Kernel symbols: addresses in a stack to function names, from `/proc/kallsyms`.

use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use crate::node::files;

/// 500,000 symbols, modules' included, have some 30 MiB.
const MAX_BYTES: u64 = 64 << 20;
/// Bytes of names that are kept; 100,000 functions have some 2 MiB.
const MAX_NAMES: usize = 16 << 20;

/// The kernel's functions, by address. About 2 MiB for 100,000 of them: names lie in one string.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Start address, and where its name starts in `names`; sorted by address.
    functions: Vec<(u64, u32)>,
    names: String,
}

/// How the functions begin that a tracepoint calls before it reaches a BPF program (kernel/trace/bpf_trace.c and
/// include/linux/tracepoint.h, 5.4 to 7.3).
const TRACING: [&str; 4] = ["bpf_", "__bpf_trace_", "__traceiter_", "trace_call_bpf"];

/// No function is larger, in bytes: what follows it is another part of memory.
const MAX_FUNCTION: u64 = 1 << 20;

/// One frame of a kernel stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub function: String,
    /// Bytes from the function's start to the return address; none where only its name was kept.
    pub offset: Option<u64>,
    /// Bytes to the next function, which the kernel shows as a function's size, too; none after the last one.
    pub size: Option<u64>,
}

impl std::fmt::Display for Frame {
    /// As the kernel writes one in its log: `do_send_sig_info+0x1f/0x120`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.function)?;
        let Some(offset) = self.offset else { return Ok(()) };
        write!(f, "+{offset:#x}")?;
        self.size.map_or(Ok(()), |size| write!(f, "/{size:#x}"))
    }
}

/// Where the kernel shows its functions.
pub const PATH: &str = "/proc/kallsyms";
/// The first function comes within this many bytes, after some hundred variables.
const FIRST: u64 = 1 << 18;

/// What it costs that this process is shown no addresses; none when it is. It looks at the first function only, which takes no time.
#[must_use]
pub fn missing(path: &Path) -> Option<String> {
    let shown = std::fs::File::open(path).and_then(|file| shows_addresses(BufReader::new(file.take(FIRST))));
    let why = match shown {
        Ok(true) => return None,
        Ok(false) => "hidden by kernel.kptr_restrict, or for want of CAP_SYSLOG".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!(
        "the names of kernel functions ({}: {why}), and with them the path that a signal took: it is inferred from siginfo, and a \
         verdict is only possible where that does not name the sender",
        path.display()
    ))
}

/// The first function has an address. A variable's may be 0.
fn shows_addresses(mut lines: impl BufRead) -> io::Result<bool> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if let Some((address, _)) = function(&line) {
            return Ok(address != 0);
        }
    }
}

/// Why there are no symbols.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("{path} hides every address (kernel.kptr_restrict, or no CAP_SYSLOG)")]
    Hidden { path: String },
}

impl Symbols {
    /// Reads the kernel's functions from a file in the format of `/proc/kallsyms`.
    ///
    /// # Errors
    /// When the file cannot be read, or shows no addresses.
    pub fn read(path: &Path) -> Result<Self, SymbolsError> {
        let shown = path.display().to_string();
        let fail = |source| SymbolsError::Read { path: shown.clone(), source };
        let symbols = Self::parse(files::open(path).map_err(fail)?).map_err(fail)?;
        if symbols.functions.is_empty() { Err(SymbolsError::Hidden { path: shown }) } else { Ok(symbols) }
    }

    fn parse(file: impl io::Read) -> io::Result<Self> {
        let mut symbols = Self::default();
        files::lines_of(file, MAX_BYTES, |line| {
            if let Some((address, name)) = parse_line(line)
                && symbols.names.len() < MAX_NAMES
                && let Ok(start) = u32::try_from(symbols.names.len())
            {
                symbols.functions.push((address, start));
                symbols.names.push_str(name);
                symbols.names.push('\n');
            }
        })?;
        // Stable: aliases of one address stay in the kernel's order, and the first one is used.
        symbols.functions.sort_by_key(|(address, _)| *address);
        symbols.functions.dedup_by_key(|(address, _)| *address);
        symbols.functions.shrink_to_fit();
        symbols.names.shrink_to_fit();
        Ok(symbols)
    }

    /// The function that `address` lies in; none below the first function.
    #[must_use]
    pub fn name(&self, address: u64) -> Option<&str> {
        let index = self.functions.partition_point(|(start, _)| *start <= address).checked_sub(1)?;
        let (_, start) = self.functions.get(index)?;
        self.names.get(*start as usize..)?.split('\n').next()
    }

    /// Functions known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// No function is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The frames of a stack of return addresses, innermost first; addresses outside every function are left out, and so
    /// are the frames of tracing itself.
    #[must_use]
    pub fn resolve(&self, stack: &[u64]) -> Vec<Frame> {
        let is_tracing = |frame: &Frame| TRACING.iter().any(|start| frame.function.starts_with(start));
        stack.iter().filter_map(|address| self.frame(*address)).skip_while(is_tracing).collect()
    }

    fn frame(&self, address: u64) -> Option<Frame> {
        let function = self.name(address)?.to_owned();
        let next = self.functions.partition_point(|(start, _)| *start <= address);
        let (start, _) = self.functions.get(next.checked_sub(1)?)?;
        let size = self.functions.get(next).map(|(next, _)| next - start).filter(|size| *size <= MAX_FUNCTION);
        Some(Frame { function, offset: Some(address - start), size })
    }
}

/// The address and name of a function that has an address.
fn parse_line(line: &[u8]) -> Option<(u64, &str)> {
    function(line).filter(|(address, _)| *address != 0)
}

/// `ffffffff81000000 T name [module]`: the address and name of a function, the address 0 when it is hidden.
fn function(line: &[u8]) -> Option<(u64, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let kind = words.next()?;
    let name = words.next()?;
    matches!(kind, "t" | "T" | "w" | "W").then_some((address, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T _stext\nffffffff81000000 T _text\nffffffff81000100 t do_send_sig_info\n\
                        ffffffff81000200 T kill_pid_info\nffffffff82000000 D data\nffffffffc0000000 t m [mod]\n";

    #[test]
    fn an_address_belongs_to_the_function_that_starts_before_it() {
        let symbols = Symbols::parse(TEXT.as_bytes()).unwrap();
        for (address, name) in [
            (0xffff_ffff_8100_0000, Some("_stext")),
            (0xffff_ffff_8100_00ff, Some("_stext")),
            (0xffff_ffff_8100_0100, Some("do_send_sig_info")),
            (0xffff_ffff_8100_0150, Some("do_send_sig_info")),
            (0xffff_ffff_8100_0200, Some("kill_pid_info")),
            (0xffff_ffff_c000_0010, Some("m")),
            (0x1000, None),
        ] {
            assert_eq!(symbols.name(address), name, "{address:#x}");
        }
    }

    #[test]
    fn a_frame_says_where_in_its_function_it_is_and_tracing_is_left_out() {
        let text = format!("ffffffff80000000 t bpf_prog_a\n{TEXT}");
        let symbols = Symbols::parse(text.as_bytes()).unwrap();
        let shown = |address| {
            let frames = symbols.resolve(&[0xffff_ffff_8000_0010, address]);
            frames.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown(0xffff_ffff_8100_011f), ["do_send_sig_info+0x1f/0x100"]);
        // What comes next is megabytes away, or nothing comes.
        assert_eq!(shown(0xffff_ffff_8100_0204), ["kill_pid_info+0x4"]);
        assert_eq!(shown(0xffff_ffff_c000_0010), ["m+0x10"]);
        assert!(shown(0x1000).is_empty());
        assert_eq!(Frame { function: "f".to_owned(), offset: None, size: None }.to_string(), "f");
    }

    #[test]
    fn data_and_hidden_addresses_are_left_out() {
        assert_eq!(Symbols::parse(TEXT.as_bytes()).unwrap().len(), 4);
        let hidden = "0000000000000000 T _text\n0000000000000000 T kill_pid_info\n";
        assert!(Symbols::parse(hidden.as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn hidden_addresses_are_known_by_the_first_function() {
        for (text, shown) in [
            ("0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n", true),
            ("0000000000000000 A fixed_percpu_data\n0000000000000000 T _text\n", false),
            ("", false),
        ] {
            assert_eq!(shows_addresses(text.as_bytes()).unwrap(), shown, "{text:?}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let missing = missing(file.path()).unwrap();
        assert!(missing.contains("CAP_SYSLOG") && missing.contains("only possible"), "{missing}");
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        for text in ["", "\n", "zz T a\n", "ffff", "ffffffff81000000 T", "ffffffff81000000\n"] {
            assert!(Symbols::parse(text.as_bytes()).unwrap().is_empty(), "{text:?}");
        }
    }
}
