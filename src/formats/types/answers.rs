//! The answers about types that an index is to keep.

use std::collections::BTreeMap;

use super::kept::{Answer, Kept, Question};
use super::layout::Types;
use crate::base::strings::StringPool;

/// Packs what `types` answer to `questions`.
pub(crate) fn pack<'q>(
    types: &Types<'_>,
    questions: impl IntoIterator<Item = Question<'q>>,
    strings: &mut StringPool,
) -> Vec<u8> {
    let answered = questions.into_iter();
    let answered: BTreeMap<_, _> = answered
        .filter_map(|q| Some((q, answer(types, q)?)))
        .collect();
    Kept::pack(&answered, strings)
}

fn answer(types: &Types<'_>, question: Question<'_>) -> Option<Answer> {
    let one = |n: i64| Some([n, 0, 0, 0]);
    match question {
        Question::Field(structure, path) => {
            let field = types.field(structure, path)?;
            let (first, width) = field.bits.unwrap_or_default();
            Some([
                field.offset.cast_signed(),
                field.size.cast_signed(),
                first.into(),
                width.into(),
            ])
        }
        Question::Length(structure, path) => one(types.length(structure, path)?.cast_signed()),
        Question::Size(structure) => one(types.size(structure)?.cast_signed()),
        Question::Enumerator(name) => one(types.enumerator(name)?),
        Question::Pointer(structure, name, target) => {
            one(types.is_pointer_to(structure, name, target).into())
        }
    }
}
