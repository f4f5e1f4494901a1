//! ChaCha20-Poly1305 (RFC 8439), in place, by AWS-LC.

use std::mem::MaybeUninit;

use aws_lc_sys::{
    EVP_AEAD_CTX, EVP_AEAD_CTX_init, EVP_AEAD_CTX_open_gather, EVP_AEAD_CTX_seal_scatter, EVP_aead_chacha20_poly1305,
};

use crate::constants::{KEY_SIZE, TAG_SIZE};
use crate::crypto::protected::{Plain, Protected};

const NONCE_SIZE: usize = 12;

/// AWS-LC's context, which for this AEAD has the key within and owns nothing else.
#[repr(transparent)]
struct Context(MaybeUninit<EVP_AEAD_CTX>);

// SAFETY: MaybeUninit takes any bytes, and has no Drop.
unsafe impl Plain for Context {}
// SAFETY: sealing and opening only read the context (aead.h: "may be called concurrently").
unsafe impl Sync for Context {}
// SAFETY: it is plain bytes and a pointer to a static table.
unsafe impl Send for Context {}

/// One direction of a session.
pub struct Key(Protected<Context>);

impl Key {
    pub fn new(key: &[u8; KEY_SIZE]) -> Self {
        let mut context = Protected::<Context>::zeroed();
        // SAFETY: the context is writable, the key has the length that is given.
        let done = unsafe {
            EVP_AEAD_CTX_init(
                context.0.as_mut_ptr(),
                EVP_aead_chacha20_poly1305(),
                key.as_ptr(),
                KEY_SIZE,
                TAG_SIZE,
                std::ptr::null_mut(),
            )
        };
        assert_eq!(done, 1, "keys of this AEAD have 32 bytes");
        Key(context)
    }

    /// Seal the buffer but for its last 16 bytes, which take the tag. The nonce is the counter.
    pub fn seal(&self, counter: u64, buffer: &mut [u8]) {
        self.seal_with(&nonce(counter), &[], buffer);
    }

    /// Open what `seal` made; the packet without the tag. None when it is not authentic.
    pub fn open<'a>(&self, counter: u64, buffer: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.open_with(&nonce(counter), &[], buffer)
    }

    /// As `seal`, with any nonce and associated data.
    pub fn seal_with(&self, nonce: &[u8; NONCE_SIZE], associated_data: &[u8], buffer: &mut [u8]) {
        let size = buffer.len() - TAG_SIZE;
        let (plaintext, tag) = buffer.split_at_mut(size);
        let mut tag_size = 0;
        // SAFETY: the context was initialised; every pointer goes with its length; in place is allowed.
        let done = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.0.as_ptr(),
                plaintext.as_mut_ptr(),
                tag.as_mut_ptr(),
                &mut tag_size,
                TAG_SIZE,
                nonce.as_ptr(),
                NONCE_SIZE,
                plaintext.as_ptr(),
                size,
                std::ptr::null(),
                0,
                associated_data.as_ptr(),
                associated_data.len(),
            )
        };
        assert_eq!(done, 1, "sealing fails only above 256 GiB");
    }

    /// As `open`, with any nonce and associated data.
    pub fn open_with<'a>(
        &self,
        nonce: &[u8; NONCE_SIZE],
        associated_data: &[u8],
        buffer: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let size = buffer.len().checked_sub(TAG_SIZE)?;
        let (ciphertext, tag) = buffer.split_at_mut(size);
        // SAFETY: as for sealing.
        let done = unsafe {
            EVP_AEAD_CTX_open_gather(
                self.0.0.as_ptr(),
                ciphertext.as_mut_ptr(),
                nonce.as_ptr(),
                NONCE_SIZE,
                ciphertext.as_ptr(),
                size,
                tag.as_ptr(),
                TAG_SIZE,
                associated_data.as_ptr(),
                associated_data.len(),
            )
        };
        (done == 1).then_some(ciphertext)
    }
}

fn nonce(counter: u64) -> [u8; NONCE_SIZE] {
    let mut nonce = [0; NONCE_SIZE];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, 2.8.2.
    #[test]
    fn the_vector_of_the_rfc() {
        let key = Key::new(&std::array::from_fn(|number| 0x80 + number as u8));
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let data = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                     sunscreen would be it.";
        let mut buffer = [&text[..], &[0; TAG_SIZE]].concat();
        key.seal_with(&nonce, &data, &mut buffer);
        assert_eq!(buffer[..4], [0xd3, 0x1a, 0x8d, 0x34]);
        let tag = [0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91];
        assert_eq!(buffer[text.len()..], tag);
        let mut forged = buffer.clone();
        forged[3] ^= 1;
        assert!(key.open_with(&nonce, &data, &mut forged).is_none());
        assert!(key.open_with(&nonce, &[], &mut buffer.clone()).is_none());
        assert_eq!(key.open_with(&nonce, &data, &mut buffer).unwrap(), text);
        assert!(key.open(0, &mut [0; TAG_SIZE - 1]).is_none());
    }

    #[test]
    fn the_nonce_is_four_zeros_and_the_counter() {
        let key = Key::new(&[1; KEY_SIZE]);
        let (mut one, mut other) = ([5; 40], [5; 40]);
        key.seal(0x0102_0304_0506_0708, &mut one);
        key.seal_with(&[0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1], &[], &mut other);
        assert_eq!(one, other);
        assert_eq!(key.open(0x0102_0304_0506_0708, &mut one).unwrap(), [5; 24]);
    }
}
