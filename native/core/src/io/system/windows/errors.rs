//! What errors of sending and reading mean.

use std::io;

use windows_sys::Win32::Foundation::{ERROR_HANDLE_EOF, ERROR_INVALID_DATA};
use windows_sys::Win32::Networking::WinSock::{
    WSAEADDRNOTAVAIL, WSAEHOSTUNREACH, WSAEINVAL, WSAEMSGSIZE, WSAENETUNREACH, WSAENOPROTOOPT, WSAEOPNOTSUPP,
};

/// No network device takes trains, for any destination.
pub fn refuses_trains(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEOPNOTSUPP | WSAENOPROTOOPT))
}

/// Nothing is merged for an adapter.
pub fn refuses_merged(_: &io::Error) -> bool {
    false
}

/// Segments don't fit the path.
pub fn is_too_big(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEMSGSIZE | WSAEINVAL))
}

pub fn is_about_the_source(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEINVAL | WSAEADDRNOTAVAIL | WSAENETUNREACH | WSAEHOSTUNREACH))
}

/// A control message that this system does not take.
pub fn is_unknown_control(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAEINVAL)
}

/// What reading says after the adapter was removed.
pub fn removal(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? as u32 {
        ERROR_HANDLE_EOF => Some("the adapter was removed"),
        ERROR_INVALID_DATA => Some("the adapter's ring is corrupt"),
        _ => None,
    }
}
