//! What was read of processes, and when: it serves every event that happened before, so that the events of a burst cost
//! one reading together.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

/// Facts of one kind, by process.
pub(super) struct Memory<T> {
    known: HashMap<u32, Known<T>>,
    weight: usize,
    most: usize,
}

struct Known<T> {
    at: Timestamp,
    fact: Arc<T>,
    weight: usize,
}

impl<T> Memory<T> {
    /// Remembers facts that together weigh so much at most.
    pub(super) fn new(most: usize) -> Self {
        Self { known: HashMap::new(), weight: 0, most }
    }

    /// What was read at that time or later.
    pub(super) fn get(&self, pid: u32, since: Timestamp) -> Option<Arc<T>> {
        let known = self.known.get(&pid).filter(|known| known.at >= since)?;
        Some(Arc::clone(&known.fact))
    }

    /// Remembers what was read at `at`. Where there is no room, what is of no use for events `since` then is forgotten,
    /// else all.
    pub(super) fn put(
        &mut self,
        pid: u32,
        at: Timestamp,
        since: Timestamp,
        fact: T,
        weight: usize,
    ) -> Arc<T> {
        if let Some(known) = self.known.remove(&pid) {
            self.weight -= known.weight;
        }
        if self.weight + weight > self.most {
            self.known.retain(|_, known| known.at >= since);
            self.weight = self.known.values().map(|known| known.weight).sum();
        }
        if self.weight + weight > self.most {
            self.known.clear();
            self.weight = 0;
        }
        let fact = Arc::new(fact);
        self.known.insert(pid, Known { at, fact: Arc::clone(&fact), weight });
        self.weight += weight;
        fact
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Memory;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn what_was_read_before_does_not_count() {
        let mut memory = Memory::new(10);
        memory.put(1, at(5), at(5), "fact", 1);
        assert_eq!(memory.get(1, at(5)).as_deref(), Some(&"fact"));
        assert_eq!(memory.get(1, at(4)).as_deref(), Some(&"fact"));
        assert_eq!(memory.get(1, at(6)), None);
        assert_eq!(memory.get(2, at(5)), None);
        memory.put(1, at(6), at(6), "later", 1);
        assert_eq!(memory.get(1, at(6)).as_deref(), Some(&"later"));
    }

    #[test]
    fn what_is_of_use_is_forgotten_last() {
        let mut memory = Memory::new(10);
        memory.put(1, at(1), at(1), (), 4);
        memory.put(2, at(3), at(3), (), 4);
        memory.put(3, at(3), at(3), (), 4);
        let known = |memory: &Memory<()>| [1, 2, 3, 4].map(|pid| memory.get(pid, at(0)).is_some());
        assert_eq!(known(&memory), [false, true, true, false]);
        memory.put(4, at(3), at(3), (), 4);
        assert_eq!(known(&memory), [false, false, false, true]);
    }

    proptest::proptest! {
        #[test]
        fn it_is_bounded(puts in proptest::collection::vec((0_u32..9, 0_i64..9, 1_usize..9), 0..99)) {
            let mut memory = Memory::new(16);
            for (pid, second, weight) in puts {
                memory.put(pid, at(second), at(second), (), weight);
                let weights: usize = memory.known.values().map(|known| known.weight).sum();
                proptest::prop_assert!(weights == memory.weight && weights <= 16);
                proptest::prop_assert!(memory.get(pid, at(second)).is_some());
            }
        }
    }
}
