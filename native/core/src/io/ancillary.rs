//! Control messages: what goes with a datagram beside its bytes. Sources: cmsg(3), ip(7), ipv6(7), udp(7).

#![allow(clippy::unnecessary_cast)] // the types of lengths differ from system to system

use std::mem::size_of;

/// Room for PKTINFO, a traffic class and a segment size, aligned as headers need it.
#[repr(C, align(8))]
pub struct Ancillary {
    buffer: [u8; Ancillary::CAPACITY],
    size: usize,
}

impl Ancillary {
    pub const CAPACITY: usize = 160;

    #[allow(clippy::new_without_default)] // a default is not constant
    pub const fn new() -> Self {
        Ancillary { buffer: [0; Self::CAPACITY], size: 0 }
    }

    pub fn as_mut_ptr(&mut self) -> *mut std::ffi::c_void {
        self.buffer.as_mut_ptr().cast()
    }

    pub const fn size(&self) -> usize {
        self.size
    }

    #[cfg(feature = "testing")]
    pub const fn byte(&self, at: usize) -> u8 {
        self.buffer[at]
    }

    /// After the kernel wrote.
    pub fn set_size(&mut self, size: usize) {
        self.size = size.min(Self::CAPACITY);
    }

    /// Add a message with the bytes of `value`.
    pub const fn push<T: Copy>(&mut self, level: i32, kind: i32, value: T) {
        let end = self.size + space(size_of::<T>());
        assert!(end <= Self::CAPACITY, "room for all that is ever sent");
        // SAFETY: header and value lie within the buffer, as just checked, and are written without assuming an
        // alignment; zeros are a valid header.
        unsafe {
            let at = self.buffer.as_mut_ptr().add(self.size);
            let mut header: Header = std::mem::zeroed();
            header.cmsg_level = level;
            header.cmsg_type = kind;
            header.cmsg_len = length(size_of::<T>()) as _;
            at.cast::<Header>().write_unaligned(header);
            at.add(length(0)).cast::<T>().write_unaligned(value);
        }
        self.size = end;
    }

    /// Level, type and value of each message.
    pub fn iter(&self) -> impl Iterator<Item = (i32, i32, &[u8])> {
        let mut rest = &self.buffer[..self.size];
        std::iter::from_fn(move || {
            if rest.len() < size_of::<Header>() {
                return None;
            }
            // SAFETY: there are enough bytes for a header, which is plain data.
            let header: Header = unsafe { rest.as_ptr().cast::<Header>().read_unaligned() };
            let value = rest.get(length(0)..header.cmsg_len as usize)?;
            rest = rest.get(space(value.len())..).unwrap_or_default();
            Some((header.cmsg_level, header.cmsg_type, value))
        })
    }
}

#[cfg(unix)]
type Header = libc::cmsghdr;
#[cfg(windows)]
type Header = windows_sys::Win32::Networking::WinSock::CMSGHDR;

/// Bytes of a message with a value of this size.
#[cfg(unix)]
const fn length(value: usize) -> usize {
    // SAFETY: only computes.
    unsafe { libc::CMSG_LEN(value as libc::c_uint) as usize }
}

/// The same, with what is left free before the next.
#[cfg(unix)]
const fn space(value: usize) -> usize {
    // SAFETY: only computes.
    unsafe { libc::CMSG_SPACE(value as libc::c_uint) as usize }
}

#[cfg(windows)]
const fn length(value: usize) -> usize {
    size_of::<Header>() + value
}

#[cfg(windows)]
const fn space(value: usize) -> usize {
    length(value).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_read() {
        let mut ancillary = Ancillary::new();
        ancillary.push(1, 2, 3u16);
        ancillary.push(4, 5, [6u8; 20]);
        let found: Vec<_> = ancillary.iter().map(|(level, kind, value)| (level, kind, value.to_vec())).collect();
        assert_eq!(found, [(1, 2, 3u16.to_ne_bytes().to_vec()), (4, 5, vec![6; 20])]);
    }
}
