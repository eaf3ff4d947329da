//! KVM or emulation. That KVM is there says little: on some hosts it refuses, on some it aborts, and on some it starts an empty machine
//! and then stands still in the middle of a real kernel's boot. So it is trusted once a real kernel has reached user space with
//! it, and given up for the rest of the run at the first fault before that or after.

use std::fmt;
use std::fs::OpenOptions;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

use xtask::say;

/// Forces one of the two: `kvm`, `tcg`.
pub const VARIABLE: &str = "OOMTRACE_VM_ACCEL";
const DEVICE: &str = "/dev/kvm";

/// By what a machine's processors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The host's own processors.
    Kvm,
    /// QEMU's emulation.
    Tcg,
}

impl Accelerator {
    /// As QEMU calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The one that `name` forces.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            other => bail!("machines run by kvm or by tcg (emulation), not by {other:?}"),
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "KVM",
            Self::Tcg => "emulation",
        })
    }
}

/// Which accelerator the next machine gets.
#[derive(Debug)]
pub struct Choice {
    forced: Option<Accelerator>,
    /// Why KVM is not used.
    refused: Mutex<Option<String>>,
}

impl Choice {
    /// What is forced on the command line, else by the environment; else KVM where it can be opened.
    ///
    /// # Errors
    /// When the environment names another accelerator than there are.
    pub fn new(forced: Option<Accelerator>) -> Result<Self> {
        let named = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
        let forced = match (forced, named) {
            (None, Some(name)) => Some(Accelerator::parse(&name)?),
            (forced, _) => forced,
        };
        let refused = match forced {
            Some(Accelerator::Tcg) => Some("emulation was asked for".to_owned()),
            Some(Accelerator::Kvm) => None,
            None => OpenOptions::new().read(true).write(true).open(DEVICE).err().map(|e| format!("{DEVICE}: {e}")),
        };
        Ok(Self { forced, refused: Mutex::new(refused) })
    }

    pub fn next(&self) -> Accelerator {
        if self.why_not_kvm().is_some() { Accelerator::Tcg } else { Accelerator::Kvm }
    }

    /// A machine did not end well under `accelerator`. Whether another one can be tried: KVM is given up for the rest of the run.
    pub fn give_up(&self, accelerator: Accelerator, machine: &str, why: &str) -> bool {
        if accelerator == Accelerator::Tcg || self.forced.is_some() {
            return false;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_none() {
            say(&format!("KVM does not run {machine} here ({why}): the rest of this run is emulated"));
            *refused = Some(format!("with {machine}: {why}"));
        }
        true
    }

    /// Why KVM is not used; none while it is.
    pub fn why_not_kvm(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(forced: Option<Accelerator>) -> Choice {
        Choice { forced, refused: Mutex::new(None) }
    }

    #[test]
    fn a_fault_under_kvm_is_the_last_of_its_run() {
        let choice = choice(None);
        assert_eq!(choice.next(), Accelerator::Kvm);
        assert!(choice.give_up(Accelerator::Kvm, "Linux 5.10", "it stood still"));
        assert_eq!(choice.next(), Accelerator::Tcg);
        // One that ran beside it, and fails by the same fault.
        assert!(choice.give_up(Accelerator::Kvm, "Linux 6.1", "it died"));
        assert_eq!(choice.why_not_kvm().as_deref(), Some("with Linux 5.10: it stood still"));
        assert!(!choice.give_up(Accelerator::Tcg, "Linux 5.10", "it died"), "there is nothing behind emulation");
    }

    #[test]
    fn what_is_forced_stays() {
        let kvm = choice(Some(Accelerator::Kvm));
        assert!(!kvm.give_up(Accelerator::Kvm, "Linux 5.10", "it stood still"));
        assert_eq!(kvm.next(), Accelerator::Kvm);
        let tcg = Choice::new(Some(Accelerator::Tcg)).unwrap();
        assert_eq!(tcg.next(), Accelerator::Tcg);
        assert!(Accelerator::parse("xen").is_err());
    }
}
