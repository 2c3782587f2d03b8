//! What one family of checks gives.

use super::finding::Finding;

/// What one family found.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    /// Numbers by name, in the order in which they are told.
    pub counts: Vec<(&'static str, u64)>,
    /// What is wrong, in any order.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
}
