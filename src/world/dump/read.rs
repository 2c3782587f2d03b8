//! Reading the kernel's structures: symbols, members, lists.

use std::collections::BTreeSet;

use super::asked::{Layouts, SYMBOLS};
use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::types::{Field, Types};
use crate::world::image::Image;
use crate::world::memory::{Memory, Unreadable};

/// Elements of a list that are followed; more are a circle or a lie.
const MAX_ELEMENTS: usize = 1 << 22;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// A kernel whose memory can be read by the names in its source.
pub(super) struct Reader<'a, 'd> {
    pub(super) vmlinux: &'a Image<'d>,
    pub(super) types: Layouts<'a, 'd>,
    pub(super) memory: &'a dyn Memory,
    pub(super) slide: Slide,
    symbols: [Option<LinkAddr>; SYMBOLS.len()],
}

/// Lists of one kind that were followed.
#[derive(Default)]
pub(super) struct Lists {
    heads: BTreeSet<Addr>,
    forward: BTreeSet<Addr>,
    backward: BTreeSet<Addr>,
}

/// A value read from memory, or why not.
pub(super) type Read<T> = std::result::Result<T, Unreadable>;

impl<'a, 'd> Reader<'a, 'd> {
    /// Reads `memory` of `vmlinux`, which runs at `slide`; the symbols are found in one pass over its table.
    pub(super) fn new(
        vmlinux: &'a Image<'d>,
        types: &'a Types<'d>,
        memory: &'a dyn Memory,
        slide: Slide,
    ) -> Self {
        Reader {
            symbols: vmlinux.data_addresses(SYMBOLS),
            ..Reader::of_types(vmlinux, types, memory, slide)
        }
    }

    /// The same for who needs no symbols.
    pub(super) fn of_types(
        vmlinux: &'a Image<'d>,
        types: &'a Types<'d>,
        memory: &'a dyn Memory,
        slide: Slide,
    ) -> Self {
        Reader {
            vmlinux,
            types: Layouts(types),
            memory,
            slide,
            symbols: [None; SYMBOLS.len()],
        }
    }

