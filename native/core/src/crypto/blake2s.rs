//! BLAKE2s (RFC 7693), alone, keyed, in HMAC (RFC 2104) and in HKDF (RFC 5869) as Noise has it.

use blake2::digest::block_api::{Block, Buffer, UpdateCore, VariableOutputCore};
use blake2::digest::{FixedOutput, Output, Update};
use blake2::{Blake2s256, Blake2sVarCore};
use zeroize::{Zeroize, Zeroizing};

use crate::constants::MAC_SIZE;

const HASH_SIZE: usize = 32;
const BLOCK_SIZE: usize = 64;

pub fn hash(parts: &[&[u8]]) -> [u8; HASH_SIZE] {
    let mut state = Blake2s256::default();
    parts.iter().for_each(|part| state.update(part));
    state.finalize_fixed().into()
}

/// HMAC of the parts; a key has at most 64 bytes.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; HASH_SIZE]> {
    let mut block = Zeroizing::new([0; BLOCK_SIZE]);
    block[..key.len()].copy_from_slice(key);
    block.iter_mut().for_each(|byte| *byte ^= 0x36);
    let mut state = Blake2s256::default();
    state.update(&*block);
    parts.iter().for_each(|part| state.update(part));
    let inner = Zeroizing::new(<[u8; HASH_SIZE]>::from(state.finalize_fixed()));
    block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
    Zeroizing::new(hash(&[&*block, &*inner]))
}

/// HKDF: as many outputs as asked for, at most three.
pub fn kdf<const COUNT: usize>(key: &[u8; HASH_SIZE], material: &[u8]) -> Zeroizing<[[u8; HASH_SIZE]; COUNT]> {
    let secret = hmac(key, &[material]);
    let mut outputs = Zeroizing::new([[0; HASH_SIZE]; COUNT]);
    let mut previous = Zeroizing::new([0; HASH_SIZE]);
    for number in 0..COUNT {
        let before: &[u8] = if number == 0 { &[] } else { &*previous };
        let output = hmac(&*secret, &[before, &[number as u8 + 1]]);
        outputs[number] = *output;
        previous = output;
    }
    outputs
}

/// Keyed BLAKE2s with 16 bytes of output.
///
/// It keeps the state after the block that holds the key: a message costs one compression per 64 bytes,
/// and nothing else, for this runs per junk datagram.
pub struct MacKey(Blake2sVarCore);

impl MacKey {
    /// From 1 to 32 bytes.
    pub fn new(key: &[u8]) -> Self {
        let mut block = Block::<Blake2sVarCore>::default();
        block[..key.len()].copy_from_slice(key);
        let mut state = Blake2sVarCore::new_with_params(&[], &[], key.len(), MAC_SIZE);
        state.update_blocks(std::slice::from_ref(&block));
        block.zeroize();
        MacKey(state)
    }

    /// Of at least one byte: with none, the block of the key would have been the last.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; MAC_SIZE] {
        let (mut state, mut buffer) = (self.0.clone(), Buffer::<Blake2sVarCore>::default());
        parts.iter().for_each(|part| buffer.digest_blocks(part, |blocks| state.update_blocks(blocks)));
        assert!(buffer.get_pos() > 0, "a message");
        let mut output = Output::<Blake2sVarCore>::default();
        state.finalize_variable_core(&mut buffer, &mut output);
        *output.first_chunk().expect("32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7693, appendix B.
    #[test]
    fn the_vector_of_the_rfc() {
        let digest = hash(&[b"a", b"bc"]);
        assert_eq!(digest[..8], [0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2]);
        assert_eq!(digest[28..], [0x86, 0x67, 0x59, 0x82]);
    }

    #[test]
    fn a_mac_depends_on_key_and_every_byte() {
        let key = MacKey::new(&[1; 32]);
        assert_eq!(key.mac(&[b"ab", b"c"]), key.mac(&[b"abc"]));
        assert_ne!(key.mac(&[b"abc"]), key.mac(&[b"abd"]));
        assert_ne!(key.mac(&[b"abc"]), MacKey::new(&[1; 16]).mac(&[b"abc"]));
    }
}
