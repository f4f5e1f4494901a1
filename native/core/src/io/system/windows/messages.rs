//! Messages with WSARecvMsg and WSASendMsg, and their control messages. Source: mswsock.h, ws2ipdef.h.

use std::io;
use std::mem::{replace, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::windows::io::AsRawSocket;
use std::ptr::null_mut;
use std::sync::OnceLock;

use socket2::{SockAddr, SockAddrStorage, Socket};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::core::GUID;

use crate::io::ancillary::Ancillary;
use crate::io::receive::{Inbox, MESSAGE_SIZE, MESSAGES};
use crate::io::system::Role;
use crate::path::Source;

pub const IPPROTO_IPV6: i32 = ws::IPPROTO_IPV6;
pub const IPV6_PKTINFO: i32 = ws::IPV6_PKTINFO;
const IP_ECN: i32 = 50;
const IPV6_ECN: i32 = 50;
const UDP_SEND_MSG_SIZE: i32 = 2;
const UDP_COALESCED_INFO: i32 = 3;
const ECN: u8 = 3;

pub const fn role(level: i32, kind: i32) -> Role {
    match (level, kind) {
        (ws::IPPROTO_UDP, UDP_COALESCED_INFO) => Role::Segment,
        (ws::IPPROTO_IP, ws::IP_PKTINFO) | (ws::IPPROTO_IPV6, ws::IPV6_PKTINFO) => Role::Local,
        (ws::IPPROTO_IP, IP_ECN) | (ws::IPPROTO_IPV6, IPV6_ECN) => Role::Class,
        _ => Role::Other,
    }
}

/// From an IN_PKTINFO: local address, interface.
pub fn local_v4(value: &[u8]) -> Option<Source> {
    let local: [u8; 4] = *value.first_chunk()?;
    let interface = u32::from_ne_bytes(value.get(4..8)?.try_into().ok()?);
    Some(Source { local: IpAddr::from(local), interface })
}

pub fn push_source_v4(ancillary: &mut Ancillary, local: Ipv4Addr) {
    let mut information = [0; 8];
    information[..4].copy_from_slice(&local.octets());
    ancillary.push(ws::IPPROTO_IP, ws::IP_PKTINFO, information);
}

/// Of the traffic class only the congestion marks can be said.
pub fn push_class(ancillary: &mut Ancillary, is_ipv6: bool, class: u8) {
    let marks = u32::from(class & ECN);
    match (marks, is_ipv6) {
        (0, _) => {}
        (_, true) => ancillary.push(ws::IPPROTO_IPV6, IPV6_ECN, marks),
        (_, false) => ancillary.push(ws::IPPROTO_IP, IP_ECN, marks),
    }
}

/// Have the system cut the bytes into datagrams of this size.
pub fn push_train(ancillary: &mut Ancillary, segment: usize) {
    ancillary.push(ws::IPPROTO_UDP, UDP_SEND_MSG_SIZE, segment as u32);
}

pub fn path_mtu(_: &Socket, _: &SocketAddr) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into()) // the system does not tell
}

/// One call.
pub fn send_message(socket: &Socket, address: &SockAddr, bytes: &[u8], ancillary: &mut Ancillary) -> io::Result<()> {
    let mut buffer = ws::WSABUF { len: bytes.len() as u32, buf: bytes.as_ptr().cast_mut() };
    let control = ws::WSABUF { len: ancillary.size() as u32, buf: ancillary.as_mut_ptr().cast() };
    let message = ws::WSAMSG {
        name: address.as_ptr() as *mut _,
        namelen: address.len(),
        lpBuffers: &mut buffer,
        dwBufferCount: 1,
        Control: if control.len > 0 { control } else { ws::WSABUF { len: 0, buf: null_mut() } },
        dwFlags: 0,
    };
    let mut sent = 0;
    // SAFETY: all that the message points to lives until the call returns, for the socket is not overlapped here.
    let failed =
        unsafe { ws::WSASendMsg(socket.as_raw_socket() as ws::SOCKET, &message, 0, &mut sent, null_mut(), None) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Inbox {
    /// Take in what waits, as far as there is room. An error of the kind WouldBlock says that nothing waits.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<()> {
        self.received.clear();
        for number in 0..MESSAGES {
            match self.receive_one(socket, number) {
                Ok(()) => {}
                Err(error) if self.received.is_empty() => return Err(error),
                Err(_) => break, // it is told again
            }
        }
        Ok(())
    }

    fn receive_one(&mut self, socket: &Socket, number: usize) -> io::Result<()> {
        let start = number * MESSAGE_SIZE;
        let mut buffer = ws::WSABUF { len: MESSAGE_SIZE as u32, buf: self.buffer[start..].as_mut_ptr() };
        let mut message = ws::WSAMSG {
            name: (&raw mut self.names[number]).cast(),
            namelen: size_of::<SockAddrStorage>() as i32,
            lpBuffers: &mut buffer,
            dwBufferCount: 1,
            Control: ws::WSABUF { len: Ancillary::CAPACITY as u32, buf: self.ancillary[number].as_mut_ptr().cast() },
            dwFlags: 0,
        };
        let mut size = 0;
        let receive = receive_function(socket)?;
        // SAFETY: all that the message points to is exclusively ours until the call returns.
        let failed =
            unsafe { receive(socket.as_raw_socket() as ws::SOCKET, &mut message, &mut size, null_mut(), None) };
        if failed != 0 {
            let error = io::Error::last_os_error();
            // About an earlier datagram that we sent, not about this socket.
            let is_late = matches!(error.raw_os_error(), Some(ws::WSAECONNRESET | ws::WSAENETRESET));
            return Err(if is_late { io::ErrorKind::Interrupted.into() } else { error });
        }
        self.ancillary[number].set_size(message.Control.len as usize);
        let name = replace(&mut self.names[number], SockAddrStorage::zeroed());
        // SAFETY: the system wrote an address of this length.
        let name = unsafe { SockAddr::new(name, message.namelen) };
        if let Some(address) = name.as_socket() {
            self.push(start..start + size as usize, address, number);
        }
        Ok(())
    }
}

type Receive = unsafe extern "system" fn(
    ws::SOCKET,
    *mut ws::WSAMSG,
    *mut u32,
    *mut windows_sys::Win32::System::IO::OVERLAPPED,
    ws::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32;

/// It has to be asked for; the same for all UDP sockets.
fn receive_function(socket: &Socket) -> io::Result<Receive> {
    static FUNCTION: OnceLock<Receive> = OnceLock::new();
    static WANTED: GUID = ws::WSAID_WSARECVMSG;
    if let Some(function) = FUNCTION.get() {
        return Ok(*function);
    }
    // SAFETY: a function pointer of zeros is None.
    let mut found: Option<Receive> = unsafe { zeroed() };
    let mut size = 0;
    // SAFETY: both buffers have the sizes that are said, and live during the call.
    let failed = unsafe {
        ws::WSAIoctl(
            socket.as_raw_socket() as ws::SOCKET,
            ws::SIO_GET_EXTENSION_FUNCTION_POINTER,
            (&raw const WANTED).cast(),
            size_of::<GUID>() as u32,
            (&raw mut found).cast(),
            size_of::<Option<Receive>>() as u32,
            &mut size,
            null_mut(),
            None,
        )
    };
    match found {
        Some(function) if failed == 0 => Ok(*FUNCTION.get_or_init(|| function)),
        _ => Err(io::Error::last_os_error()),
    }
}
