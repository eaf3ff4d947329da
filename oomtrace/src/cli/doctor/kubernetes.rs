//! Whether the Kubernetes API says why the kubelet kills.

use std::io;
use std::time::Duration;

use oomtrace::kubernetes::EventsMode;

use super::{Mark, Report};
use crate::cli::kubernetes::{Events, KubernetesOptions};

/// It is waited for so long.
const WITHIN: Duration = Duration::from_secs(5);
const COSTS: &str = "why the kubelet had a container killed is then not seen";

pub fn report(report: &mut Report, options: &KubernetesOptions) -> io::Result<()> {
    let kubernetes = options.start(EventsMode::Off);
    if let Some(why) = kubernetes.why_off() {
        // A node without Kubernetes lacks nothing by that.
        let is_wanted = options.why_not(&kubernetes, Events::Auto).is_some();
        let mark = if is_wanted { Mark::Costs } else { Mark::Note };
        return report.line(mark, "API", &format!("not asked: {why}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(kubernetes.reach(WITHIN)) {
        Ok((0, node)) => report.line(
            Mark::Costs,
            "API",
            &format!("reached, and it has no pods on node {node}: NODE_NAME names another one; {COSTS}"),
        ),
        Ok((pods, node)) => {
            let pods = if pods == 1 { "one pod".to_owned() } else { format!("{pods} pods") };
            report.line(Mark::Good, "API", &format!("reached; {pods} on node {node}"))
        }
        Err(why) => report.line(Mark::Costs, "API", &format!("not reached: {why}; {COSTS}")),
    }
}
