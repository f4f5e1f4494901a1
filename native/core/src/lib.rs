//! WireGuard's data path in plain Rust. The Python module around it is the crate `wgtun-native`.

pub mod checksum;
pub mod crypto;
pub mod offload;
