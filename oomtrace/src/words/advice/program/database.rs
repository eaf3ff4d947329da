//! Databases, caches and queues: the size that they are set to have.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting, size};

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    match program.exe {
        "redis-server" | "valkey-server" | "keydb-server" => Some(redis(program)),
        "postgres" => Some(postgres(program)),
        "mysqld" | "mariadbd" => {
            Some(plain(program, "innodb_buffer_pool_size", 50, "M", "connections and sorts come on top of it"))
        }
        "memcached" => Some(memcached(program)),
        "mongod" => Some(mongod(program)),
        "beam.smp" if program.args.iter().any(|arg| arg.contains("rabbit")) => Some(plain(
            program,
            "vm_memory_high_watermark.absolute",
            60,
            "MB",
            "RabbitMQ holds publishers back above it, and needs room to page messages out",
        )),
        _ => None,
    }
}

fn plain(program: &Program<'_>, name: &str, percent: u64, unit: &str, why: &str) -> Setting {
    Setting {
        action: format!("set {name} = {}{unit}", program.share_mib(percent)),
        why: format!("{why}, and all of it is in {}", bytes(program.limit)),
        at_fault: false,
    }
}

fn redis(program: &Program<'_>) -> Setting {
    let (mib, limit) = (program.share_mib(60), bytes(program.limit));
    let set = program.option(&["--maxmemory"]).and_then(|value| Some((value, size(value)?)));
    let is_forked = program.args.first().is_some_and(|title| title.contains("bgsave") || title.contains("aof-rewrite"));
    let room = "a copy for a snapshot, and buffers of clients, come on top of it";
    match set.filter(|(_, set)| *set > program.limit / 5 * 4) {
        Some((value, _)) => Setting {
            action: format!("lower --maxmemory {} to {mib}mb", crate::text::quote::quote(value)),
            why: format!("the limit is {limit}; {room}"),
            at_fault: true,
        },
        None if is_forked => Setting {
            action: format!("set maxmemory {mib}mb, or leave room for the data once more"),
            why: format!("this was the copy that writes a snapshot: what changes meanwhile is in {limit} twice"),
            at_fault: false,
        },
        None => Setting {
            action: format!("set maxmemory {mib}mb, and a maxmemory-policy"),
            why: format!("without one it takes what there is; {room}, all in {limit}"),
            at_fault: false,
        },
    }
}

/// A backend has a title: `postgres: user database address command`.
fn postgres(program: &Program<'_>) -> Setting {
    let buffers = program.share_mib(25);
    Setting {
        action: format!("lower work_mem or max_connections; shared_buffers = {buffers}MB is a quarter of the limit"),
        why: format!(
            "each sort and each hash of each connection may take work_mem, all in {}; when one backend is killed, the server ends all others",
            bytes(program.limit)
        ),
        at_fault: false,
    }
}

fn memcached(program: &Program<'_>) -> Setting {
    let (mib, limit) = (program.share_mib(75), bytes(program.limit));
    // In MiB; 64 without it (memcached(1)).
    let set = program.option(&["-m", "--memory-limit"]).and_then(|mib| mib.parse::<u64>().ok()).unwrap_or(64);
    Setting {
        action: format!("set -m {mib} (now {set})"),
        why: format!("that is for items alone; connections and the table of keys come on top, all in {limit}"),
        at_fault: set.saturating_mul(1 << 20) > program.limit / 10 * 9,
    }
}

fn mongod(program: &Program<'_>) -> Setting {
    // In GB, of which a quarter is the least (mongod --help).
    let gb = (program.exact_mib(40).saturating_mul(100) >> 10).max(25);
    Setting {
        action: format!("set --wiredTigerCacheSizeGB {}.{:02}", gb / 100, gb % 100),
        why: format!(
            "connections, sorts and indexes being built come on top of the cache, all in {}",
            bytes(program.limit)
        ),
        at_fault: false,
    }
}
