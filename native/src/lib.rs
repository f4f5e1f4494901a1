//! The Python module `wgtun_native`. Only this crate knows Python; the work is done in `wgtun_core`.

use pyo3::prelude::*;

mod provider;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::provider::Provider;
}