    /// The same through other memory.
    pub(super) fn through<'b>(&'b self, memory: &'b dyn Memory) -> Reader<'b, 'd> {
        Reader { memory, ..*self }
    }

    /// Where `structure` has the member that `path` leads to.
    ///
    /// # Errors
    /// `MissingSection` that names both: nothing is assumed of a layout that the image does not describe.
    pub(super) fn need(&self, structure: &str, path: &str) -> Result<Field> {
        self.types.field(structure, path).ok_or_else(|| {
            let what = format!("its types have no {structure}.{path}");
            Error::new(ErrorKind::MissingSection, what).in_file(self.vmlinux.path())
        })
    }

    /// Runtime addresses of symbols, which `SYMBOLS` lists.
    pub(super) fn symbols<const N: usize>(&self, names: [&str; N]) -> [Option<Addr>; N] {
        names.map(|name| {
            let listed = SYMBOLS.iter().position(|s| *s == name);
            debug_assert!(listed.is_some(), "{name} is not listed");
            let at = *self.symbols.get(listed?)?;
            Some(self.runtime(at?))
        })
    }

    /// Per-CPU variables were linked from 0 on before 6.15, and such addresses do not move.
    fn runtime(&self, at: LinkAddr) -> Addr {
        match at.0 >> 63 {
            0 => Addr(at.0),
            _ => self.slide.runtime(at),
        }
    }

    /// The member `field` of the structure at `at`.
    pub(super) fn get(&self, at: Addr, field: Field) -> Read<u64> {
        let mut bytes = [0; 8];
        let size = usize::try_from(field.size).unwrap_or(8).min(8);
        let bytes_read = bytes.get_mut(..size).unwrap_or_default();
        self.memory
            .read(at.offset(field.offset.cast_signed()), bytes_read)?;
        let value = crate::base::bytes::u64_at(&bytes, 0).unwrap_or_default();
        Ok(match field.bits {
            Some((first, width)) => value >> first & !(u64::MAX << width.min(63)),
            None => value,
        })
    }

    /// The pointer at `at`.
    pub(super) fn pointer(&self, at: Addr) -> Read<Addr> {
        self.memory.u64(at).map(Addr)
    }

    /// The text at `at`, `len` bytes at most; what is not printable becomes `?`.
    pub(super) fn text(&self, at: Addr, len: u64) -> Read<String> {
        let mut bytes = vec![0; usize::try_from(len.min(512)).unwrap_or_default()];
        self.memory.read(at, &mut bytes)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let shown = bytes[..end].iter().map(|b| match b {
            0x20..=0x7e => char::from(*b),
            _ => '?',
        });
        Ok(shown.collect())
    }

    /// The text that a pointer leads to, `len` bytes at most. The page behind the one that it begins in is read only if
    /// it goes on there.
    pub(super) fn string(&self, at: Addr, len: u64) -> Read<String> {
        let here = (PAGE - at.0 % PAGE).min(len);
        let begin = self.text(at, here)?;
        match begin.len() as u64 == here && here < len {
            true => Ok(begin + &self.text(at.offset(here.cast_signed()), len - here)?),
            false => Ok(begin),
        }
    }

    /// The elements of the `list_head` at `head`, which each have `member` bytes before it. The second value says what
    /// broke the list; it is then followed from its other end, too.
    pub(super) fn list(&self, head: Addr, member: u64) -> (Vec<Addr>, Option<String>) {
        self.one_of(&mut Lists::default(), head, member)
    }

    /// The same of one of `lists`: nothing is on two of them, so that all are followed in the time that one takes. One
    /// that was followed before has no elements.
    pub(super) fn one_of(
        &self,
        lists: &mut Lists,
        head: Addr,
        member: u64,
    ) -> (Vec<Addr>, Option<String>) {
        if !lists.heads.insert(head) {
            return (Vec::new(), None);
        }
        let (mut forward, broken) = self.follow(head, 0, &mut lists.forward);
        let Some(why) = broken else {
            return (elements(forward, member), None);
        };
        let (backward, _) = self.follow(head, 8, &mut lists.backward);
        let known: BTreeSet<Addr> = forward.iter().copied().collect();
        forward.extend(backward.into_iter().rev().filter(|a| !known.contains(a)));
        (elements(forward, member), Some(why))
    }

    /// Follows the pointer `link` bytes into each `list_head`, from `head` until `head` comes again.
    fn follow(
        &self,
        head: Addr,
        link: i64,
        seen: &mut BTreeSet<Addr>,
    ) -> (Vec<Addr>, Option<String>) {
        let mut all = Vec::new();
        let mut at = head;
        loop {
            at = match self.pointer(at.offset(link)) {
                Ok(next) => next,
                Err(why) => return (all, Some(format!("the list at {head}: {at}: {why}"))),
            };
            if at == head {
                return (all, None);
            }
            if !seen.insert(at) || all.len() >= MAX_ELEMENTS {
                return (
                    all,
                    Some(format!("the list at {head} runs in a circle at {at}")),
                );
            }
            all.push(at);
        }
    }

    /// The elements of a list that ends with a null pointer, whose first is at `first`; each has the pointer to the next
    /// `link` bytes from its beginning.
    pub(super) fn chain(&self, first: Addr, link: u64) -> Vec<Addr> {
        self.chain_of(first, link, MAX_ELEMENTS)
    }

    /// The same, `most` of them.
    pub(super) fn chain_of(&self, first: Addr, link: u64, most: usize) -> Vec<Addr> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        let mut at = first;
        while at != Addr(0) && seen.insert(at) && all.len() < most {
            all.push(at);
            match self.pointer(at.offset(link.cast_signed())) {
                Ok(next) => at = next,
                Err(_) => break,
            }
        }
        all
    }
}

fn elements(links: Vec<Addr>, member: u64) -> Vec<Addr> {
    let start = |at: Addr| at.offset(-member.cast_signed());
    links.into_iter().map(start).collect()
}
