//! The crypto provider: see `wgtun.noise.provider` for the interface.

use pyo3::prelude::*;

/// See `wgtun.noise.provider.CryptoProvider`.
#[pyclass(frozen)]
pub struct Provider;
