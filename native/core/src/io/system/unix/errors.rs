//! What errors of sending and reading mean.

use std::io;

/// No network device takes trains, for any destination.
pub fn refuses_trains(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EOPNOTSUPP))
}

/// A TUN does not take merged packets at all. Others may come when there was no memory for one.
pub fn refuses_merged(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO | libc::EMSGSIZE | libc::EOPNOTSUPP))
}

/// Segments don't fit the path (EINVAL before Linux 6.14).
pub fn is_too_big(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::EINVAL))
}

pub fn is_about_the_source(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENODEV)
    )
}

/// A control message that this system does not take.
pub fn is_unknown_control(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// What reading says after the interface was deleted under the descriptor.
pub fn removal(error: &io::Error) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    let is_removal = matches!(error.raw_os_error(), Some(libc::EBADF | libc::EBADFD));
    #[cfg(not(target_os = "linux"))]
    let is_removal = matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENXIO));
    is_removal.then_some("the TUN interface was removed")
}
