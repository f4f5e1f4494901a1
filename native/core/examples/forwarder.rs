//! The engine's way of moving packets without WireGuard: no sealing, no peers, no checks. What it carries
//! is the limit for an engine built like ours; `python -m benchmarks` shows it as "no-crypto".
//!
//!     forwarder INTERFACE LISTEN_PORT PEER_ADDRESS PEER_PORT
//!
//! Never use it for anything else.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::net::UdpSocket;
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::fs::OpenOptionsExt;
    use std::sync::Arc;

    use arc_swap::ArcSwapOption;
    use socket2::Socket;
    use wgtun_core::constants::{TAG_SIZE, TRANSPORT_HEADER_SIZE, TRANSPORT_OVERHEAD, Timing};
    use wgtun_core::heart::{Heart, Outgoing};
    use wgtun_core::io::{Format, Inbox, Outbox, Queue, Signal, Sockets, Train, Tunnel, Waiter};
    use wgtun_core::offload::split::Segments;
    use wgtun_core::offload::virtio::VirtioHeader;
    use wgtun_core::path::Path;

    pub fn main() -> io::Result<()> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [interface, port, peer, peer_port] = &words[..] else {
            eprintln!("usage: forwarder INTERFACE LISTEN_PORT PEER_ADDRESS PEER_PORT");
            std::process::exit(2);
        };
        let tun = open_tun(interface)?;
        let socket = UdpSocket::bind(format!("0.0.0.0:{port}"))?;
        socket.set_nonblocking(true)?;
        set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        for option in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
            set_option(&socket, libc::SOL_SOCKET, option, 7 << 20)?;
        }
        let tunnel = Arc::new(Tunnel::new(
            vec![Queue::of_descriptor(tun.as_raw_fd())?],
            Format::Virtio { tso: true, uso: true },
        ));
        let sockets = Arc::new(ArcSwapOption::from_pointee(Sockets::new(&[socket.as_raw_fd()], true)?));
        let heart = Arc::new(Heart::new(Timing::default(), Box::new(|| {})));
        let path = Path { address: format!("{peer}:{peer_port}").parse().expect("an address"), source: None };
        let never = Arc::new(Signal::new()?);
        let (out_tunnel, out_heart, out_never) = (tunnel.clone(), heart.clone(), never.clone());
        std::thread::spawn(move || {
            outbound(&out_never, &out_tunnel, Train::new(out_heart, sockets, true), &path);
        });
        inbound(&never, &tunnel, &socket.into(), &heart);
        Ok(())
    }

    fn outbound(never: &Signal, tunnel: &Tunnel, mut train: Train, path: &Path) {
        let (mut buffer, mut waiter, queue) = (vec![0; 65_545], Waiter::default(), tunnel.queue(0));
        while waiter.wait(never, queue.waitable()) {
            while let Ok(size) = queue.read(&mut buffer) {
                let Some((header, packet)) = buffer[..size].split_first_chunk_mut() else { continue };
                let Ok(segments) = Segments::parse(&VirtioHeader::from_bytes(header), packet) else { continue };
                for number in 0..segments.count() {
                    let size = segments.size(number);
                    let datagram = train.place(path, 0, TRANSPORT_OVERHEAD + size);
                    segments.write(number, &mut datagram[TRANSPORT_HEADER_SIZE..TRANSPORT_HEADER_SIZE + size]);
                }
            }
            train.flush();
        }
    }

    fn inbound(never: &Signal, tunnel: &Tunnel, socket: &Socket, heart: &Heart) {
        let (mut inbox, mut outbox, mut packets) = (Inbox::default(), Outbox::default(), Vec::new());
        let mut waiter = Waiter::default();
        while waiter.wait(never, socket.as_fd()) {
            while inbox.receive(socket).is_ok() {
                for train in &inbox.received {
                    for start in train.at.clone().step_by(train.segment.max(1)) {
                        let end = train.at.end.min(start + train.segment);
                        if end - start > TRANSPORT_OVERHEAD + 20 {
                            packets.push(start + TRANSPORT_HEADER_SIZE..end - TAG_SIZE);
                        }
                    }
                }
                tunnel.write(&mut inbox.buffer, &packets, &mut outbox, &heart.drops);
                packets.clear();
            }
        }
    }

    fn open_tun(name: &str) -> io::Result<File> {
        const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
        const TUNSETOFFLOAD: libc::c_ulong = 0x4004_54d0;
        const CSUM_TSO_USO: libc::c_ulong = 0x01 | 0x02 | 0x04 | 0x20 | 0x40;
        let tun = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        let mut request = [0u8; 40];
        request[..name.len().min(15)].copy_from_slice(&name.as_bytes()[..name.len().min(15)]);
        let flags = (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as u16;
        request[16..18].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: a struct ifreq of 40 bytes, as the request takes it.
        if unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETIFF, request.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the argument is a number.
        if unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETOFFLOAD, CSUM_TSO_USO) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(tun)
    }

    fn set_option(socket: &UdpSocket, level: i32, option: i32, value: i32) -> io::Result<()> {
        // SAFETY: the value is an int of the length that is given.
        let done = unsafe {
            let value = (&raw const value).cast();
            libc::setsockopt(socket.as_raw_fd(), level, option, value, size_of::<i32>() as libc::socklen_t)
        };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
