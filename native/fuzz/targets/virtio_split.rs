//! Any virtio header before any bytes: malformed or cut, never out of bounds.

use wgtun_core::offload::split::Segments;
use wgtun_core::offload::virtio::{HEADER_SIZE, VirtioHeader};

pub fn run(mut data: Vec<u8>) {
    let Some((header, packet)) = data.split_first_chunk_mut::<HEADER_SIZE>() else { return };
    let length = packet.len();
    let Ok(segments) = Segments::parse(&VirtioHeader::from_bytes(header), packet) else { return };
    let mut payload = 0;
    for number in 0..segments.count() {
        let mut out = vec![0; segments.size(number)];
        segments.write(number, &mut out);
        payload += out.len() - if segments.count() > 1 { segments.first_header().len() } else { 0 };
    }
    // Every payload byte once.
    if segments.count() > 1 {
        assert_eq!(payload + segments.first_header().len(), length);
    }
}
