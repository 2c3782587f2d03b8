//! JSON: serialisable twins of the results. Fields are only ever added; `testdata/schema/` describes them.

#[cfg(feature = "validate")]
pub mod comparison;
#[cfg(feature = "validate")]
pub mod explanation;
pub mod frame;
pub mod hazards;
pub mod livepatch;
pub mod oops;
pub mod reports;
pub mod stack;
pub mod system;
#[cfg(feature = "validate")]
pub mod validation;

use serde::{Serialize, Serializer};
pub use serde_json::{Map, Value, json};

/// `value` on one line, without its end. What cannot be put in words is nothing.
pub fn line(value: &impl Serialize) -> String {
    // Writing to memory does not fail, and all keys are strings.
    serde_json::to_string(value).unwrap_or_default()
}

/// An address, shown as `0x…`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address(pub u64);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(super::human::hex(self.0, &mut [0; 18]))
    }
}
