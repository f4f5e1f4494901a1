//! How often something may happen: so many times a second on average, with a burst.

const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
pub struct Allowance<const PER_SECOND: u64, const BURST: u64> {
    /// Each time moves this on by the interval.
    paid_until: u64,
}

impl<const PER_SECOND: u64, const BURST: u64> Allowance<PER_SECOND, BURST> {
    const INTERVAL: u64 = SECOND / PER_SECOND;

    /// Whether it may happen once more.
    pub fn take(&mut self, now: u64) -> bool {
        let begin = self.paid_until.max(now.saturating_sub(BURST * Self::INTERVAL));
        if begin > now {
            return false;
        }
        self.paid_until = begin + Self::INTERVAL;
        true
    }
}
