//! `--require`: stacks that are not what was asked for.

use fixtrace::low::engine::verdicts::Verdicts;

use super::args::{Images, Require};
use super::open;

/// Whether a stack of which `verdicts` holds is what is required.
pub fn met(require: Require, verdicts: &Verdicts) -> bool {
    let reliable = verdicts.is_reliable() == Some(true);
    reliable && (require == Require::Reliable || verdicts.gap.is_none())
}

/// Says that `failed` of `all` stacks are not what is required; whether there are any.
pub fn say(images: &Images, require: Require, failed: usize, all: usize) -> bool {
    if failed > 0 {
        let what = match require {
            Require::Reliable => "reliable",
            Require::Complete => "reliable and complete",
        };
        let text = format!("{failed} of {all} stacks are not {what}");
        open::warn(images, &text);
    }
    failed > 0
}
