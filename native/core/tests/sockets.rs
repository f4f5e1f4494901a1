//! Sockets over loopback, for what systems do differently. Runs on Linux and, under wine too, on Windows.
#![cfg(any(target_os = "linux", windows))]

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::Socket;
use wgtun_core::io::{Inbox, RawSocket, Signal, Sockets};
use wgtun_core::path::{Path, Source};

#[cfg(windows)]
const OPTIONS: &[(i32, i32)] = &[(0, 19)]; // IP_PKTINFO
#[cfg(target_os = "linux")]
const OPTIONS: &[(i32, i32)] = &[(libc::IPPROTO_IP, libc::IP_PKTINFO), (libc::IPPROTO_IP, libc::IP_RECVTOS)];

fn open() -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    for (level, option) in OPTIONS {
        set_option(&socket, *level, *option).unwrap();
    }
    socket
}

#[cfg(windows)]
fn set_option(socket: &UdpSocket, level: i32, option: i32) -> io::Result<()> {
    use std::os::windows::io::AsRawSocket;

    use windows_sys::Win32::Networking::WinSock::{SOCKET, setsockopt};
    let value = 1i32.to_ne_bytes();
    // SAFETY: an int of its size.
    let failed = unsafe { setsockopt(socket.as_raw_socket() as SOCKET, level, option, value.as_ptr(), 4) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(target_os = "linux")]
fn set_option(socket: &UdpSocket, level: i32, option: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let value = 1i32.to_ne_bytes();
    // SAFETY: an int of its size.
    let failed = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), 4) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(windows)]
fn raw(socket: &UdpSocket) -> RawSocket {
    std::os::windows::io::AsRawSocket::as_raw_socket(socket)
}

#[cfg(target_os = "linux")]
fn raw(socket: &UdpSocket) -> RawSocket {
    std::os::fd::AsRawFd::as_raw_fd(socket)
}

fn path(text: &str) -> Path {
    Path { address: text.parse().unwrap(), source: None }
}

/// All datagrams that come soon: from where, to where, marked how, and how long.
fn receive(socket: &UdpSocket, count: usize) -> Vec<(IpAddr, Option<IpAddr>, u8, usize)> {
    let (mut inbox, mut received) = (Inbox::default(), Vec::new());
    let socket = Socket::from(socket.try_clone().unwrap());
    let give_up = Instant::now() + Duration::from_secs(5);
    while received.len() < count && Instant::now() < give_up {
        match inbox.receive(&socket) {
            Ok(()) => received.extend(inbox.received.iter().map(|each| {
                let source = each.path.source.map(|source| source.local);
                (each.path.address.ip(), source, each.traffic_class, each.at.len())
            })),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    received
}

#[cfg(target_os = "linux")] // wine ignores the source
#[test]
fn datagrams_leave_from_the_address_that_they_answer_for() {
    let (near, far) = (open(), open());
    let sockets = Sockets::new(&[raw(&near)], false).unwrap();
    let mut way = path(&format!("127.0.0.1:{}", far.local_addr().unwrap().port()));
    let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
    way.source = Some(Source { local, interface: 1 });
    let outcome = sockets.send(&way, 0, &[7; 250], 100, true);
    assert_eq!(outcome.refused, 0);
    let to = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    assert_eq!(receive(&far, 3), [(local, to, 0, 100), (local, to, 0, 100), (local, to, 0, 50)]);
}

#[test]
fn an_address_that_is_not_ours_is_given_up() {
    let (near, far) = (open(), open());
    let sockets = Sockets::new(&[raw(&near)], false).unwrap();
    let mut way = path(&format!("127.0.0.1:{}", far.local_addr().unwrap().port()));
    way.source = Some(Source { local: [192, 0, 2, 1].into(), interface: 0 });
    assert_eq!(sockets.send(&way, 0, &[7; 200], 100, true).refused, 0);
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    assert_eq!(receive(&far, 2), [(localhost, Some(localhost), 0, 100); 2]);
}

#[test]
fn congestion_marks_arrive_where_the_system_carries_them() {
    let (near, far) = (open(), open());
    let sockets = Sockets::new(&[raw(&near)], false).unwrap();
    let way = path(&format!("127.0.0.1:{}", far.local_addr().unwrap().port()));
    assert_eq!(sockets.send(&way, 1, &[7; 100], 100, true).refused, 0);
    let received = receive(&far, 1);
    assert_eq!((received.len(), received[0].3), (1, 100));
    assert_eq!(received[0].2, u8::from(cfg!(target_os = "linux"))); // wine has none
}

#[test]
fn a_black_hole_takes_everything() {
    let (near, far) = (open(), open());
    let sockets = Sockets::new(&[raw(&near)], false).unwrap();
    let way = path(&format!("127.0.0.1:{}", far.local_addr().unwrap().port()));
    for (v4, v6, size) in [(true, false, 1), (true, true, 2), (false, true, 3), (false, false, 4)] {
        sockets.set_blackhole(v4, v6);
        let datagram = vec![0; size];
        assert_eq!(sockets.send(&way, 0, &datagram, size, true).refused, 0);
    }
    let sizes: Vec<_> = receive(&far, 2).iter().map(|received| received.3).collect();
    assert_eq!(sizes, [3, 4]);
}

#[test]
fn a_port_without_anybody_does_not_end_reception() {
    let near = open();
    let sockets = Sockets::new(&[raw(&near)], false).unwrap();
    let gone = open().local_addr().unwrap().port();
    assert_eq!(sockets.send(&path(&format!("127.0.0.1:{gone}")), 0, &[0; 10], 10, true).refused, 0);
    let port = near.local_addr().unwrap().port();
    sockets.send(&path(&format!("127.0.0.1:{port}")), 0, &[0; 20], 20, true);
    assert_eq!(receive(&near, 1).len(), 1);
}

#[test]
fn a_signal_wakes_until_it_is_cleared() {
    let signal = Signal::new().unwrap();
    assert!(!signal.is_raised() && signal.pause(10));
    for _ in 0..3 {
        for _ in 0..1000 {
            signal.raise();
        }
        assert!(signal.is_raised() && !signal.pause(10_000));
        signal.clear();
        assert!(!signal.is_raised());
    }
}
