//! The heart with a tunnel side and an outer side attached.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::constants::Timing;
use crate::events::Wake;
use crate::heart::Heart;
use crate::io::inbound::Inbound;
use crate::io::outbound;
use crate::io::sockets::Sockets;
use crate::io::train::Train;
use crate::io::tunnel::Tunnel;
use crate::io::worker::Worker;
use crate::sync::lock;

pub struct Engine {
    pub heart: Arc<Heart>,
    tunnel: Arc<ArcSwapOption<Tunnel>>,
    sockets: Arc<ArcSwapOption<Sockets>>,
    tunnel_workers: Mutex<Vec<Worker>>,
    socket_workers: Mutex<Vec<Worker>>,
    /// What the control plane sends; it never waits for room.
    control: Mutex<Train>,
    /// The process that has the threads.
    process: u32,
}

impl Engine {
    pub fn new(timing: Timing, wake: Wake) -> Self {
        let heart = Arc::new(Heart::new(timing, wake));
        let sockets = Arc::new(ArcSwapOption::default());
        let control = Mutex::new(Train::new(heart.clone(), sockets.clone(), false));
        Engine {
            heart,
            tunnel: Arc::default(),
            sockets,
            tunnel_workers: Mutex::default(),
            socket_workers: Mutex::default(),
            control,
            process: std::process::id(),
        }
    }

    /// Where what the control plane sends goes; `flush` sends it.
    pub fn control(&self) -> MutexGuard<'_, Train> {
        lock(&self.control)
    }

    /// Let the workers see what the control plane changed, and send what it sent.
    pub fn flush(&self) {
        self.heart.allowed_ips.publish();
        self.control().flush();
    }

    /// Read from and write to this tunnel from now on.
    pub fn attach_tunnel(&self, tunnel: Tunnel) -> io::Result<()> {
        self.detach_tunnel();
        let tunnel = Arc::new(tunnel);
        self.tunnel.store(Some(tunnel.clone()));
        let mut workers = lock(&self.tunnel_workers);
        for queue in 0..tunnel.queues() {
            let (heart, tunnel) = (self.heart.clone(), tunnel.clone());
            let train = self.new_train();
            workers.push(Worker::spawn(format!("wgtun-out{queue}"), self.heart.clone(), move |stop| {
                outbound::run(stop, &heart, &tunnel, queue, train);
            })?);
        }
        Ok(())
    }

    /// Returns when nobody uses the tunnel any more.
    pub fn detach_tunnel(&self) {
        lock(&self.tunnel_workers).clear();
        self.release(self.tunnel.swap(None));
    }

    /// Send and receive here from now on; replaces the sockets attached before, without a moment that has none.
    /// After an error those are still in use.
    pub fn attach_sockets(&self, sockets: Sockets) -> io::Result<()> {
        let sockets = Arc::new(sockets);
        let mut workers = Vec::new();
        for (name, socket) in sockets.all() {
            let socket = socket.try_clone()?;
            let inbound = Inbound {
                heart: self.heart.clone(),
                tunnel: self.tunnel.clone(),
                sockets: sockets.clone(),
                train: self.new_train(),
            };
            workers.push(Worker::spawn(format!("wgtun-in-{name}"), self.heart.clone(), move |stop| {
                inbound.run(stop, &socket);
            })?);
        }
        let before = self.sockets.swap(Some(sockets));
        *lock(&self.socket_workers) = workers;
        self.release(before);
        Ok(())
    }

    /// Returns when nobody uses the sockets any more: their port is free when the caller closes them.
    pub fn detach_sockets(&self) {
        lock(&self.socket_workers).clear();
        self.release(self.sockets.swap(None));
    }

    /// Datagrams of these families go nowhere, as if sent, until other sockets are attached.
    pub fn set_blackhole(&self, v4: bool, v6: bool) {
        if let Some(sockets) = self.sockets.load().as_deref() {
            sockets.set_blackhole(v4, v6);
        }
    }

    pub fn sends_trains(&self) -> bool {
        self.sockets.load().as_deref().is_some_and(Sockets::sends_trains)
    }

    fn new_train(&self) -> Train {
        Train::new(self.heart.clone(), self.sockets.clone(), true)
    }

    /// Wait until a worker that is just using it has finished its call. In a forked child nobody ever would.
    fn release<T>(&self, shared: Option<Arc<T>>) {
        let Some(mut shared) = shared else { return };
        while self.process == std::process::id() {
            match Arc::try_unwrap(shared) {
                Ok(_) => return,
                Err(still_shared) => shared = still_shared,
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.detach_sockets();
        self.detach_tunnel();
    }
}
