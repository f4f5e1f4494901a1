//! What the fuzzers start from and what they found, once more.

use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};

#[path = "../../fuzz/targets/inbound.rs"]
mod inbound;
#[path = "../../fuzz/targets/merge_split.rs"]
mod merge_split;
#[path = "../../fuzz/targets/virtio_split.rs"]
mod virtio_split;

fn inputs(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    fs::read_dir(directory).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        println!("{}", path.display()); // shown when it fails
        fs::read(path).unwrap()
    })
}

/// As libFuzzer does it.
fn decode<I: for<'a> Arbitrary<'a>>(bytes: &[u8]) -> I {
    I::arbitrary_take_rest(Unstructured::new(bytes)).unwrap()
}

#[test]
fn datagrams_and_packets_at_a_heart() {
    inputs("inbound").for_each(|bytes| inbound::run(decode(&bytes)));
}

#[test]
fn packets_merged_and_cut_again() {
    inputs("merge_split").for_each(|bytes| merge_split::run(decode(&bytes)));
}

#[test]
fn virtio_headers() {
    inputs("virtio_split").for_each(virtio_split::run);
}
