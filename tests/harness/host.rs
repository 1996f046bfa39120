//! Who may use the host at once: tests of totals and floods want it for themselves, all others share it.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static HOST: RwLock<()> = RwLock::new(());

/// For tests that look at their own network namespace only.
pub fn shared() -> RwLockReadGuard<'static, ()> {
    // A test that failed leaves nothing behind that matters to others.
    HOST.read().unwrap_or_else(PoisonError::into_inner)
}

/// For tests that look at what happens on the whole host.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    HOST.write().unwrap_or_else(PoisonError::into_inner)
}
