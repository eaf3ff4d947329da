//! The scenarios' names, as their sources have them: nothing need be built to say what is left out.

use std::fs;
use std::path::Path;

/// All of them.
pub fn all(workspace: &Path) -> Vec<String> {
    let entries = fs::read_dir(workspace.join("oomtrace/tests/k8s/scenarios")).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    // `Scenario::new("oom::burstable", burstable)`
    let name = |rest: &str| rest.split_once("(\"").and_then(|(_, name)| name.split('"').next()).map(str::to_owned);
    let mut names: Vec<String> =
        texts.flat_map(|text| text.split("Scenario::").skip(1).filter_map(name).collect::<Vec<_>>()).collect();
    names.sort();
    names
}

/// Those of `names` that are chosen, because they start with one of `starts`, and the others.
pub fn choose<'a>(names: &'a [String], starts: &[&str]) -> (Vec<&'a str>, Vec<&'a str>) {
    names.iter().map(String::as_str).partition(|name| starts.iter().any(|start| name.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_its_name_in_the_sources() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let names = all(workspace);
        assert!(names.len() > 40 && names.iter().all(|name| name.contains("::") && !name.contains('\n')), "{names:?}");
        let (oom, others) = choose(&names, &["oom::"]);
        assert!(oom.contains(&"oom::burstable") && !others.is_empty() && oom.len() + others.len() == names.len());
    }
}
