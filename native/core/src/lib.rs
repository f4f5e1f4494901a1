//! WireGuard's data path in plain Rust. The Python module around it is the crate `wgtun-native`.
//!
//! `heart` moves packets without I/O and is where to begin reading; `io` puts threads, a TUN and
//! sockets around it; `offload` and `crypto` are what both need.

pub mod admission;
mod allowance;
pub mod allowed_ips;
pub mod checksum;
pub mod constants;
pub mod crypto;
pub mod drops;
pub mod ecn;
pub mod events;
pub mod heart;
pub mod icmp;
pub mod io;
mod narrow_paths;
pub mod offload;
pub mod path;
pub mod peer;
mod rate_limiter;
pub mod replay;
pub mod session;
mod sync;
