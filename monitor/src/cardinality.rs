//! Keeps label values within a limit: who comes first gets a slot, who comes later is counted together with the others,
//! and a slot that nobody uses becomes free. What a slot had counted is never counted elsewhere: that would be a jump.
//! Pure; the time comes in.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    time::Duration,
};

/// Label value of everything without a slot of its own.
pub const OTHER: &str = "other";

/// Values by key, for a limited number of keys. Times are since any moment, and do not go back.
#[derive(Clone, Debug)]
pub struct Slots<K, V> {
    limit: usize,
    /// How long a slot is kept for a key that does not come.
    patience: Duration,
    taken: HashMap<K, Slot<V>>,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    value: V,
    used: Duration,
}

impl<K: Eq + Hash, V: Default> Slots<K, V> {
    /// No slot is taken.
    pub fn new(limit: usize, patience: Duration) -> Self {
        Self { limit, patience, taken: HashMap::new() }
    }

    /// The value of a key, which has been used now; `None` when it has no slot, and there is none for it.
    pub fn admit(&mut self, key: K, now: Duration) -> Option<&mut V> {
        if self.taken.len() >= self.limit && !self.taken.contains_key(&key) {
            self.free_idle(now);
        }
        let has_room = self.taken.len() < self.limit;
        let slot = match self.taken.entry(key) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(place) if has_room => place.insert(Slot { value: V::default(), used: now }),
            Entry::Vacant(_) => return None,
        };
        slot.used = slot.used.max(now);
        Some(&mut slot.value)
    }

    /// Frees the slots that have not been used for long.
    pub fn free_idle(&mut self, now: Duration) {
        self.taken.retain(|_, slot| now.saturating_sub(slot.used) < self.patience);
    }

    /// The taken slots, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.taken.iter().map(|(key, slot)| (key, &slot.value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn who_comes_first_stays() {
        let mut slots = Slots::<_, u64>::new(2, PATIENCE);
        let at = Duration::from_secs;
        for (key, time, expected) in [
            ("a", 0, Some(1)),
            ("b", 5, Some(1)),
            ("c", 6, None),
            ("a", 9, Some(2)),
            ("c", 14, None),
            // The second has not come for as long as is waited.
            ("c", 15, Some(1)),
            ("b", 15, None),
            ("a", 16, Some(3)),
            ("a", 40, Some(4)),
            // A value that was freed does not come back.
            ("b", 41, Some(1)),
        ] {
            let count = slots.admit(key, at(time)).map(|count| {
                *count += 1;
                *count
            });
            assert_eq!(count, expected, "{key} at {time}");
        }
    }

    #[test]
    fn idle_slots_are_freed_when_asked_for() {
        let mut slots = Slots::<_, u64>::new(2, PATIENCE);
        slots.admit("a", Duration::ZERO);
        slots.free_idle(Duration::from_millis(9_999));
        assert_eq!(slots.iter().count(), 1);
        slots.free_idle(PATIENCE);
        assert_eq!(slots.iter().count(), 0);
    }

    #[test]
    fn without_room_nobody_is_admitted() {
        assert_eq!(Slots::<_, u64>::new(0, PATIENCE).admit("a", Duration::ZERO), None);
    }

    fn snapshot(slots: &Slots<u8, u64>) -> HashMap<u8, u64> {
        slots.iter().map(|(key, value)| (*key, *value)).collect()
    }

    proptest! {
        /// Whatever comes when: no more series than slots, every event counted once, no series goes back.
        #[test]
        fn laws(limit in 0..5_usize, events in vec((0..9_u8, 0..6_u64, 0..4_u64), 0..200)) {
            let mut slots = Slots::<u8, u64>::new(limit, PATIENCE);
            let mut now = Duration::ZERO;
            let (mut other, mut gone, mut total) = (0, 0, 0);
            for (key, pause, count) in events {
                now += Duration::from_secs(pause);
                let before = snapshot(&slots);
                slots.free_idle(now);
                let kept = snapshot(&slots);
                gone += before.iter().filter(|(key, _)| !kept.contains_key(key)).map(|(_, value)| value).sum::<u64>();
                match slots.admit(key, now) {
                    Some(value) => *value += count,
                    None => other += count,
                }
                total += count;
                let after = snapshot(&slots);
                prop_assert!(after.len() <= limit);
                prop_assert!(kept.iter().all(|(key, value)| after.get(key).is_some_and(|now| now >= value)));
                prop_assert_eq!(after.values().sum::<u64>() + gone + other, total);
            }
        }
    }
}
