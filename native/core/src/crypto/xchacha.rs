//! XChaCha20-Poly1305, which seals cookies: ChaCha20-Poly1305 under a key that HChaCha20 makes from 16
//! bytes of nonce. Source: draft-irtf-cfrg-xchacha.

use crate::constants::{KEY_SIZE, TAG_SIZE};
use crate::crypto::aead::Key;

/// A subkey from a key and the first part of a nonce.
fn hchacha20(key: &[u8; KEY_SIZE], nonce: &[u8; 16]) -> [u8; KEY_SIZE] {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().unwrap());
    let mut x: [u32; 16] = std::array::from_fn(|at| match at {
        0..4 => [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574][at],
        4..12 => word(key, at - 4),
        _ => word(nonce, at - 12),
    });
    // Columns, then diagonals, of the four by four state.
    const QUARTERS: [[usize; 4]; 8] = [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ];
    for _ in 0..10 {
        for [a, b, c, d] in QUARTERS {
            for (left, right, target, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                x[left] = x[left].wrapping_add(x[right]);
                x[target] = (x[target] ^ x[left]).rotate_left(turn);
            }
        }
    }
    let mut subkey = [0; KEY_SIZE];
    for (to, from) in subkey.chunks_exact_mut(4).zip(x[..4].iter().chain(&x[12..])) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    subkey
}

/// A cookie of 16 bytes, sealed, with its tag.
pub fn seal(key: &[u8; KEY_SIZE], nonce: &[u8; 24], cookie: &[u8; 16], associated_data: &[u8]) -> [u8; 32] {
    let (first, last) = nonce.split_first_chunk().expect("24 bytes");
    let mut short = [0; 12];
    short[4..].copy_from_slice(last);
    let mut buffer = [0; 16 + TAG_SIZE];
    buffer[..16].copy_from_slice(cookie);
    Key::new(&hchacha20(key, first)).seal_with(&short, associated_data, &mut buffer);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// draft-irtf-cfrg-xchacha-03, 2.2.1.
    #[test]
    fn the_vector_of_the_draft() {
        let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0, 0x31, 0x41, 0x59, 0x27];
        let subkey = hchacha20(&std::array::from_fn(|at| at as u8), &nonce);
        assert_eq!(subkey[..8], [0x82, 0x41, 0x3b, 0x42, 0x27, 0xb2, 0x7b, 0xfe]);
        assert_eq!(subkey[28..], [0x26, 0xd3, 0xec, 0xdc]);
    }
}
