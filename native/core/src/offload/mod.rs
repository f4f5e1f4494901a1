//! Segmentation and merging of packets at the TUN, as the kernel speaks of it in virtio headers.
