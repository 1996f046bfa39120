//! The steps of a long command: each is announced, timed and named when it fails.
//!
//! Deliberately lacks a way to go on after a failure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process::say;

/// The steps done so far, in order.
#[derive(Debug)]
pub(crate) struct Steps {
    start: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), done: Vec::new() }
    }

    /// Does one step; an error carries its name.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        say(&format!("== {name}"));
        let start = Instant::now();
        work().with_context(|| format!("step failed: {name}"))?;
        let took = start.elapsed();
        say(&format!("   {name}: ok, {:.1} s", took.as_secs_f64()));
        self.done.push((name, took));
        Ok(())
    }

    /// Says all steps and their times again, where they can be seen at once.
    pub(crate) fn summarise(&self) {
        say("all steps passed");
        for (name, took) in &self.done {
            say(&format!("{:7.1} s  {name}", took.as_secs_f64()));
        }
        say(&format!("{:7.1} s  in total", self.start.elapsed().as_secs_f64()));
    }
}
