//! Fresh zeroed pages for secrets, which stay ours for good. They stay out of core dumps, and are empty in
//! a forked child, where the system can do that; on Windows they stay out of the paging file.

use std::ptr::NonNull;

#[cfg(unix)]
pub fn map(size: usize) -> NonNull<u8> {
    // SAFETY: an anonymous mapping at an address of the system's choice touches nothing that exists.
    let pages = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON | MAP_CONCEAL,
            -1,
            0,
        )
    };
    assert!(pages != libc::MAP_FAILED, "out of memory for secrets");
    protect(pages, size);
    NonNull::new(pages.cast()).expect("a mapping is never at zero")
}

/// Not in core dumps.
#[cfg(target_os = "openbsd")]
const MAP_CONCEAL: libc::c_int = 0x8000;
/// Others are told afterwards.
#[cfg(all(unix, not(target_os = "openbsd")))]
const MAP_CONCEAL: libc::c_int = 0;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn protect(pages: *mut libc::c_void, size: usize) {
    for advice in [libc::MADV_DONTDUMP, libc::MADV_WIPEONFORK] {
        // SAFETY: the pages are ours; an old kernel that does not know the advice says so, and that is all.
        unsafe { libc::madvise(pages, size, advice) };
    }
}

#[cfg(any(target_os = "freebsd", target_os = "openbsd"))]
fn protect(pages: *mut libc::c_void, size: usize) {
    const MAP_INHERIT_ZERO: libc::c_int = 3;
    // SAFETY: the pages are ours; a system that can't do it says so, and that is all.
    unsafe {
        #[cfg(target_os = "freebsd")]
        libc::madvise(pages, size, libc::MADV_NOCORE);
        libc::minherit(pages, size, MAP_INHERIT_ZERO);
    }
}

/// Pages that a child does not have at all would end a child that gives secrets back.
#[cfg(target_vendor = "apple")]
fn protect(_: *mut libc::c_void, _: usize) {}

#[cfg(windows)]
pub fn map(size: usize) -> NonNull<u8> {
    use windows_sys::Win32::System::Memory::{MEM_COMMIT, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualLock};

    // SAFETY: memory at an address of the system's choice touches nothing that exists.
    let pages = unsafe { VirtualAlloc(std::ptr::null(), size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
    let chunk = NonNull::new(pages.cast()).expect("out of memory for secrets");
    // SAFETY: the pages are ours; where the process may lock no more, they are as good as others.
    unsafe { VirtualLock(pages, size) };
    chunk
}
