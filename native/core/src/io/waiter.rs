//! Waiting for packets: actively for a moment where that has paid lately, else blocked.
//!
//! Waking a blocked thread takes longer than all that we do with a packet. Where packets come one by one
//! and each waits for the other side's answer, a thread that yields and looks again halves the round
//! trip. It costs nothing in silence, for only a wait that was short is followed by an active one.

use std::thread::{available_parallelism, yield_now};
use std::time::{Duration, Instant};

use crate::io::system::{Signal, Waitable};

/// How long to look actively.
const ACTIVE: Duration = Duration::from_micros(50);
/// A wait that was no longer than this makes the next one active.
const SHORT: Duration = Duration::from_micros(100);

pub struct Waiter {
    /// On one processor, whoever is to send needs ours.
    may_be_active: bool,
    is_active: bool,
}

impl Default for Waiter {
    fn default() -> Self {
        Waiter { may_be_active: available_parallelism().is_ok_and(|count| count.get() > 1), is_active: false }
    }
}

impl Waiter {
    /// Wait until there is something to read; false when the signal came first.
    pub fn wait(&mut self, stop: &Signal, readable: Waitable<'_>) -> bool {
        let begin = Instant::now();
        while self.is_active && begin.elapsed() < ACTIVE {
            if stop.wait_for(readable, Some(0)) {
                return true;
            }
            yield_now();
        }
        let is_readable = stop.wait_for(readable, None);
        self.is_active = self.may_be_active && begin.elapsed() < SHORT;
        is_readable
    }
}
