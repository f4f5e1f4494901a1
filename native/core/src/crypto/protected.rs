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
const SIZES: [usize; 5] = [64, 128, 256, 640, 1024];
const ALIGNMENT: usize = 32;

/// Values that are plain bytes: any bit pattern of zeros is one, and nothing happens when they go.
///
/// # Safety
/// Zeros must be a valid value, and there must be no `Drop`.
pub unsafe trait Plain {}

// SAFETY: arrays of bytes are plain.
unsafe impl<const N: usize> Plain for [u8; N] {}

/// What a place holds. All of it is zero in a forked child, where the system wipes it.
#[repr(C)]
struct Held<T> {
    value: T,
    is_there: bool,
}

/// Owns a value in protected memory. It starts as zeros. To use it in a forked child that does not have it is a panic.
pub struct Protected<T: Plain> {
    place: NonNull<Held<T>>,
    owned: PhantomData<T>,
}

// SAFETY: it owns its value, as a Box does.
unsafe impl<T: Plain + Send> Send for Protected<T> {}
// SAFETY: as above.
unsafe impl<T: Plain + Sync> Sync for Protected<T> {}

impl<T: Plain> Protected<T> {
    const CLASS: usize = {
        let mut class = 0;
        while SIZES[class] < size_of::<Held<T>>() {
            class += 1;
        }
        assert!(align_of::<Held<T>>() <= ALIGNMENT);
        class
    };

    pub fn zeroed() -> Self {
        let mut place = lock(&FREE[Self::CLASS]).take(SIZES[Self::CLASS]).cast::<Held<T>>();
        // SAFETY: the place is ours, big and aligned enough, and its zeros are a value.
        unsafe { place.as_mut() }.is_there = true;
        Protected { place, owned: PhantomData }
    }

    /// A key of zeros must never be taken for the one that was here.
    fn check(&self) {
        // SAFETY: the place is ours and holds a bool; volatile, since a fork changes it behind the compiler's back.
        let is_there = unsafe { (&raw const (*self.place.as_ptr()).is_there).read_volatile() };
        assert!(is_there, "this secret stayed in the parent process: a forked child must make its own");
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
        self.check();
        // SAFETY: the place is ours, big and aligned enough, and has held a T since it was zeroed.
        &unsafe { self.place.as_ref() }.value
    }
}

impl<T: Plain> DerefMut for Protected<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.check();
        // SAFETY: as above, and we are borrowed exclusively.
        &mut unsafe { self.place.as_mut() }.value
    }
}

impl<T: Plain> Drop for Protected<T> {
    fn drop(&mut self) {
        // SAFETY: the place has at least this many bytes, nobody else looks at them, and zeros are plain.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.place.as_ptr().cast::<u8>(), size_of::<Held<T>>()) };
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
        // SAFETY: the child only looks at the secret and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: the place is there, whatever is in it.
            let bytes = unsafe { std::slice::from_raw_parts(secret.place.as_ptr().cast::<u8>(), 32) };
            let is_wiped = bytes.iter().all(|byte| *byte == 0);
            let is_refused = std::panic::catch_unwind(|| secret[0]).is_err();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if is_wiped && is_refused { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: waits for our own child.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(&secret[..8], b"a secret");
    }
}
