//! The sliding window that accepts each counter of a session once (RFC 6479, reference 4.4).

use crate::constants::{REJECT_AFTER_MESSAGES, REPLAY_WINDOW};

/// A ring: the word being filled, and the window behind it.
const WORDS: usize = REPLAY_WINDOW as usize / 64 + 1;

/// Remembers which of the last 8128 counters were seen.
pub struct ReplayWindow {
    highest: u64,
    ring: [u64; WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        ReplayWindow { highest: 0, ring: [0; WORDS] }
    }
}

impl ReplayWindow {
    /// Whether the counter is new; it is seen from now on. Ask only for authenticated packets.
    pub fn accept(&mut self, counter: u64) -> bool {
        if counter >= REJECT_AFTER_MESSAGES {
            return false;
        }
        let word = counter >> 6;
        if counter > self.highest {
            // Words are cleared when the window enters them, at most once around the ring.
            let first = (self.highest >> 6) + 1;
            for entered in first..=word.min(first + WORDS as u64 - 1) {
                self.ring[(entered % WORDS as u64) as usize] = 0;
            }
            self.highest = counter;
        } else if self.highest - counter > REPLAY_WINDOW {
            return false;
        }
        let bit = 1 << (counter & 63);
        let slot = &mut self.ring[(word % WORDS as u64) as usize];
        let is_new = *slot & bit == 0;
        *slot |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_is_accepted_once() {
        let mut window = ReplayWindow::default();
        for counter in [0, 1, 3, 2, 9000, 9000 - REPLAY_WINDOW] {
            assert!(window.accept(counter), "{counter}");
            assert!(!window.accept(counter), "{counter}");
        }
        assert!(!window.accept(9000 - REPLAY_WINDOW - 1));
        assert!(window.accept(1 << 40));
        assert!(!window.accept(9001));
        assert!(window.accept((1 << 40) - REPLAY_WINDOW));
        assert!(window.accept(REJECT_AFTER_MESSAGES - 1));
        assert!(!window.accept(REJECT_AFTER_MESSAGES));
    }

    #[test]
    fn agrees_with_a_set() {
        use std::collections::HashSet;
        let (mut window, mut seen, mut highest) = (ReplayWindow::default(), HashSet::new(), 0u64);
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let counter = (highest + 300).saturating_sub((state >> 33) % 10_000);
            let expected = counter + REPLAY_WINDOW >= highest && seen.insert(counter);
            assert_eq!(window.accept(counter), expected);
            highest = highest.max(counter);
        }
    }
}
