//! What images say of a report: its frames, whether the image is the one that ran; and how that is added to the log.

pub mod annotate;
pub mod clerk;
pub mod culprit;
pub mod desk;
pub mod evidence;
pub mod explain;
pub mod filter;
pub mod group;
pub mod machinery;
pub mod many;
pub mod placed;
pub mod tell;
