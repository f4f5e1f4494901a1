//! A thread that moves packets until it is told to stop.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::events::Event;
use crate::heart::Heart;
use crate::io::system::{self, Signal};

pub struct Worker {
    stop: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
    /// The process that has the thread.
    process: u32,
}

impl Worker {
    /// Run `work` until its signal is raised. A panic is reported as an event and ends the thread alone.
    pub fn spawn(name: String, heart: Arc<Heart>, work: impl FnOnce(&Signal) + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(Signal::new()?);
        let signal = stop.clone();
        let thread = Builder::new().name(name.clone()).spawn(move || {
            system::block_signals();
            // Nothing that a panic may have left half done is used afterwards: the device ends.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&signal))) {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
                heart.events.push(Event::EngineFailed { reason: format!("{name} panicked: {text}") });
            }
        })?;
        Ok(Worker { stop, thread: Some(thread), process: std::process::id() })
    }
}

/// Stops the thread and waits for its end. In a forked child there is no thread, and the signal is the parent's.
impl Drop for Worker {
    fn drop(&mut self) {
        let thread = self.thread.take();
        if self.process == std::process::id() {
            self.stop.raise();
            let _ = thread.map(JoinHandle::join); // a panic was caught within
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::Timing;

    #[test]
    fn a_panic_is_an_event_and_stopping_still_works() {
        let heart = Arc::new(Heart::new(Timing::default(), Box::new(|| {})));
        let worker = Worker::spawn("test".into(), heart.clone(), |_| panic!("for {}", "a test")).unwrap();
        drop(worker);
        let reason = "test panicked: for a test".into();
        assert_eq!(heart.events.poll(), Some(Event::EngineFailed { reason }));
    }
}
