//! Whether two rows mean the same.

use crate::formats::cfi::{Return, Said};
use crate::formats::rule::{Base, Cfa, Row, Rule, SavedBp, Shape};

/// Which part of two rows differs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Part {
    /// Whether there is a caller, and where its address is.
    Return,
    /// The frame's address.
    Cfa,
    /// The caller's RBP.
    Bp,
}

/// In which way two rows agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// They say the same, from SP or BP.
    Plain,
    /// The frame's address is in memory.
    Expression,
    /// It is in a register that the function keeps for that.
    Drap,
}

/// Whether a row of ORC and one of call-frame information mean the same.
pub(super) fn same(orc: &Rule, said: &Said) -> Result<(Way, bool), Part> {
    if orc.shape != Shape::Call || said.ret != Return::Below {
        return Err(Part::Return);
    }
    if said.cfa != Some(orc.cfa) {
        return Err(Part::Cfa);
    }
    let way = match orc.cfa {
        Cfa::Register(Base::Sp | Base::Bp, _) => Way::Plain,
        Cfa::Register(..) => Way::Drap,
        Cfa::Indirect { .. } => Way::Expression,
    };
    let bp = said.bp.ok_or(Part::Bp)?;
    if plain(orc.bp, &orc.cfa) == plain(bp, &orc.cfa) {
        return Ok((way, false));
    }
    // Popped: the word below the stack still holds what the register does.
    let popped = match (orc.bp, bp, orc.cfa) {
        (SavedBp::Unchanged, SavedBp::AtCfa(n), Cfa::Register(Base::Sp, sp)) => n < -sp,
        _ => false,
    };
    match popped {
        true => Ok((way, true)),
        false => Err(Part::Bp),
    }
}

/// `bp` from RBP where the frame's address is, too.
fn plain(bp: SavedBp, cfa: &Cfa) -> SavedBp {
    match (bp, cfa) {
        (SavedBp::AtCfa(n), Cfa::Register(Base::Bp, cfa)) => SavedBp::AtBp(cfa.saturating_add(n)),
        _ => bp,
    }
}

/// Whether both say that there is no caller.
pub(super) fn ends(orc: &Row, said: &Said) -> bool {
    *orc == Row::End && said.ret == Return::Nowhere
}
