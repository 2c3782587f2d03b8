//! Answers about types that an index keeps, in place of a description of them all.

use std::collections::BTreeMap;

use super::field::Field;
use crate::base::column::{Stream, put_signed, put_varint};
use crate::base::strings::{StringPool, Strings};

/// What can be asked of types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question<'a> {
    /// Where `structure` has the member that a path leads to.
    Field(&'a str, &'a str),
    /// How many elements its member, an array, has.
    Length(&'a str, &'a str),
    /// How large it is.
    Size(&'a str),
    /// The value of an enumerator.
    Enumerator(&'a str),
    /// Whether its member is a pointer to a structure.
    Pointer(&'a str, &'a str, &'a str),
}

/// Answers, by question.
#[derive(Debug, Default)]
pub struct Kept<'d>(BTreeMap<Question<'d>, Answer>);

/// Numbers that an answer takes: place, bytes and bits of a field; else one.
pub(super) type Answer = [i64; 4];

impl<'d> Kept<'d> {
    /// Packs answers.
    pub(super) fn pack(
        answered: &BTreeMap<Question<'_>, Answer>,
        strings: &mut StringPool,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, answered.len() as u64);
        for (question, answer) in answered {
            let (kind, names) = parts(*question);
            put_varint(&mut out, kind);
            for name in names {
                put_varint(&mut out, strings.add(name).into());
            }
            answer.iter().for_each(|n| put_signed(&mut out, *n));
        }
        out
    }

    /// Reads what [`Kept::pack`] wrote; `None` when it is damaged.
    pub(crate) fn read(bytes: &[u8], strings: Strings<'d>) -> Option<Self> {
        let mut s = Stream::new(bytes);
        let mut all = BTreeMap::new();
        for _ in 0..s.count()? {
            let kind = s.varint()?;
            let mut names = [""; 3];
            for name in &mut names {
                *name = strings.get(s.u32()?)?;
            }
            let question = question(kind, names)?;
            let mut answer = [0; 4];
            for n in &mut answer {
                *n = s.signed()?;
            }
            all.insert(question, answer);
        }
        s.is_done().then_some(Kept(all))
    }

    pub(super) fn field(&self, structure: &str, path: &str) -> Option<Field> {
        let [offset, size, first, width] = self.get(Question::Field(structure, path))?;
        let bits = (u32::try_from(first).ok()?, u32::try_from(width).ok()?);
        Some(Field {
            offset: offset.cast_unsigned(),
            size: size.cast_unsigned(),
            bits: Some(bits).filter(|(_, width)| *width > 0),
        })
    }

    pub(super) fn number(&self, question: Question<'_>) -> Option<i64> {
        self.get(question).map(|a| a[0])
    }

    /// The map's keys live as long as the index; the question need not.
    fn get<'q>(&'q self, question: Question<'q>) -> Option<Answer> {
        let map: &BTreeMap<Question<'q>, Answer> = &self.0;
        map.get(&question).copied()
    }
}

/// A question's kind and the names in it.
fn parts(question: Question<'_>) -> (u64, [&str; 3]) {
    match question {
        Question::Field(structure, path) => (0, [structure, path, ""]),
        Question::Length(structure, path) => (1, [structure, path, ""]),
        Question::Size(structure) => (2, [structure, "", ""]),
        Question::Enumerator(name) => (3, [name, "", ""]),
        Question::Pointer(structure, name, target) => (4, [structure, name, target]),
    }
}

fn question(kind: u64, [first, second, third]: [&str; 3]) -> Option<Question<'_>> {
    Some(match kind {
        0 => Question::Field(first, second),
        1 => Question::Length(first, second),
        2 => Question::Size(first),
        3 => Question::Enumerator(first),
        4 => Question::Pointer(first, second, third),
        _ => return None,
    })
}
