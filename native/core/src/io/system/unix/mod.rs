//! Linux, macOS and the BSDs.

mod errors;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod in_pktinfo;
mod messages;
#[cfg(not(target_os = "linux"))]
mod no_trains;
mod queue;
mod signal;

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod bsd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
use bsd as own;
#[cfg(target_os = "linux")]
use linux as own;
#[cfg(target_os = "macos")]
use macos as own;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use socket2::Socket;

pub use errors::*;
pub use messages::*;
pub use own::{local_v4, path_mtu, push_source_v4, push_train, role};
pub use queue::Queue;
pub use signal::Signal;

pub type RawSocket = RawFd;
/// Something that becomes readable.
pub type Waitable<'a> = BorrowedFd<'a>;

/// The caller keeps its own. An error for what is not open.
pub fn duplicate_socket(raw: RawSocket) -> io::Result<Socket> {
    duplicate(raw).map(Socket::from)
}

fn duplicate(raw: RawFd) -> io::Result<OwnedFd> {
    if raw < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: only used to duplicate it, which fails for one that is not open.
    unsafe { BorrowedFd::borrow_raw(raw) }.try_clone_to_owned()
}

pub fn socket_waitable(socket: &Socket) -> Waitable<'_> {
    socket.as_fd()
}

/// Wait for room in the socket's buffer; false when there is none in so many milliseconds.
pub fn has_room(socket: &Socket, patience: i32) -> bool {
    let mut set = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, which lives during the call.
    unsafe { libc::poll(&mut set, 1, patience) > 0 }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC; // counts sleep on macOS and OpenBSD

/// Nanoseconds of a clock that never steps and, where there is one, counts the time asleep.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives during the call; the clock exists wherever we run.
    unsafe { libc::clock_gettime(CLOCK, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Signals are for the threads of the program that we are part of.
pub fn block_signals() {
    // SAFETY: the set is initialised by sigfillset before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&mut set);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}
