//! Packets of any shape, merged and cut again: each flow's packets must be the same, in the same order.
#![no_main]

#[path = "../targets/merge_split.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: target::Input| target::run(input));
