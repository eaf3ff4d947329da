//! `oomtrace ps`: the containers that are known, so that a person can check what will be named.

mod columns;
mod fitted;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::iter;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use oomtrace::container::directory::{Directory, KEEP};
use oomtrace::container::list::{Listed, list};
use oomtrace::kubernetes::{EventsMode, Kubernetes};
use oomtrace::model::Container;
use oomtrace::node::cgroups;
use oomtrace::node::usage::Usage;
use oomtrace::sink::{csv, json, notices, yaml};
use oomtrace::text::escape::escape;
use oomtrace::text::{bytes, of_user, pod_name, short_id, times};

use columns::Cells;
use fitted::fitted;

use super::exit::{Failure, Status};
use super::missing;
use super::options::{Form, Ps};
use super::output;

/// From this share of the limit on, a container is close to it.
const CLOSE_PERCENT: u64 = 90;
/// The Kubernetes API is waited for so long.
const API_WITHIN: Duration = Duration::from_secs(2);

pub fn run(options: &Ps) -> Result<Status, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let hierarchies = cgroups::hierarchies().context("cannot read /proc/self/mountinfo")?;
    if hierarchies.is_empty() {
        return Err(anyhow::anyhow!(
            "no cgroup hierarchy is mounted here: in a container, mount the host's /sys/fs/cgroup"
        )
        .into());
    }
    options.runtimes.absent().for_each(|absent| notices::say(&absent));
    let kubernetes = options.kubernetes.start(EventsMode::Off);
    let all = tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut all = list(&Directory::new(options.runtimes.sources(), KEEP), &hierarchies).await;
        describe_pods(&mut all, &kubernetes).await;
        all
    });
    let privacy = options.show.privacy();
    let all: Vec<Listed> = all.into_iter().map(|listed| listed.private(privacy)).collect();
    runtime.shutdown_background();
    missing::say(all.iter().flat_map(|listed| &listed.missing).map(String::as_str));
    let mut out = output::text_or_data(matches!(options.listing.form(), Form::Text | Form::Brief));
    match options.listing.form() {
        Form::Json => write_each(&mut out, &all, |listed| {
            let mut line = Vec::new();
            json::append(&mut line, listed).map(|()| line)
        })?,
        Form::Yaml => write_each(&mut out, &all, |listed| yaml::document(listed).map(String::into_bytes))?,
        Form::Csv => {
            out.write_all(&csv::line(&csv::CONTAINER_COLUMNS.map(str::to_owned))?)?;
            write_each(&mut out, &all, |listed| csv::line(&csv::container(listed)))?;
        }
        Form::Template(template) => write_each(&mut out, &all, |listed| template.line(listed).map(String::into_bytes))?,
        Form::Text | Form::Brief if all.is_empty() => writeln!(out, "no container has a cgroup on this node")?,
        Form::Text | Form::Brief => {
            out.write_all(table(&all, options.show.color.on_stdout(), output::width()).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(Status::Done)
}

/// Each container by itself.
fn write_each(out: &mut impl Write, all: &[Listed], form: impl Fn(&Listed) -> io::Result<Vec<u8>>) -> io::Result<()> {
    all.iter().try_for_each(|listed| out.write_all(&form(listed)?))
}

/// Adds what the Kubernetes API says of pods, if there are any and it says something.
async fn describe_pods(all: &mut [Listed], kubernetes: &Kubernetes) {
    if all.iter().all(|listed| listed.container.pod.is_none()) {
        return;
    }
    if let Err(why) = kubernetes.reach(API_WITHIN).await {
        return notices::say(&format!(
            "requests, owners and restarts of pods are not known (the Kubernetes API: {why})"
        ));
    }
    for listed in all {
        kubernetes.describe(&mut listed.container, API_WITHIN).await;
    }
}

/// `width`: of the terminal that it is for.
fn table(all: &[Listed], color: bool, width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let rows = rows(all);
    let lines: Vec<Cells> = iter::once(Cells::titles()).chain(rows.iter().map(|row| row.cells.clone())).collect();
    let (kept, lines) = fitted(&lines, width);
    table.add_rows(lines);
    for (shown, column) in table.column_iter_mut().zip(kept) {
        shown.set_padding((0, 2));
        if column.is_number() {
            shown.set_cell_alignment(CellAlignment::Right);
        }
    }
    let close = AnsiColor::Yellow.on_default();
    let styles = rows.iter().map(|row| if row.is_close { close } else { Style::new() });
    let mut text = String::new();
    // No cell has more than one line.
    for (line, style) in table.lines().zip(iter::once(Style::new().bold()).chain(styles)) {
        let line = line.trim_end();
        text.push_str(&if color { format!("{style}{line}{style:#}\n") } else { format!("{line}\n") });
    }
    text
}

/// A line of the table.
struct Row {
    cells: Cells,
    /// It may soon be killed for its limit.
    is_close: bool,
}

/// Containers by themselves, and then each pod with its containers below it; a pod's sandbox is a part of the pod.
fn rows(all: &[Listed]) -> Vec<Row> {
    let mut pods: BTreeMap<String, Vec<&Listed>> = BTreeMap::new();
    let mut rows = Vec::new();
    for listed in all {
        match listed.container.pod.as_ref().and_then(pod_name) {
            Some(pod) => pods.entry(pod).or_default().push(listed),
            None => rows.push(of_container(listed, "")),
        }
    }
    for (name, containers) in pods {
        let pod = containers.first().and_then(|listed| listed.container.pod.as_ref());
        let memory = containers.iter().find_map(|listed| listed.pod_memory);
        let class = pod.and_then(|pod| pod.qos).map(|class| format!("{class:?}"));
        let owner = containers.iter().find_map(|listed| listed.container.pod.as_ref()?.owner.as_ref());
        let owner = owner.map(|owner| format!("{} {}", owner.kind, owner.name));
        let class = class.into_iter().chain(owner).collect::<Vec<_>>().join(" · ");
        let uid = pod.and_then(|pod| pod.uid.as_deref()?.split('-').next()).unwrap_or("?");
        rows.push(row([&name, "pod", uid, if class.is_empty() { "-" } else { &class }], memory));
        let is_sandbox = |listed: &&Listed| listed.container.pod.as_ref().is_some_and(|pod| pod.sandbox);
        rows.extend(
            containers.into_iter().filter(|listed| !is_sandbox(listed)).map(|listed| of_container(listed, "  ")),
        );
    }
    rows
}

fn of_container(listed: &Listed, indent: &str) -> Row {
    let Listed { container, memory, .. } = listed;
    let name = of_user(container, container.name.as_deref().unwrap_or_else(|| short_id(&container.id)).into());
    let runtime = container.runtime.map_or("?", |runtime| runtime.name());
    let about = if indent.is_empty() { what(container) } else { in_pod(container) };
    if listed.is_restarting {
        return down(container, row([&name, runtime, short_id(&container.id), &about], None));
    }
    row([&format!("{indent}{name}"), runtime, short_id(&container.id), &about], *memory)
}

/// Of one that has no cgroup until it is started again.
fn down(container: &Container, row: Row) -> Row {
    let limit = container.limits.as_ref().and_then(|limits| limits.memory_bytes).filter(|limit| *limit > 0);
    let none = || "-".to_owned();
    let what = match row.cells.what.as_str() {
        "-" => "restarting".to_owned(),
        what => format!("restarting · {what}"),
    };
    let (memory, limit) = ("down".to_owned(), limit.map_or_else(none, bytes));
    let cells = Cells { memory, limit, used: none(), oom_kills: none(), what, ..row.cells };
    Row { cells, ..row }
}

/// Name, runtime, id and what it is, with its memory. Strings of runtimes are made safe before their width counts.
fn row([name, runtime, id, what]: [&str; 4], memory: Option<Usage>) -> Row {
    let unknown = || "?".to_owned();
    let none = || "-".to_owned();
    let is_close = memory.and_then(used_percent).is_some_and(|percent| percent >= CLOSE_PERCENT);
    let cells = Cells {
        name: escape(name).into_owned(),
        runtime: runtime.to_owned(),
        id: escape(id).into_owned(),
        memory: memory.and_then(|memory| memory.usage_bytes).map_or_else(unknown, bytes),
        limit: memory.map_or_else(unknown, |memory| memory.limit_bytes.map_or_else(none, bytes)),
        used: memory.and_then(used_percent).map_or_else(none, |percent| format!("{percent} %")),
        oom_kills: memory.and_then(|memory| memory.oom_kills).map_or_else(unknown, |kills| kills.to_string()),
        what: escape(what).into_owned(),
    };
    Row { cells, is_close }
}

fn used_percent(memory: Usage) -> Option<u64> {
    memory.usage_bytes?.saturating_mul(100).checked_div(memory.limit_bytes?)
}

/// `nginx:1.27 · requests 64 MiB · restarted 3 times`
fn in_pod(container: &Container) -> String {
    let pod = container.pod.as_ref();
    let requests = pod.and_then(|pod| pod.requests.as_ref()?.memory_bytes);
    let restarts = pod.and_then(|pod| pod.restart_count).filter(|count| *count > 0);
    let parts = [
        container.image.clone(),
        requests.map(|requests| format!("requests {}", bytes(requests))),
        restarts.map(|count| format!("restarted {}", times(count))),
    ];
    or_none(parts.into_iter().flatten().collect())
}

fn or_none(parts: Vec<String>) -> String {
    if parts.is_empty() { "-".to_owned() } else { parts.join(" · ") }
}

/// `nginx:1.27 · compose shop/web`
fn what(container: &Container) -> String {
    or_none(oomtrace::sink::human::belongs_to(container))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oomtrace::model::Runtime;

    fn listed(name: &str, runtime: Runtime, id: &str, memory: Usage, image: Option<&str>) -> Listed {
        let container = serde_json::json!({
            "id": id, "name": name, "runtime": runtime, "image": image, "init_pid": null, "pod": null, "labels": null, "cgroup": "/",
        });
        Listed {
            container: serde_json::from_value(container).unwrap(),
            memory: Some(memory),
            pod_memory: None,
            is_restarting: false,
            missing: Vec::new(),
        }
    }

    #[test]
    fn one_that_waits_to_be_started_is_down() {
        let mut down = listed("loop", Runtime::Docker, &"3".repeat(64), usage(0, None, 0), Some("app:1"));
        (down.memory, down.is_restarting, down.container.restart_count) = (None, true, Some(13));
        let table = table(&[down], false, None);
        let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[..7], ["loop", "docker", "333333333333", "down", "-", "-", "-"], "{table}");
        assert!(table.contains("restarting · app:1 · restarted 13 times"), "{table}");
    }

    fn usage(usage: u64, limit: Option<u64>, kills: u64) -> Usage {
        Usage { usage_bytes: Some(usage), limit_bytes: limit, peak_bytes: None, oom_kills: Some(kills) }
    }

    /// As in docs/usage.md.
    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let image = Some("oomtrace-test:busybox");
        let all = [
            listed("nolimit", Runtime::Docker, &"0b2aa65a35ca".repeat(6)[..64], usage(312 << 10, None, 0), image),
            listed("jobx", Runtime::Runc, "jobx", usage(2 << 20, Some(50 << 20), 0), None),
            listed("容器", Runtime::Docker, &"f1c96f379218".repeat(6)[..64], usage(60 << 20, Some(64 << 20), 1), image),
        ];
        let expected = "\
NAME     RUNTIME  ID             MEMORY   LIMIT  USED  OOM KILLS  WHAT
nolimit  docker   0b2aa65a35ca  312 KiB       -     -          0  oomtrace-test:busybox
jobx     runc     jobx            2 MiB  50 MiB   4 %          0  -
容器     docker   f1c96f379218   60 MiB  64 MiB  93 %          1  oomtrace-test:busybox
";
        assert_eq!(table(&all, false, None), expected);
        let colored = table(&all, true, None);
        let lines: Vec<&str> = colored.lines().collect();
        assert!(lines[0].starts_with("\x1b[1mNAME") && lines[0].ends_with("WHAT\x1b[0m"), "{colored:?}");
        assert!(lines[1].starts_with("nolimit") && lines[3].starts_with("\x1b[33m容器"), "{colored:?}");
    }

    #[test]
    fn a_pod_has_its_containers_below_it_and_no_sandbox() {
        let in_pod = |name: Option<&str>, sandbox: bool| {
            let mut listed = listed(
                name.unwrap_or_default(),
                Runtime::Containerd,
                &"1".repeat(64),
                usage(20 << 20, None, 0),
                Some("app:1"),
            );
            listed.container.name = name.map(str::to_owned);
            let pod = serde_json::json!({
                "name": "web-5d4", "namespace": "shop", "uid": "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab", "qos": "Burstable", "sandbox": sandbox,
            });
            listed.container.pod = serde_json::from_value(pod).unwrap();
            listed.pod_memory = Some(usage(31 << 20, Some(32 << 20), 2));
            listed
        };
        let alone = listed("db", Runtime::Docker, &"2".repeat(64), usage(1 << 20, None, 0), None);
        let table = table(&[in_pod(None, true), in_pod(Some("app"), false), alone], false, None);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert_eq!(lines[1][0], "db", "{table}");
        assert_eq!((lines[2][0], lines[2][1], lines[2].last()), ("shop/web-5d4", "pod", Some(&"Burstable")), "{table}");
        assert!(
            table.lines().nth(2).unwrap().contains("31 MiB") && table.lines().nth(2).unwrap().contains("96 %"),
            "{table}"
        );
        assert!(table.lines().nth(3).unwrap().starts_with("  app") && table.contains("app:1"), "{table}");
    }
}
