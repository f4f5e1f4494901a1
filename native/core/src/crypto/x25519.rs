//! X25519 (RFC 7748), by AWS-LC.

use aws_lc_sys::{X25519, X25519_public_from_private};

use crate::constants::KEY_SIZE;
use crate::crypto::protected::Protected;
use crate::crypto::random;

/// What two parties have in common.
pub struct SharedSecret(pub(super) Protected<[u8; KEY_SIZE]>);

pub struct PrivateKey {
    scalar: Protected<[u8; KEY_SIZE]>,
    public: [u8; KEY_SIZE],
}

impl PrivateKey {
    /// Any 32 bytes; the function itself clamps.
    pub fn from_bytes(bytes: &[u8; KEY_SIZE]) -> Self {
        let scalar = Protected::copy_of(bytes);
        let mut public = [0; KEY_SIZE];
        // SAFETY: both have 32 bytes.
        unsafe { X25519_public_from_private(public.as_mut_ptr(), scalar.as_ptr()) };
        PrivateKey { scalar, public }
    }

    pub fn generate() -> Self {
        let mut bytes = random::<KEY_SIZE>();
        let key = Self::from_bytes(&bytes);
        zeroize::Zeroize::zeroize(&mut bytes);
        key
    }

    pub fn public(&self) -> &[u8; KEY_SIZE] {
        &self.public
    }

    /// None for a public key of low order, with which the result would be all zero.
    pub fn exchange(&self, public: &[u8; KEY_SIZE]) -> Option<SharedSecret> {
        let mut secret = Protected::<[u8; KEY_SIZE]>::zeroed();
        // SAFETY: all three have 32 bytes.
        let done = unsafe { X25519(secret.as_mut_ptr(), self.scalar.as_ptr(), public.as_ptr()) };
        (done == 1).then_some(SharedSecret(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7748, 5.2: each round's result is the next round's scalar, the scalar its point.
    #[test]
    fn the_vector_of_the_rfc() {
        let mut point = [0; 32];
        point[0] = 9;
        let mut scalar = point;
        for _ in 0..1000 {
            let result = *PrivateKey::from_bytes(&scalar).exchange(&point).unwrap().0;
            (point, scalar) = (scalar, result);
        }
        assert_eq!(scalar[..8], [0x68, 0x4c, 0xf5, 0x9b, 0xa8, 0x33, 0x09, 0x55]);
        assert_eq!(scalar[24..], [0x5f, 0x2e, 0xb9, 0x4d, 0x99, 0x53, 0x2c, 0x51]);
    }

    #[test]
    fn both_sides_agree_and_low_order_points_are_refused() {
        let (one, two) = (PrivateKey::generate(), PrivateKey::generate());
        assert_eq!(*one.exchange(two.public()).unwrap().0, *two.exchange(one.public()).unwrap().0);
        assert!(one.exchange(&[0; 32]).is_none());
        let mut order_two = [0; 32];
        order_two[0] = 1;
        assert!(one.exchange(&order_two).is_none());
    }
}
