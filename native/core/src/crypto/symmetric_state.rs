//! The chaining key, hash and cipher key of a handshake (Noise specification, 5.2), as WireGuard uses it.

use crate::constants::{KEY_SIZE, TAG_SIZE};
use crate::crypto::aead::Key;
use crate::crypto::blake2s::{hash, kdf};
use crate::crypto::protected::{Plain, Protected};
use crate::crypto::x25519::SharedSecret;

const CONSTRUCTION: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";
/// Each key of a handshake seals once.
const NONCE: [u8; 12] = [0; 12];

#[derive(Clone, Copy)]
struct State {
    chaining_key: [u8; KEY_SIZE],
    hash: [u8; KEY_SIZE],
    cipher_key: [u8; KEY_SIZE],
}

// SAFETY: three arrays of bytes.
unsafe impl Plain for State {}

pub struct SymmetricState(Protected<State>);

impl Default for SymmetricState {
    fn default() -> Self {
        let mut state = Protected::<State>::zeroed();
        state.chaining_key = hash(&[CONSTRUCTION]);
        state.hash = hash(&[&state.chaining_key, IDENTIFIER]);
        SymmetricState(state)
    }
}

impl Clone for SymmetricState {
    fn clone(&self) -> Self {
        let mut state = Protected::<State>::zeroed();
        *state = *self.0;
        SymmetricState(state)
    }
}

impl SymmetricState {
    pub fn mix_hash(&mut self, data: &[u8]) {
        self.0.hash = hash(&[&self.0.hash, data]);
    }

    pub fn mix_key(&mut self, material: &[u8]) {
        let [chaining_key, cipher_key] = &*kdf::<2>(&self.0.chaining_key, material);
        self.0.chaining_key = *chaining_key;
        self.0.cipher_key = *cipher_key;
    }

    pub fn mix_secret(&mut self, secret: &SharedSecret) {
        self.mix_key(&*secret.0);
    }

    pub fn mix_key_and_hash(&mut self, material: &[u8]) {
        let [chaining_key, hash_input, cipher_key] = &*kdf::<3>(&self.0.chaining_key, material);
        self.0.chaining_key = *chaining_key;
        self.mix_hash(hash_input);
        self.0.cipher_key = *cipher_key;
    }

    /// The ciphertext with its tag.
    pub fn encrypt_and_hash(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut buffer = [plaintext, &[0; TAG_SIZE]].concat();
        Key::new(&self.0.cipher_key).seal_with(&NONCE, &self.0.hash, &mut buffer);
        self.mix_hash(&buffer);
        buffer
    }

    /// None, and nothing has changed, when it is not authentic.
    pub fn decrypt_and_hash(&mut self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = ciphertext.to_vec();
        let size = Key::new(&self.0.cipher_key).open_with(&NONCE, &self.0.hash, &mut buffer)?.len();
        self.mix_hash(ciphertext);
        buffer.truncate(size);
        Some(buffer)
    }

    /// The transport keys: initiator to responder, responder to initiator.
    pub fn split(&self) -> (Key, Key) {
        let [first, second] = &*kdf::<2>(&self.0.chaining_key, &[]);
        (Key::new(first), Key::new(second))
    }
}
