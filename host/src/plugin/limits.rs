//! What one instance may take: memory, tables, parts.

use wasmtime::ResourceLimiter;

/// Table entries of one instance, over all its tables. A large plugin has some thousand functions.
const TABLE_ENTRIES_MAX: usize = 1 << 17;
/// Core modules, tables and memories of one component. Those of interpreted languages are linked from dozens.
const PARTS_MAX: usize = 128;

/// Watches what an instance takes, and remembers what it was refused.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_max: usize,
    memory: usize,
    table_entries: usize,
    refused: bool,
}

impl Limiter {
    /// Allows linear memory of so many bytes, over all memories of the instance.
    pub fn new(memory_max: usize) -> Limiter {
        Limiter { memory_max, memory: 0, table_entries: 0, refused: false }
    }

    /// Bytes of linear memory that may be had.
    pub fn memory_max(&self) -> usize {
        self.memory_max
    }

    /// Bytes of linear memory that the instance has.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Whether more memory was asked for than is allowed, since the last time that this was asked.
    pub fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let memory = self.memory.saturating_add(desired.saturating_sub(current));
        if memory > self.memory_max {
            // A refusal, not a trap: a guest may be able to do with less. One that is not will trap by itself.
            self.refused = true;
            return Ok(false);
        }
        self.memory = memory;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let entries = self.table_entries.saturating_add(desired.saturating_sub(current));
        if entries > TABLE_ENTRIES_MAX {
            return Ok(false);
        }
        self.table_entries = entries;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_on_all_memories_together() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.take_refused() && !limiter.take_refused());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.memory(), 100);
    }
}
