//! Signals as text: one line each, and the histograms as bars.

use std::fmt::Write as _;

use crate::event::Disposition;
use crate::model::seen::{
    GeneratedSignal, Histogram, HistogramUntil, LostSignals, SeenRecord, SignalOutcome, SignalProcess,
};
use crate::text::quote::quote;

/// Columns of the longest bar.
const BAR: u64 = 40;

/// A record as text; empty for what text leaves to the histogram. `time` gives a time its form.
#[must_use]
pub fn text(record: &SeenRecord, time: impl Fn(&str) -> String) -> String {
    match record {
        SeenRecord::Generated(signal) => generated(signal, &time(&signal.time)),
        SeenRecord::Ready(_) | SeenRecord::Delivered(_) | SeenRecord::Ended(_) => String::new(),
        SeenRecord::Lost(LostSignals { signals, followed }) => {
            format!("lost: {signals} signals, and what became of {followed}: they came faster than they were read\n")
        }
        SeenRecord::Histogram(histogram) => bars(histogram),
    }
}

/// `12:00:01.123456  SIGTERM    kill[12] -> sleep[34], uid 1000: delivered, no handler`
fn generated(signal: &GeneratedSignal, time: &str) -> String {
    let sender = match signal.from_kernel {
        true => format!("the kernel (in {})", named(&signal.sender)),
        false => named(&signal.sender),
    };
    let thread = match signal.group {
        true => String::new(),
        false => format!(" (thread {})", signal.receiver.tid),
    };
    let outcome = match signal.outcome {
        SignalOutcome::Delivered => "delivered",
        SignalOutcome::Ignored => "ignored",
        SignalOutcome::AlreadyPending => "already pending",
        SignalOutcome::Overflow => "no room for it",
    };
    let disposition = match signal.disposition {
        Some(Disposition::Default) => ", no handler",
        Some(Disposition::Ignored) => ", set to be ignored",
        Some(Disposition::Handled) => ", has a handler",
        Some(Disposition::Blocked) => ", blocked",
        None => "",
    };
    let (receiver, uid) = (named(&signal.receiver), signal.receiver.uid);
    format!("{time}  {:<10} {sender} -> {receiver}{thread}, uid {uid}: {outcome}{disposition}\n", signal.name)
}

fn named(process: &SignalProcess) -> String {
    format!("{}[{}]", quote(&process.comm), process.pid)
}

fn bars(histogram: &Histogram) -> String {
    let Histogram { until, count, longest_ns, buckets } = histogram;
    let until = match until {
        HistogramUntil::Delivery => "delivery",
        HistogramUntil::Exit => "exit",
    };
    let mut text = format!("\nfrom generation to {until}: {count}");
    if let Some(longest) = longest_ns {
        // Writing to a String cannot fail.
        _ = write!(text, ", the longest {} µs", longest / 1000);
    }
    text.push('\n');
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    for bucket in buckets {
        // Whatever there is has a bar.
        let length = bucket.count.saturating_mul(BAR).div_ceil(most.max(1));
        let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
        let line = format!("  {:>10} - {:<10} µs {:>8}  {bar}", bucket.from_us, bucket.to_us, bucket.count);
        _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seen::Times;

    #[test]
    fn a_signal_is_one_line_whatever_the_processes_are_called() {
        let process = |pid, comm: &str| SignalProcess { pid, tid: pid + 1, comm: comm.to_owned(), uid: 1000 };
        let mut signal = GeneratedSignal {
            time: "t".to_owned(),
            boot_ns: 0,
            signal: 15,
            name: "SIGTERM".to_owned(),
            code: Some(0),
            from_kernel: false,
            group: true,
            outcome: SignalOutcome::Delivered,
            disposition: Some(Disposition::Handled),
            sender: process(12, "kill"),
            receiver: process(34, "a\n\u{1b}[2J"),
            cgroup: None,
            memory_cgroup: None,
        };
        let shown = |signal: &GeneratedSignal| text(&SeenRecord::Generated(signal.clone()), str::to_owned);
        let expected = "t  SIGTERM    kill[12] -> $'a\\n\\033[2J'[34], uid 1000: delivered, has a handler\n";
        assert_eq!(shown(&signal), expected);
        (signal.from_kernel, signal.group, signal.outcome) = (true, false, SignalOutcome::Ignored);
        (signal.disposition, signal.receiver) = (None, process(34, "b"));
        assert_eq!(shown(&signal), "t  SIGTERM    the kernel (in kill[12]) -> b[34] (thread 35), uid 1000: ignored\n");
    }

    #[test]
    fn a_histogram_has_a_bar_for_whatever_there_is() {
        let mut times = Times::new(HistogramUntil::Exit);
        assert_eq!(bars(&times.histogram()), "\nfrom generation to exit: 0\n");
        (0..100).for_each(|_| times.add(1_000));
        times.add(5_000);
        let text = bars(&times.histogram());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "from generation to exit: 101, the longest 5 µs");
        assert_eq!(lines[2], format!("           1 - 2          µs      100  {}", "#".repeat(40)));
        assert_eq!(lines[3], "           2 - 4          µs        0");
        assert_eq!(lines[4], "           4 - 8          µs        1  #");
    }
}
