//! What the tracer needs of this process and this kernel, checked before anything is loaded, so that the answer is a
//! sentence and not an errno.

use std::path::{Path, PathBuf};

use crate::node::files::{self, SMALL};

/// Where the running kernel shows its type information.
pub const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";
/// A kernel with all its drivers built in has some 10 MiB.
const MAX_BTF: u64 = 64 << 20;
/// Where the kernel says whether it is locked down.
pub const LOCKDOWN_PATH: &str = "/sys/kernel/security/lockdown";

/// A capability that oomtrace uses (include/uapi/linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    DacOverride = 1,
    DacReadSearch = 2,
    IpcLock = 14,
    SysPtrace = 19,
    SysAdmin = 21,
    Syslog = 34,
    Perfmon = 38,
    Bpf = 39,
}

impl Capability {
    /// All of them.
    const ALL: [Self; 8] = [
        Self::DacOverride,
        Self::DacReadSearch,
        Self::IpcLock,
        Self::SysPtrace,
        Self::SysAdmin,
        Self::Syslog,
        Self::Perfmon,
        Self::Bpf,
    ];

    /// Name as in capabilities(7).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Syslog => "CAP_SYSLOG",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

/// This process's effective capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Reads `CapEff` from the text of `/proc/self/status`; none when there is no such line.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        let value = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(value.trim(), 16).ok().map(Self)
    }

    /// The names of all of them; of one that oomtrace does not know, its number.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let name = |bit: u64| {
            let known = Capability::ALL.into_iter().find(|capability| *capability as u64 == bit);
            known.map_or_else(|| format!("capability {bit}"), |capability| capability.name().to_owned())
        };
        (0..64).filter(|bit| self.0 >> bit & 1 == 1).map(name).collect()
    }

    /// It has `capability`.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u64) != 0
    }

    /// What is missing to load tracing programs: CAP_BPF and CAP_PERFMON (5.8), either of which CAP_SYS_ADMIN includes.
    #[must_use]
    pub fn missing_for_tracing(self) -> Vec<Capability> {
        [Capability::Bpf, Capability::Perfmon]
            .into_iter()
            .filter(|c| !self.has(*c) && !self.has(Capability::SysAdmin))
            .collect()
    }
}

/// How far the kernel is locked down (kernel_lockdown(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    None,
    Integrity,
    /// Refuses `bpf_probe_read_kernel`, without which there is nothing to see.
    Confidentiality,
    /// There is no lockdown file: no such security module, or securityfs is not mounted.
    Unknown,
}

impl Lockdown {
    /// Reads the word in brackets: `none [integrity] confidentiality`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(word, _)| word) {
            Some("none") => Self::None,
            Some("integrity") => Self::Integrity,
            Some("confidentiality") => Self::Confidentiality,
            _ => Self::Unknown,
        }
    }

    /// Reads the running kernel's.
    #[must_use]
    pub fn read() -> Self {
        files::read_text(Path::new(LOCKDOWN_PATH), SMALL).map_or(Self::Unknown, |text| Self::parse(&text))
    }
}

/// Why nothing can be traced.
#[derive(Debug, thiserror::Error)]
pub enum RequirementError {
    #[error("{} missing: run it as root (sudo oomtrace), or give it {}", names(.0), names(.0))]
    Capabilities(Vec<Capability>),
    #[error(
        "no kernel type information at {}: oomtrace needs a kernel built with CONFIG_DEBUG_INFO_BTF=y ({source})",
        path.display()
    )]
    NoBtf { path: PathBuf, source: std::io::Error },
    #[error(
        "the kernel is locked down in confidentiality mode, which forbids BPF programs to read kernel memory: boot with \
         lockdown=integrity or lockdown=none"
    )]
    Lockdown,
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

fn names(capabilities: &[Capability]) -> String {
    capabilities.iter().map(|c| c.name()).collect::<Vec<_>>().join(" and ")
}

/// This process's capabilities.
///
/// # Errors
/// When `/proc` is not there.
pub fn capabilities() -> Result<Capabilities, RequirementError> {
    let path = Path::new("/proc/thread-self/status");
    let read = |source| RequirementError::Read { path: path.to_owned(), source };
    let status = files::read_text(path, SMALL).map_err(read)?;
    Capabilities::parse(&status)
        .ok_or_else(|| read(std::io::Error::new(std::io::ErrorKind::InvalidData, "it has no line CapEff")))
}

/// Checks privileges, lockdown and BTF, in the order in which a person would have to mend them; returns the BTF.
///
/// # Errors
/// The first thing that is not there.
pub fn check(btf_path: &Path) -> Result<Vec<u8>, RequirementError> {
    let missing = capabilities()?.missing_for_tracing();
    if !missing.is_empty() {
        return Err(RequirementError::Capabilities(missing));
    }
    if Lockdown::read() == Lockdown::Confidentiality {
        return Err(RequirementError::Lockdown);
    }
    read_btf(btf_path).map_err(|source| RequirementError::NoBtf { path: btf_path.to_owned(), source })
}

/// The kernel's type information at `path`.
///
/// # Errors
/// When it cannot be read, or is larger than any kernel's.
pub fn read_btf(path: &Path) -> std::io::Result<Vec<u8>> {
    files::read(path, MAX_BTF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_that_are_missing_are_named() {
        for (status, missing) in [
            ("Name:\tx\nCapEff:\t000001ffffffffff\n", vec![]),
            ("CapEff:\t0000000000200000\n", vec![]),
            ("CapEff:\t000000c000000000\n", vec![]),
            ("CapEff:\t0000008000000000\n", vec![Capability::Perfmon]),
            ("CapEff:\t0000000000000000\n", vec![Capability::Bpf, Capability::Perfmon]),
        ] {
            assert_eq!(Capabilities::parse(status).unwrap().missing_for_tracing(), missing, "{status:?}");
        }
        assert_eq!(Capabilities::parse("CapPrm:\t0\n"), None);
        assert_eq!(Capabilities::parse("CapEff:\tzz\n"), None);
    }

    #[test]
    fn lockdown_is_the_word_in_brackets() {
        for (text, mode) in [
            ("[none] integrity confidentiality\n", Lockdown::None),
            ("none [integrity] confidentiality\n", Lockdown::Integrity),
            ("none integrity [confidentiality]\n", Lockdown::Confidentiality),
            ("", Lockdown::Unknown),
            ("[", Lockdown::Unknown),
        ] {
            assert_eq!(Lockdown::parse(text), mode, "{text:?}");
        }
    }
}
