//! The place of a finding in words, fit to be shown.

use crate::base::demangle::demangle;
use crate::base::text::escaped;
use crate::products::validate::{Finding, What};

/// `function+0x10`; nothing where there is no function.
pub fn function(finding: &Finding) -> Option<String> {
    let name = finding.spot.function.as_deref()?;
    let name = demangle(name);
    Some(match finding.spot.offset {
        0 => escaped(&name).into_owned(),
        offset => format!("{}+{offset:#x}", escaped(&name)),
    })
}

/// The link address; nothing of the image as a whole.
pub fn address(finding: &Finding) -> Option<u64> {
    (finding.spot.what != What::Image).then_some(finding.spot.link.0)
}

/// `0xffffffff81000010 function+0x10`, or nothing.
pub fn place(finding: &Finding) -> String {
    let address = address(finding).map(|a| format!("{a:#x}"));
    let parts: Vec<String> = address.into_iter().chain(function(finding)).collect();
    parts.join(" ")
}
