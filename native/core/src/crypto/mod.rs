//! Primitives: the AEAD, X25519, BLAKE2s, and the Noise symmetric state. Secrets live in protected memory.

pub mod aead;
pub mod blake2s;
mod pages;
pub mod protected;
pub mod symmetric_state;
pub mod x25519;
pub mod xchacha;

/// Unpredictable bytes. A system without any is not one to run on.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    bytes
}
