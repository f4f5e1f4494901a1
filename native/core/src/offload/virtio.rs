//! struct virtio_net_hdr: what stands before each packet of a TUN with IFF_VNET_HDR.
//!
//! | offset | length | field                                                         |
//! |--------|--------|---------------------------------------------------------------|
//! | 0      | 1      | flags                                                         |
//! | 1      | 1      | GSO type                                                      |
//! | 2      | 2      | length of all headers; not to be trusted when reading         |
//! | 4      | 2      | GSO size: payload bytes of each segment                       |
//! | 6      | 2      | where the checksum begins to count: the transport header      |
//! | 8      | 2      | where, from there, the checksum is                            |
//!
//! Numbers are in the machine's byte order. Source: linux/virtio_net.h.

pub const HEADER_SIZE: usize = 10;

pub const NEEDS_CSUM: u8 = 1;

pub const GSO_NONE: u8 = 0;
pub const GSO_TCPV4: u8 = 1;
pub const GSO_TCPV6: u8 = 4;
pub const GSO_UDP_L4: u8 = 5;
/// A bit beside the type: the first segment has CWR set.
pub const GSO_ECN: u8 = 0x80;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtioHeader {
    pub flags: u8,
    pub gso_type: u8,
    pub header_length: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
}

impl VirtioHeader {
    pub fn from_bytes(bytes: &[u8; HEADER_SIZE]) -> Self {
        let number = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        VirtioHeader {
            flags: bytes[0],
            gso_type: bytes[1],
            header_length: number(2),
            gso_size: number(4),
            csum_start: number(6),
            csum_offset: number(8),
        }
    }

    pub fn to_bytes(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        bytes[0] = self.flags;
        bytes[1] = self.gso_type;
        let numbers = [self.header_length, self.gso_size, self.csum_start, self.csum_offset];
        for (to, number) in bytes[2..].chunks_exact_mut(2).zip(numbers) {
            to.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_there_and_back() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        assert_eq!(VirtioHeader::from_bytes(&bytes).to_bytes(), bytes);
    }
}
