//! Windows.

mod errors;
mod messages;
mod queue;
mod signal;

use std::io;
use std::os::windows::io::{AsRawSocket, BorrowedSocket};
use std::sync::OnceLock;

use socket2::Socket;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Networking::WinSock::{POLLWRNORM, SOCKET, WSAPOLLFD, WSAPoll};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::core::s;

pub use errors::*;
pub use messages::*;
pub use queue::Queue;
pub use signal::Signal;

pub type RawSocket = std::os::windows::io::RawSocket;

/// Something that becomes readable.
#[derive(Clone, Copy)]
pub enum Waitable<'a> {
    Socket(&'a Socket),
    /// An event, which waiting for it resets.
    Event(HANDLE),
}

/// The caller keeps its own. An error for what is not open.
pub fn duplicate_socket(raw: RawSocket) -> io::Result<Socket> {
    // SAFETY: only used to duplicate it, which fails for one that is not open.
    unsafe { BorrowedSocket::borrow_raw(raw) }.try_clone_to_owned().map(Socket::from)
}

pub fn socket_waitable(socket: &Socket) -> Waitable<'_> {
    Waitable::Socket(socket)
}

/// Wait for room in the socket's buffer; false when there is none in so many milliseconds.
pub fn has_room(socket: &Socket, patience: i32) -> bool {
    let mut set = WSAPOLLFD { fd: socket.as_raw_socket() as SOCKET, events: POLLWRNORM, revents: 0 };
    // SAFETY: one descriptor, which lives during the call.
    unsafe { WSAPoll(&mut set, 1, patience) > 0 }
}

/// Nanoseconds since the start, the time asleep included; never steps. The same clock as `windows/clock.py`.
pub fn now() -> u64 {
    type Query = unsafe extern "system" fn(*mut u64);
    static QUERY: OnceLock<Option<Query>> = OnceLock::new();
    // SAFETY: the names are terminated strings; the function, where it exists, has this signature.
    let query = QUERY.get_or_init(|| unsafe {
        let function = GetProcAddress(GetModuleHandleA(s!("kernelbase.dll")), s!("QueryInterruptTime"))?;
        Some(std::mem::transmute::<unsafe extern "system" fn() -> isize, Query>(function))
    });
    let Some(query) = query else {
        // SAFETY: no arguments.
        return unsafe { GetTickCount64() } * 1_000_000; // coarser (wine 8)
    };
    let mut units = 0;
    // SAFETY: writes one number.
    unsafe { query(&mut units) };
    units * 100
}

/// There are none.
pub fn block_signals() {}
