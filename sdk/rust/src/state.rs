//! Small values kept between the runs of one check and target: rates, trends, cursors.
//!
//! 64 keys of 128 bytes, 16 KiB in all. They are read before the run and written with its result: a run that fails writes nothing.

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::state as kept;
#[cfg(not(target_family = "wasm"))]
use crate::testing::kept;

use crate::Error;

/// What was put under that key, by an earlier run or by this one.
pub fn get(key: &str) -> Option<Vec<u8>> {
    kept::get(key)
}

/// Keeps a value; the error says which bound it passes.
pub fn put(key: &str, value: &[u8]) -> Result<(), Error> {
    kept::put(key, value).map_err(Error::quota)
}

/// Forgets a key.
pub fn remove(key: &str) {
    kept::remove(key);
}

/// What was put with [`put_json`]. What cannot be read (another version of the plugin wrote it) counts as absent.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Option<T> {
    serde_json::from_slice(&get(key)?).ok()
}

/// Keeps a value as JSON.
pub fn put_json<T: Serialize>(key: &str, value: &T) -> Result<(), Error> {
    let json = serde_json::to_vec(value).map_err(|error| Error::internal(error.to_string()))?;
    put(key, &json)
}
