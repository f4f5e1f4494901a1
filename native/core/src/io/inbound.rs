//! From a socket to the tunnel.
//!
//! What one receive call brings is opened in place; consecutive packets of a flow are written to the
//! TUN as one.

use std::io;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use socket2::Socket;

use crate::drops::DropReason;
use crate::heart::{Heart, Run};
use crate::io::receive::Inbox;
use crate::io::sockets::Sockets;
use crate::io::system::{self, Signal};
use crate::io::train::Train;
use crate::io::tunnel::{Outbox, Tunnel};
use crate::io::waiter::Waiter;

/// Receive calls between two looks at the stop signal.
const BATCH: usize = 64;
/// Milliseconds; whatever the error is (ENOMEM, a reported ICMP error), the socket stays in use.
const BACK_OFF: u16 = 333;
/// While strangers' datagrams come, those of peers wait so long for the next look at the socket: to be
/// woken for each datagram of a flood would cost several times what it takes to refuse it.
const GATHER: Duration = Duration::from_micros(100);

pub struct Inbound {
    pub heart: Arc<Heart>,
    pub tunnel: Arc<ArcSwapOption<Tunnel>>,
    pub sockets: Arc<Sockets>,
    /// For what is sent because something was received.
    pub train: Train,
}

impl Inbound {
    pub fn run(mut self, stop: &Signal, socket: &Socket) {
        let (mut inbox, mut outbox) = (Inbox::default(), Outbox::default());
        let (mut run, mut packets) = (Run::default(), Vec::new());
        let mut waiter = Waiter::default();
        while waiter.wait(stop, system::socket_waitable(socket)) {
            let strangers = self.heart.drops.of_strangers();
            for _ in 0..BATCH {
                match inbox.receive(socket) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => {
                        self.heart.drops.count(DropReason::ReceiveError, 1);
                        stop.pause(BACK_OFF);
                        break;
                    }
                }
                self.work(&mut inbox, &mut outbox, &mut run, &mut packets);
            }
            if self.heart.drops.of_strangers() != strangers {
                sleep(GATHER);
            }
        }
    }

    fn work(
        &mut self,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
        run: &mut Run,
        packets: &mut Vec<std::ops::Range<usize>>,
    ) {
        let now = system::now();
        for each in &inbox.received {
            if let Some(source) = &each.path.source {
                self.sockets.revive(source);
            }
            self.heart.inbound(
                now,
                &mut inbox.buffer,
                each.at.clone(),
                each.segment,
                &each.path,
                each.traffic_class,
                run,
                &mut self.train,
                packets,
            );
        }
        if !packets.is_empty() {
            match self.tunnel.load().as_deref() {
                Some(tunnel) => tunnel.write(&mut inbox.buffer, packets, outbox, &self.heart.drops),
                None => self.heart.drops.count(DropReason::TunWriteFailed, packets.len()),
            }
            packets.clear();
        }
        self.train.flush();
    }
}
