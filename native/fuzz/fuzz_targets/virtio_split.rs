//! Any virtio header before any bytes: malformed or cut, never out of bounds.
#![no_main]

#[path = "../targets/virtio_split.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data.to_vec()));
