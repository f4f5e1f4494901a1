//! The Internet checksum (RFC 1071).
//!
//! Sums are of 16-bit words as they lie in memory: the one's complement sum does not care about the byte
//! order, until `fold` puts the result into the network's.

/// Add the words of `data` to a sum. Only the last part of what is summed may have an odd length.
pub fn sum(data: &[u8], initial: u64) -> u64 {
    // Words of 32 bits into four sums of 64: the compiler makes vector instructions of this.
    let mut lanes = [0u64; 4];
    let mut blocks = data.chunks_exact(16);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes(word.try_into().expect("four bytes")));
        }
    }
    let mut total = initial + lanes.iter().sum::<u64>();
    for pair in blocks.remainder().chunks(2) {
        total += u64::from(u16::from_ne_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    total
}

/// The sum in 16 bits. Its complement is the checksum; 0xffff where a checksum is included says that it is right.
pub fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::from_be(sum as u16)
}

/// What a transport checksum covers of the IP header: the addresses, which are `addresses`, protocol and length.
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: usize) -> u64 {
    let length = (length as u32).to_be_bytes();
    sum(&[length[0], length[1], length[2], length[3], 0, protocol], sum(addresses, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(data: &[u8]) -> u16 {
        let mut total = 0u32;
        for pair in data.chunks(2) {
            total += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            total = (total & 0xffff) + (total >> 16);
        }
        total as u16
    }

    #[test]
    fn agrees_with_the_plain_sum_at_every_length() {
        let data: Vec<u8> = (0..3000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for length in 0..data.len() {
            assert_eq!(fold(sum(&data[..length], 0)), naive(&data[..length]), "{length}");
        }
        assert_eq!(fold(sum(&data[100..], sum(&data[..100], 0))), naive(&data));
        assert_eq!(fold(sum(&[0xff; 65535], 0)), naive(&[0xff; 65535]));
    }

    /// RFC 1071, 3.
    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0)), 0xddf2);
    }
}
