//! A socket that becomes readable when something is signalled, for event loops and threads alike.
//!
//! It is bound to the loopback address and connected to itself: nobody else's datagrams reach it.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::windows::io::AsRawSocket;

use socket2::{Domain, Socket, Type};
use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::Networking::WinSock::{
    FD_READ, POLLRDNORM, SOCKET, WSACloseEvent, WSACreateEvent, WSAEventSelect, WSAPOLLFD, WSAPoll,
};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForMultipleObjects};

use crate::io::system::{RawSocket, Waitable};

pub struct Signal {
    socket: Socket,
    /// Signalled when the socket becomes readable, for waiting beside other events.
    event: HANDLE,
}

// SAFETY: both are handles, which any thread may use.
unsafe impl Send for Signal {}
// SAFETY: as above.
unsafe impl Sync for Signal {}

impl Signal {
    pub fn new() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.connect(&socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        // SAFETY: no arguments.
        let event = unsafe { WSACreateEvent() };
        let signal = Signal { socket, event: event as HANDLE };
        // SAFETY: socket and event are ours and open.
        if unsafe { WSAEventSelect(signal.raw() as SOCKET, event, FD_READ as i32) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(signal)
    }

    /// Make it readable. Full means that it is already.
    pub fn raise(&self) {
        let _ = self.socket.send(&[1]);
    }

    /// Make it unreadable again.
    pub fn clear(&self) {
        let mut buffer = [MaybeUninit::uninit(); 8];
        while self.socket.recv(&mut buffer).is_ok() {}
    }

    /// Wait until something is readable. False when the signal came first, or when so many milliseconds are over.
    pub fn wait_for(&self, readable: Waitable<'_>, timeout: Option<u16>) -> bool {
        match readable {
            Waitable::Socket(socket) => {
                let readable = self.poll(&[socket.as_raw_socket()], timeout.map_or(-1, i32::from));
                readable == [false, true]
            }
            Waitable::Event(event) => {
                let handles = [self.event, event];
                let milliseconds = timeout.map_or(INFINITE, u32::from);
                // SAFETY: both handles are open, and as many as is said.
                let first = unsafe { WaitForMultipleObjects(2, handles.as_ptr(), 0, milliseconds) };
                first == WAIT_OBJECT_0 + 1
            }
        }
    }

    /// Wait for some milliseconds. False when the signal came first.
    pub fn pause(&self, milliseconds: u16) -> bool {
        self.poll(&[], milliseconds.into()) == [false]
    }

    pub fn is_raised(&self) -> bool {
        self.poll(&[], 0) == [true]
    }

    /// For an event loop: it becomes readable.
    pub fn raw(&self) -> RawSocket {
        self.socket.as_raw_socket()
    }

    /// Which are readable: the signal, and these.
    fn poll(&self, others: &[RawSocket], milliseconds: i32) -> Vec<bool> {
        let mut set: Vec<WSAPOLLFD> = std::iter::once(&self.raw())
            .chain(others)
            .map(|raw| WSAPOLLFD { fd: *raw as SOCKET, events: POLLRDNORM, revents: 0 })
            .collect();
        // SAFETY: the vector lives during the call and its length is given.
        unsafe { WSAPoll(set.as_mut_ptr(), set.len() as u32, milliseconds) };
        set.iter().map(|each| each.revents != 0).collect()
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and nobody waits for it any more.
        unsafe { WSACloseEvent(self.event as isize) };
    }
}
