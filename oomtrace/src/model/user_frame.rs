//! A part of the contract: where a process was in user space.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A frame of a user stack. `addr2line -e FILE` and the like turn it into a line of source; `eu-addr2line` finds the file by its build id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserFrame {
    /// The return address in the process's memory.
    pub address: u64,
    /// The file that is mapped there, by its path in the process's own mount namespace. Null: its memory was gone before that could be
    /// read, or it is no file.
    pub file: Option<String>,
    /// The place in the file, in bytes from its start. Null: not known.
    pub offset: Option<u64>,
    /// The file's build id. Null: it has none, or the kernel could not look.
    pub build_id: Option<String>,
    /// The function, as the file's `.symtab`, else its `.dynsym`, names it: not demangled. Null: it has no name there, the file could not be
    /// read in time or is another build by now, or it is on a file system that is not one of the machine's own.
    #[serde(default)]
    pub function: Option<String>,
    /// The place in the function, in bytes from its start. Null without one.
    #[serde(default)]
    pub function_offset: Option<u64>,
}
