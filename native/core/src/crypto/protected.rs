//! Memory for secrets: wiped when given back, left out of core dumps, and empty in a forked child, as
//! far as the system can.
//!
//! Values share pages; a page belongs to one size, and free places are kept for the next value of it.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Mutex;

use crate::crypto::pages;
use crate::sync::lock;

/// Bytes that are mapped at once: places for several values.
const CHUNK: usize = 16 * 1024;
/// Sizes of places; bigger values don't compile.
const SIZES: [usize; 6] = [32, 64, 128, 256, 640, 1024];
const ALIGNMENT: usize = 32;

/// Values that are plain bytes: any bit pattern of zeros is one, and nothing happens when they go.
///
/// # Safety
/// Zeros must be a valid value, and there must be no `Drop`.
pub unsafe trait Plain {}

// SAFETY: arrays of bytes are plain.
unsafe impl<const N: usize> Plain for [u8; N] {}

/// Owns a value in protected memory. It starts as zeros.
pub struct Protected<T: Plain> {
    place: NonNull<T>,
    owned: PhantomData<T>,
}

// SAFETY: it owns its value, as a Box does.
unsafe impl<T: Plain + Send> Send for Protected<T> {}
// SAFETY: as above.
unsafe impl<T: Plain + Sync> Sync for Protected<T> {}

impl<T: Plain> Protected<T> {
    const CLASS: usize = {
        let mut class = 0;
        while SIZES[class] < size_of::<T>() {
            class += 1;
        }
        assert!(align_of::<T>() <= ALIGNMENT);
        class
    };

    pub fn zeroed() -> Self {
        let place = lock(&FREE[Self::CLASS]).take(SIZES[Self::CLASS]);
        Protected { place: place.cast(), owned: PhantomData }
    }
}

impl<const N: usize> Protected<[u8; N]> {
    pub fn copy_of(bytes: &[u8; N]) -> Self {
        let mut protected = Self::zeroed();
        protected.copy_from_slice(bytes);
        protected
    }
}

impl<T: Plain> Deref for Protected<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the place is ours, big and aligned enough, and has held a T since it was zeroed.
        unsafe { self.place.as_ref() }
    }
}

impl<T: Plain> DerefMut for Protected<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and we are borrowed exclusively.
        unsafe { self.place.as_mut() }
    }
}

impl<T: Plain> Drop for Protected<T> {
    fn drop(&mut self) {
        // SAFETY: the place has at least this many bytes, nobody else looks at them, and zeros are plain.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.place.as_ptr().cast::<u8>(), size_of::<T>()) };
        zeroize::Zeroize::zeroize(bytes);
        lock(&FREE[Self::CLASS]).give_back(self.place.cast());
    }
}

/// The free places of each size; all of them hold zeros.
static FREE: [Mutex<Free>; SIZES.len()] = [const { Mutex::new(Free(Vec::new())) }; SIZES.len()];

struct Free(Vec<NonNull<u8>>);

// SAFETY: the places belong to nobody while they are in the list.
unsafe impl Send for Free {}

impl Free {
    fn take(&mut self, size: usize) -> NonNull<u8> {
        if self.0.is_empty() {
            let chunk = pages::map(CHUNK);
            // SAFETY: every offset is within the chunk.
            self.0.extend((0..CHUNK / size).map(|number| unsafe { chunk.add(number * size) }));
        }
        self.0.pop().expect("a chunk has places")
    }

    fn give_back(&mut self, place: NonNull<u8>) {
        self.0.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_wiped_and_used_again() {
        // A size that no other test uses.
        let mut secret = Protected::<[u8; 1000]>::zeroed();
        secret.fill(0xaa);
        let place = secret.place;
        drop(secret);
        // SAFETY: pages stay mapped, and this place is free.
        assert!(unsafe { std::slice::from_raw_parts(place.as_ptr().cast::<u8>(), 1000) }.iter().all(|byte| *byte == 0));
        assert_eq!(Protected::<[u8; 1000]>::zeroed().place, place);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_stay_out_of_dumps_and_forks() {
        let secret = Protected::copy_of(b"a secret of thirty-two bytes, ok");
        let address = secret.place.as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        let mut flags = "";
        for line in maps.lines() {
            if let Some((from, to)) = line.split(' ').next().and_then(|range| range.split_once('-')) {
                let bound = |text| usize::from_str_radix(text, 16);
                if let (Ok(from), Ok(to)) = (bound(from), bound(to)) {
                    inside = (from..to).contains(&address);
                }
            }
            if inside && line.starts_with("VmFlags:") {
                flags = line;
            }
        }
        assert!(flags.contains(" dd") && flags.contains(" wf"), "{flags}");
        // SAFETY: the child only compares bytes and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_wiped = secret.iter().all(|byte| *byte == 0);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if is_wiped { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: waits for our own child.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(&secret[..8], b"a secret");
    }
}
