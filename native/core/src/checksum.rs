//! The Internet checksum (RFC 1071).
pub fn sum(data: &[u8], initial: u64) -> u64 { let mut s=initial; for c in data.chunks(2) { s += u64::from(u16::from_be_bytes([c[0], *c.get(1).unwrap_or(&0)])); } s }
pub fn fold(mut s: u64) -> u16 { while s > 0xffff { s = (s & 0xffff) + (s >> 16); } s as u16 }
