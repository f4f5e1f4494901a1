//! The Python module `wgtun_native`. Only this crate knows Python; the work is done in `wgtun_core`.

use pyo3::prelude::*;

mod convert;
mod engine;
mod provider;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::provider::{InvalidTag, PrivateKey, Provider, SharedSecret, SymmetricState, TransportKey};
}
