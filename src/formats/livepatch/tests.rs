//! Livepatch modules made by hand, and damaged.
