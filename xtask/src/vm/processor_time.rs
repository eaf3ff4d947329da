//! How much processor time a machine has used: one that uses none stands still, whatever its state is said to be.

use std::fs;

/// User and system time of all processes of a process group, and of their children that have ended, in clock ticks.
pub fn processor_time(group: u32) -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
        // One that has ended meanwhile has none.
        .filter_map(|entry| of(&fs::read_to_string(entry.path().join("stat")).ok()?, group))
        .sum()
}

/// Of the process that `stat` is of, if it is of the group: fields 5 and 14 to 17 (proc(5)).
fn of(stat: &str, group: u32) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    (number(2)? == u64::from(group)).then(|| (11..15).filter_map(number).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_groups_own_time_counts() {
        let stat = "7 (a) b) S 1 42 7 0 -1 0 1 2 3 4 100 20 3 1 20 0 1 0 9 0 0";
        assert_eq!(of(stat, 42), Some(124));
        assert_eq!(of(stat, 7), None);
        assert_eq!(of("7 (a", 7), None);
    }
}
