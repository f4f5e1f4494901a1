//! A queue of the TUN, or anything else that keeps packets apart: one packet per read and per write.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use crate::io::system::Waitable;

pub struct Queue(OwnedFd);

impl Queue {
    /// `raw` is in non-blocking mode. It is duplicated.
    pub fn of_descriptor(raw: RawFd) -> io::Result<Self> {
        super::duplicate(raw).map(Queue)
    }

    pub fn waitable(&self) -> Waitable<'_> {
        self.0.as_fd()
    }

    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: writes at most as many bytes as the buffer has.
        let size = unsafe { libc::read(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(size).map_err(|_| io::Error::last_os_error())
    }

    /// One packet, in parts.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        loop {
            // SAFETY: an IoSlice has the form of an iovec; the slices live during the call, which only reads them.
            if unsafe { libc::writev(self.0.as_raw_fd(), parts.as_ptr().cast(), parts.len() as libc::c_int) } >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}
