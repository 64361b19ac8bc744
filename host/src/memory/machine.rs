//! How much memory there is, and how much of it the process has: from `/proc` and the control group.

use std::fs;
use std::path::{Path, PathBuf};

/// Control groups of version 2, and of the memory controller of version 1.
const GROUPS: (&str, &str) = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory");

/// Bytes that the process may use: the memory of the machine, or the least limit of the control groups that it is
/// in. None where the system does not say.
pub(super) fn memory() -> Option<usize> {
    let memory = line_in_kib("/proc/meminfo", "MemTotal:");
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    memory.into_iter().chain(limits(&groups, Path::new(GROUPS.0), Path::new(GROUPS.1))).min()
}

/// Resident bytes of the process.
pub(super) fn resident() -> Option<usize> {
    line_in_kib("/proc/self/status", "VmRSS:")
}

/// A line `Name:  123 kB`, in bytes.
fn line_in_kib(file: &str, name: &str) -> Option<usize> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

/// The limits of the groups that `/proc/self/cgroup` names, and of all groups above them. Inside a container the
/// root that is visible is the container's own group, so it is looked at in any case.
fn limits(groups: &str, v2: &Path, v1: &Path) -> Vec<usize> {
    let mut files: Vec<PathBuf> = vec![v2.join("memory.max"), v1.join("memory.limit_in_bytes")];
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => (v2, "memory.max"),
            list if list.split(',').any(|controller| controller == "memory") => (v1, "memory.limit_in_bytes"),
            _ => continue,
        };
        let own = root.join(path.trim_start_matches('/'));
        files.extend(own.ancestors().take_while(|group| group.starts_with(root)).map(|group| group.join(file)));
    }
    // "max", and the huge number of version 1, mean that there is none; the memory of the machine is less than that.
    files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_all_groups_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let (v2, v1) = (root.path().join("v2"), root.path().join("v1"));
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(v2.join("pods/one/memory.max"), "max\n");
        write(v2.join("pods/memory.max"), "1000\n");
        write(v2.join("other/memory.max"), "10\n");
        write(v1.join("own/memory.limit_in_bytes"), "2000\n");
        let found = limits("0::/pods/one\n4:cpu,memory:/own\n3:pids:/other\n", &v2, &v1);
        assert_eq!(found, [1000, 2000]);
        assert!(limits("", &v2, &v1).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_smaller_than_its_memory() {
        let (resident, memory) = (resident().unwrap(), memory().unwrap());
        assert!(resident > 1 << 20 && resident < memory, "{resident} of {memory}");
    }
}
