//! A Wintun session: a ring of packets for each direction. Source: wintun.h of Wintun 0.14.

use std::io::{self, IoSlice};

use windows_sys::Win32::Foundation::{ERROR_NO_MORE_ITEMS, HANDLE};

use crate::io::system::Waitable;

type Session = usize;

pub struct Queue {
    session: Session,
    event: HANDLE,
    receive: unsafe extern "system" fn(Session, *mut u32) -> *mut u8,
    release: unsafe extern "system" fn(Session, *const u8),
    allocate: unsafe extern "system" fn(Session, u32) -> *mut u8,
    send: unsafe extern "system" fn(Session, *const u8),
}

// SAFETY: wintun.dll lets threads receive and send at once; its event is a handle.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// # Safety
    /// The session must last as long as this, and the functions be WintunGetReadWaitEvent, WintunReceivePacket,
    /// WintunReleaseReceivePacket, WintunAllocateSendPacket and WintunSendPacket.
    pub unsafe fn of_ring(session: Session, functions: [usize; 5]) -> Self {
        let [event, receive, release, allocate, send] = functions;
        // SAFETY: the caller says that they are these.
        unsafe {
            let get_event: unsafe extern "system" fn(Session) -> HANDLE = std::mem::transmute(event);
            Queue {
                session,
                event: get_event(session),
                receive: std::mem::transmute::<usize, unsafe extern "system" fn(Session, *mut u32) -> *mut u8>(receive),
                release: std::mem::transmute::<usize, unsafe extern "system" fn(Session, *const u8)>(release),
                allocate: std::mem::transmute::<usize, unsafe extern "system" fn(Session, u32) -> *mut u8>(allocate),
                send: std::mem::transmute::<usize, unsafe extern "system" fn(Session, *const u8)>(send),
            }
        }
    }

    /// Signalled after the ring was found empty.
    pub fn waitable(&self) -> Waitable<'_> {
        Waitable::Event(self.event)
    }

    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut size = 0;
        // SAFETY: the session is open; the size is written during the call.
        let packet = unsafe { (self.receive)(self.session, &mut size) };
        if packet.is_null() {
            let error = io::Error::last_os_error();
            let is_empty = error.raw_os_error() == Some(ERROR_NO_MORE_ITEMS as i32);
            return Err(if is_empty { io::ErrorKind::WouldBlock.into() } else { error });
        }
        let size = (size as usize).min(buffer.len());
        // SAFETY: the packet has this size and is ours until it is released; the buffer is as big.
        unsafe {
            std::ptr::copy_nonoverlapping(packet, buffer.as_mut_ptr(), size);
            (self.release)(self.session, packet);
        }
        Ok(size)
    }

    /// One packet, in parts. A full ring is an error.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let size = u32::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the session is open.
        let mut place = unsafe { (self.allocate)(self.session, size) };
        if place.is_null() {
            return Err(io::Error::last_os_error());
        }
        let packet = place;
        for part in parts {
            // SAFETY: the place has room for all parts, and is ours until it is sent.
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), place, part.len());
                place = place.add(part.len());
            }
        }
        // SAFETY: it was allocated by this session and is filled.
        unsafe { (self.send)(self.session, packet) };
        Ok(())
    }
}
