//! What the operating system says about the process, under the names that every dashboard knows. Read from `/proc`
//! at each scrape; where there is no `/proc`, the families are absent.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Clock ticks a second in `/proc/<pid>/stat`. Linux has told user space 100 on every architecture that Rust's
/// standard library supports, whatever the kernel's own rate is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers the metrics of the process and `sluicebox_build_info`.
pub fn register(registry: &mut Registry) {
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("sluicebox_build", "The version that runs", build);
    registry.register_collector(Box::new(Process));
}

/// Reads `/proc` when it is asked.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut gauge = |name, help, value: Option<f64>| match value {
            Some(value) => write(&mut encoder, name, help, &ConstGauge::new(value)),
            None => Ok(()),
        };
        let (memory, stat) = (Memory::of("self"), Stat::of("self"));
        gauge("process_resident_memory_bytes", "Memory that is in RAM", memory.as_ref().map(|x| x.resident_bytes))?;
        gauge("process_virtual_memory_bytes", "Address space in use", memory.as_ref().map(|x| x.virtual_bytes))?;
        gauge("process_open_fds", "Open file descriptors", open_fds())?;
        gauge("process_max_fds", "File descriptors that may be open", max_fds())?;
        let started = stat.as_ref().zip(boot_time_s()).map(|(stat, boot_s)| boot_s + stat.started_s);
        gauge("process_start_time_seconds", "Start of the process, since the Unix epoch", started)?;
        match stat {
            Some(stat) => {
                let cpu = ConstCounter::new(stat.cpu_s);
                write(&mut encoder, "process_cpu_seconds", "CPU time, user and system", &cpu)
            }
            None => Ok(()),
        }
    }
}

fn write(encoder: &mut DescriptorEncoder, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time, user and system, in seconds.
    pub cpu_s: f64,
    /// Memory that is in RAM, in bytes.
    pub resident_bytes: f64,
    /// The most of it that ever was, in bytes.
    pub resident_peak_bytes: f64,
}

impl Usage {
    /// Of a process, by its id or as `self`; none if it is not there.
    pub fn of(process: &str) -> Option<Usage> {
        let Stat { cpu_s, .. } = Stat::of(process)?;
        let Memory { resident_bytes, resident_peak_bytes, .. } = Memory::of(process)?;
        Some(Usage { cpu_s, resident_bytes, resident_peak_bytes })
    }
}

/// From `/proc/<pid>/status`.
struct Memory {
    resident_bytes: f64,
    resident_peak_bytes: f64,
    virtual_bytes: f64,
}

impl Memory {
    fn of(process: &str) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
        };
        let (resident_bytes, resident_peak_bytes) = (bytes("VmRSS:")?, bytes("VmHWM:")?);
        Some(Memory { resident_bytes, resident_peak_bytes, virtual_bytes: bytes("VmSize:")? })
    }
}

/// From `/proc/<pid>/stat`.
struct Stat {
    cpu_s: f64,
    /// Since the machine started.
    started_s: f64,
}

impl Stat {
    fn of(process: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses and may hold anything, so fields are counted from the
    /// last parenthesis: the first one after it is number 3 (proc_pid_stat(5)).
    fn parse(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let (user, system, started) = (ticks(14)?, ticks(15)?, ticks(22)?);
        Some(Stat { cpu_s: (user + system) / TICKS_PER_SECOND, started_s: started / TICKS_PER_SECOND })
    }
}

fn boot_time_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn open_fds() -> Option<f64> {
    // One of them is this very listing.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(count as f64)
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "7 (a) (b c) S 1 1 1 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 4 0 12345 1000 200";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!((stat.cpu_s, stat.started_s), (2.0, 123.45));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_scrape_says_what_the_process_uses() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} is absent in {text}")).trim().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 1e6);
        assert!(value("process_virtual_memory_bytes ") > value("process_resident_memory_bytes "));
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_max_fds ") >= value("process_open_fds "));
        assert!(value("process_cpu_seconds_total ") >= 0.0);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let age = now - value("process_start_time_seconds ");
        assert!((-2.0..86_400.0).contains(&age), "{age}");
        assert!(text.contains(&format!("sluicebox_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
    }
}
