//! Any datagrams and packets at a heart with a session: no panic, nothing out that was not let in.
#![no_main]

#[path = "../targets/inbound.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: target::Input| target::run(input));
