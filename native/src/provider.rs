//! The crypto provider: see `wgtun.noise.provider` for the interface.
//!
//! Every class is opaque: Python holds handles, the secrets stay in protected memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::buffer::PyBuffer;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};
use wgtun_core::constants::TAG_SIZE;
use wgtun_core::crypto::{aead, symmetric_state, x25519};

create_exception!(wgtun_native, InvalidTag, PyException, "Data that is not authentic.");

fn handshake_error(py: Python<'_>, problem: &'static str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match CLASS.import(py, "wgtun.errors", "HandshakeError") {
        Ok(class) => PyErr::from_type(class.clone(), problem),
        Err(error) => error,
    }
}

/// A reference, for a copy of a secret would have to be wiped.
fn exactly<'a, const SIZE: usize>(what: &str, bytes: &'a [u8]) -> PyResult<&'a [u8; SIZE]> {
    bytes.try_into().map_err(|_| PyValueError::new_err(format!("{what} has {SIZE} bytes, not {}", bytes.len())))
}

/// See `wgtun.noise.provider.CryptoProvider`.
#[pyclass(frozen, module = "wgtun_native")]
pub struct Provider;

#[pymethods]
impl Provider {
    #[classattr]
    #[allow(non_upper_case_globals)]
    const name: &'static str = "native";

    #[classattr]
    fn invalid_tag(py: Python<'_>) -> Bound<'_, PyType> {
        py.get_type::<InvalidTag>()
    }

    #[new]
    fn new() -> Self {
        Provider
    }

    fn load_private(&self, key: &[u8]) -> PyResult<PrivateKey> {
        Ok(PrivateKey(x25519::PrivateKey::from_bytes(exactly("a private key", key)?)))
    }

    fn generate_private(&self) -> PrivateKey {
        PrivateKey(x25519::PrivateKey::generate())
    }

    fn symmetric_state(&self) -> SymmetricState {
        SymmetricState(Mutex::default())
    }

    fn aead(&self, key: &[u8]) -> PyResult<TransportKey> {
        Ok(TransportKey::new(aead::Key::new(exactly("a key", key)?)))
    }
}

/// A Curve25519 private key.
#[pyclass(frozen, module = "wgtun_native")]
pub struct PrivateKey(x25519::PrivateKey);

#[pymethods]
impl PrivateKey {
    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public())
    }

    fn exchange(&self, py: Python<'_>, public: &[u8]) -> PyResult<SharedSecret> {
        let public = exactly("a public key", public)?;
        self.0.exchange(public).map(SharedSecret).ok_or_else(|| handshake_error(py, "invalid public key"))
    }
}

/// The result of an exchange.
#[pyclass(frozen, module = "wgtun_native")]
pub struct SharedSecret(x25519::SharedSecret);

/// The chaining key, hash and cipher key of a handshake.
#[pyclass(frozen, module = "wgtun_native")]
pub struct SymmetricState(Mutex<symmetric_state::SymmetricState>);

impl SymmetricState {
    fn state(&self) -> MutexGuard<'_, symmetric_state::SymmetricState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What may be mixed in: bytes that anyone may know, or a secret.
#[derive(FromPyObject)]
enum Material<'py> {
    Secret(PyRef<'py, SharedSecret>),
    Bytes(Bound<'py, PyBytes>),
}

#[pymethods]
impl SymmetricState {
    fn mix_hash(&self, data: &[u8]) {
        self.state().mix_hash(data);
    }

    fn mix_key(&self, input_key_material: Material<'_>) {
        match input_key_material {
            Material::Secret(secret) => self.state().mix_secret(&secret.0),
            Material::Bytes(bytes) => self.state().mix_key(bytes.as_bytes()),
        }
    }

    fn mix_key_and_hash(&self, input_key_material: &[u8]) {
        self.state().mix_key_and_hash(input_key_material);
    }

    fn encrypt_and_hash<'py>(&self, py: Python<'py>, plaintext: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.state().encrypt_and_hash(plaintext))
    }

    fn decrypt_and_hash<'py>(&self, py: Python<'py>, ciphertext: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let plaintext = self.state().decrypt_and_hash(ciphertext);
        let plaintext = plaintext.ok_or_else(|| handshake_error(py, "a handshake message that is not authentic"))?;
        Ok(PyBytes::new(py, &plaintext))
    }

    fn split(&self) -> (TransportKey, TransportKey) {
        let (first, second) = self.state().split();
        (TransportKey::new(first), TransportKey::new(second))
    }

    fn copy(&self) -> SymmetricState {
        SymmetricState(Mutex::new(self.state().clone()))
    }
}

/// One direction of a session: see `wgtun.dataplane.Aead`.
#[pyclass(frozen, module = "wgtun_native")]
pub struct TransportKey(Arc<aead::Key>);

impl TransportKey {
    fn new(key: aead::Key) -> Self {
        TransportKey(Arc::new(key))
    }

    pub fn key(&self) -> Arc<aead::Key> {
        self.0.clone()
    }
}

#[pymethods]
impl TransportKey {
    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        nonce: &[u8],
        data: &Bound<'py, PyAny>,
        associated_data: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let nonce = exactly("a nonce", nonce)?;
        let mut buffer = bytes_of(data)?;
        buffer.resize(buffer.len() + TAG_SIZE, 0);
        self.0.seal_with(nonce, associated_data.unwrap_or_default(), &mut buffer);
        Ok(PyBytes::new(py, &buffer))
    }

    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        nonce: &[u8],
        data: &Bound<'py, PyAny>,
        associated_data: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let nonce = exactly("a nonce", nonce)?;
        let mut buffer = bytes_of(data)?;
        let opened = self.0.open_with(nonce, associated_data.unwrap_or_default(), &mut buffer);
        Ok(PyBytes::new(py, opened.ok_or_else(|| InvalidTag::new_err("not authentic"))?))
    }
}

/// Of anything that has them: bytes, a view.
fn bytes_of(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    PyBuffer::<u8>::get(data)?.to_vec(data.py())
}
