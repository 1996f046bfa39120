//! The processes of a command: itself, and everything that it or they start, whatever becomes of the parents. Followed in
//! the kernel from before the first instruction, so that a process is known however short it lives.

use std::time::Duration;

use aya::maps::{HashMap, MapData, MapError, PerCpuArray};
use resetmon_common::layout::{MAP_TREE, MAP_TREE_LOST, tree_key};

use super::error::KernelError;

/// The processes that are followed.
pub struct ProcessTree {
    members: HashMap<MapData, u64, u8>,
    lost: PerCpuArray<MapData, u64>,
}

impl ProcessTree {
    pub(super) fn new(members: HashMap<MapData, u64, u8>, lost: PerCpuArray<MapData, u64>) -> Self {
        Self { members, lost }
    }

    /// Follows a process, which is told by its id and its start since boot, from now on.
    pub fn follow(&mut self, pid: u32, started: Duration) -> Result<(), KernelError> {
        let followed = self.members.insert(key(pid, started), 1, 0);
        followed.map_err(|source| KernelError::Map { name: MAP_TREE, source })
    }

    /// Whether a process is one of them, also if it has ended.
    pub fn has(&self, pid: u32, started: Duration) -> Result<bool, KernelError> {
        match self.members.get(&key(pid, started), 0) {
            Ok(_) => Ok(true),
            Err(MapError::KeyNotFound) => Ok(false),
            Err(source) => Err(KernelError::Map { name: MAP_TREE, source }),
        }
    }

    /// How many processes found no room, so that neither they nor what they started is followed.
    pub fn lost(&self) -> Result<u64, KernelError> {
        let counts =
            self.lost.get(&0, 0).map_err(|source| KernelError::Map { name: MAP_TREE_LOST, source })?;
        Ok(counts.iter().sum())
    }
}

fn key(pid: u32, started: Duration) -> u64 {
    tree_key(pid, u64::try_from(started.as_nanos()).unwrap_or(u64::MAX))
}
