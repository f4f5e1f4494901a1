//! Control messages: what goes with a datagram beside its bytes. Sources: cmsg(3), ip(7), ipv6(7), udp(7).

#![allow(clippy::unnecessary_cast)] // the types of lengths differ from system to system

use std::mem::size_of;

/// Room for PKTINFO, a traffic class and a segment size, aligned as headers need it.
#[repr(C, align(8))]
pub struct Ancillary {
    buffer: [u8; 128],
    size: usize,
}

impl Ancillary {
    pub const CAPACITY: usize = 128;

    pub fn new() -> Self {
        Ancillary { buffer: [0; Self::CAPACITY], size: 0 }
    }

    pub fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.buffer.as_mut_ptr().cast()
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// After the kernel wrote.
    pub fn set_size(&mut self, size: usize) {
        self.size = size.min(Self::CAPACITY);
    }

    /// Add a message with the bytes of `value`.
    pub fn push<T: Copy>(&mut self, level: i32, kind: i32, value: T) {
        let length = size_of::<T>() as libc::c_uint;
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, length) = unsafe { (libc::CMSG_SPACE(length) as usize, libc::CMSG_LEN(length)) };
        assert!(self.size + space <= Self::CAPACITY, "room for all that is ever sent");
        // SAFETY: header and value lie within the buffer, as just checked; the buffer and every space are
        // multiples of the header's alignment; the value is written without assuming an alignment.
        unsafe {
            let header: *mut libc::cmsghdr = self.buffer.as_mut_ptr().add(self.size).cast();
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = length as _;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.size += space;
    }

    /// Level, type and value of each message.
    pub fn iter(&self) -> impl Iterator<Item = (i32, i32, &[u8])> {
        let mut rest = &self.buffer[..self.size];
        std::iter::from_fn(move || {
            if rest.len() < size_of::<libc::cmsghdr>() {
                return None;
            }
            // SAFETY: there are enough bytes for a header, which is plain data.
            let header: libc::cmsghdr = unsafe { rest.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
            // SAFETY: CMSG_LEN and CMSG_SPACE only compute.
            let begin = unsafe { libc::CMSG_LEN(0) } as usize;
            let end = header.cmsg_len as usize;
            let value = rest.get(begin..end)?;
            // SAFETY: as above.
            let space = unsafe { libc::CMSG_SPACE(value.len() as libc::c_uint) } as usize;
            rest = rest.get(space..).unwrap_or_default();
            Some((header.cmsg_level, header.cmsg_type, value))
        })
    }
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
