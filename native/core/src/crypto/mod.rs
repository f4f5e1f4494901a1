//! Primitives: the AEAD, X25519, BLAKE2s, and the Noise symmetric state. Secrets live in protected memory.
