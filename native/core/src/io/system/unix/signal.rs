//! A descriptor that becomes readable when something is signalled: an eventfd, elsewhere a pair of sockets.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::io::system::{RawSocket, Waitable};

pub struct Signal {
    reading: File,
    writing: File,
}

impl Signal {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn new() -> io::Result<Self> {
        use std::os::fd::FromRawFd;
        // SAFETY: takes no pointers; the result is checked.
        let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let reading = File::from(unsafe { OwnedFd::from_raw_fd(raw) });
        Ok(Signal { writing: reading.try_clone()?, reading })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn new() -> io::Result<Self> {
        let (reading, writing) = std::os::unix::net::UnixStream::pair()?;
        for end in [&reading, &writing] {
            end.set_nonblocking(true)?;
        }
        Ok(Signal { reading: File::from(OwnedFd::from(reading)), writing: File::from(OwnedFd::from(writing)) })
    }

    /// Make it readable. Full means that it is already.
    pub fn raise(&self) {
        let _ = (&self.writing).write(&1u64.to_ne_bytes());
    }

    /// Make it unreadable again.
    pub fn clear(&self) {
        let mut buffer = [0; 64];
        while (&self.reading).read(&mut buffer).is_ok_and(|size| size == buffer.len()) {}
    }

    /// Wait until something is readable. False when the signal came first, or when so many milliseconds are over.
    pub fn wait_for(&self, readable: Waitable<'_>, timeout: Option<u16>) -> bool {
        self.wait(readable, libc::POLLIN, timeout)
    }

    fn wait(&self, descriptor: BorrowedFd<'_>, events: i16, timeout: Option<u16>) -> bool {
        let mut set = [
            libc::pollfd { fd: self.reading.as_raw_fd(), events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 },
        ];
        let milliseconds = timeout.map_or(-1, libc::c_int::from);
        // SAFETY: the array lives during the call and its length is given.
        while unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, milliseconds) } < 0 {
            // Only a signal handler interrupts; workers block signals, other callers just wait again.
        }
        set[0].revents == 0 && set[1].revents != 0
    }

    /// Wait for some milliseconds. False when the signal came first.
    pub fn pause(&self, milliseconds: u16) -> bool {
        // Waiting for the signal's own descriptor, with nothing else to happen.
        self.wait(self.reading.as_fd(), 0, Some(milliseconds));
        !self.is_raised()
    }

    /// For an event loop: it becomes readable.
    pub fn raw(&self) -> RawSocket {
        self.reading.as_raw_fd()
    }

    pub fn is_raised(&self) -> bool {
        let mut set = [libc::pollfd { fd: self.reading.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        // SAFETY: as above; it returns at once.
        unsafe { libc::poll(set.as_mut_ptr(), 1, 0) > 0 }
    }
}
