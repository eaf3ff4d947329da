//! The JVM.

use std::borrow::Cow;

use crate::text::quote::quote;
use crate::text::{bytes, clip};
use crate::words::advice::program::{Program, Setting, size};

/// Of the limit: the rest is for metaspace, code, threads and direct buffers.
const SHARE: u64 = 75;

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    if program.exe != "java" {
        return None;
    }
    let (mib, limit) = (program.share_mib(SHARE), bytes(program.limit));
    // The last one counts.
    let heap = program.args.iter().skip(1).rev().find_map(|arg| {
        let value = arg.strip_prefix("-Xmx").or_else(|| arg.strip_prefix("-XX:MaxHeapSize="))?;
        Some((arg, size(value)?))
    });
    if let Some((arg, heap)) = heap {
        return Some(of_heap(program, arg, heap, mib));
    }
    let percent = program.args.iter().skip(1).rev().find_map(|arg| {
        let value = arg.strip_prefix("-XX:MaxRAMPercentage=")?;
        Some((arg, value.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent))?))
    });
    Some(match percent {
        Some((arg, percent)) if percent > 80.0 => Setting {
            action: format!("lower {} to -XX:MaxRAMPercentage={SHARE}", shown(arg)),
            why: format!("metaspace, code, threads and direct buffers need more than what that leaves of {limit}"),
            at_fault: true,
        },
        Some((arg, _)) => outside(arg, program.limit),
        None => Setting {
            action: format!("set -XX:MaxRAMPercentage={SHARE}, or -Xmx{mib}m before Java 8u191 (JAVA_TOOL_OPTIONS)"),
            why: format!(
                "by its command line nothing bounds its heap in {limit}; a Java before 8u191 and 10 goes by the machine's memory"
            ),
            at_fault: false,
        },
    })
}

fn of_heap(program: &Program<'_>, arg: &str, heap: u64, mib: u64) -> Setting {
    let limit = bytes(program.limit);
    if heap > program.limit / 100 * 85 {
        let than = if heap >= program.limit { "no less than" } else { "nearly" };
        return Setting {
            action: format!("lower {} to -Xmx{mib}m", shown(arg)),
            why: format!(
                "a heap of {} is {than} the limit of {limit}, and metaspace, code, threads and direct buffers come on top",
                bytes(heap)
            ),
            at_fault: true,
        };
    }
    outside(arg, program.limit)
}

/// It is whatever whoever started it wrote there: a number, with any number of digits.
fn shown(arg: &str) -> Cow<'_, str> {
    const MOST: usize = 40;
    quote(clip(arg, MOST))
}

fn outside(arg: &str, limit: u64) -> Setting {
    Setting {
        action: "bound what is outside of the heap (-XX:MaxDirectMemorySize, -XX:MaxMetaspaceSize, fewer threads)"
            .to_owned(),
        why: format!(
            "{} keeps the heap below the limit of {}; -XX:NativeMemoryTracking=summary and jcmd PID VM.native_memory say what grows",
            shown(arg),
            bytes(limit)
        ),
        at_fault: false,
    }
}
