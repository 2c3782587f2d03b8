//! What is known of an image before any of its functions is followed.

use std::collections::HashSet;

use crate::base::addr::{Address, LinkAddr};
use crate::base::error::Finding;
use crate::base::overlap::apart;
use crate::formats::extable::ExTable;
use crate::formats::image::ElfImage;
use crate::formats::image::names::cold_base;
use crate::formats::insn::stub::{Stub, stub};
use crate::formats::orc::OrcTable;

/// How often all bytes of text may be followed as those of overlapping functions, together.
const MOST_OVERLAP: u64 = 2;

/// An image, its tables, and what the names of its functions tell.
pub struct Ground<'i, 'd> {
    pub(super) image: &'i ElfImage<'d>,
    pub(super) orc: Option<&'i OrcTable<'i>>,
    pub(super) extable: &'i ExTable,
    /// Where return thunks are: a jump there is a return.
    pub(super) returns: HashSet<LinkAddr>,
    /// `__fentry__`, which changes no register.
    pub(super) traces: HashSet<LinkAddr>,
    /// Functions that do not come back.
    pub(super) ends: HashSet<LinkAddr>,
}

impl<'i, 'd> Ground<'i, 'd> {
    /// What is known of `image`. Without ORC its code alone is followed. `ends` tells functions that do not come back by
    /// their names, for what a module imports.
    pub fn new(
        image: &'i ElfImage<'d>,
        orc: Option<&'i OrcTable<'i>>,
        extable: &'i ExTable,
        ends: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut ground = Ground {
            image,
            orc,
            extable,
            returns: HashSet::new(),
            traces: HashSet::new(),
            ends: HashSet::new(),
        };
        let imports = image.imports().iter().enumerate();
        let imports = imports.map(|(i, name)| (*name, crate::formats::image::layout::import(i)));
        let own = image.symbols().iter().map(|(_, s)| (s.name, s.addr));
        for (name, at) in own.chain(imports) {
            match stub(name) {
                Some(Stub::Return) => {
                    ground.returns.insert(at);
                }
                Some(Stub::Patched) if name.ends_with("__fentry__") => {
                    ground.traces.insert(at);
                }
                _ => {}
            }
            if image.text_section(at).is_none() && ends(name) {
                ground.ends.insert(at);
            }
        }
        ground.find_ends();
        ground
    }

    /// What is called by the last instruction of a function does not come back.
    fn find_ends(&mut self) {
        /// Bytes of a direct call, and its opcode.
        const CALL: i64 = 5;
        const OPCODE: u8 = 0xe8;
        let symbols = self.image.symbols();
        for (_, symbol) in symbols.iter().filter(|(_, s)| s.function) {
            let end = symbol.addr.offset(symbol.size.unwrap_or(0) as i64);
            let last = end.offset(-CALL);
            if last < symbol.addr {
                continue;
            }
            if let [OPCODE, a, b, c, d, ..] = *self.image.code(last) {
                let target = end.offset(i32::from_le_bytes([a, b, c, d]).into());
                let known = symbols.begins(target) || self.image.import(target).is_some();
                if known && !self.traces.contains(&target) {
                    self.ends.insert(target);
                }
            }
        }
    }

    /// The names of functions that do not come back.
    pub fn end_names(&self) -> impl Iterator<Item = &'d str> {
        let symbols = self.image.symbols();
        self.ends.iter().flat_map(move |at| symbols.names_at(*at))
    }

    /// The functions that are followed: sized symbols that lie in no other, without cold parts, which are followed with
    /// the function that they are of.
    pub fn functions(&self) -> Vec<(LinkAddr, LinkAddr)> {
        self.ranges(|name| cold_base(name).is_none())
    }

    /// Cold parts.
    pub(crate) fn cold_parts(&self) -> Vec<(LinkAddr, LinkAddr)> {
        self.ranges(|name| cold_base(name).is_some())
    }

    fn ranges(&self, fits: impl Fn(&str) -> bool) -> Vec<(LinkAddr, LinkAddr)> {
        let symbols = self.image.symbols();
        let functions = symbols.iter().filter(|(_, s)| s.function);
        let mut found: Vec<(LinkAddr, LinkAddr)> = functions
            .filter(|(_, s)| fits(s.name))
            .map(|(_, s)| (s.addr, s.addr.offset(s.size.unwrap_or(0) as i64)))
            .filter(|(start, end)| start < end)
            .collect();
        // The longest of those that begin together comes first, and what lies in it is left out.
        found.sort_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
        let mut upto = LinkAddr(0);
        found.retain(|(_, end)| {
            let outer = *end > upto;
            upto = upto.max(*end);
            outer
        });
        // Functions of a sound image lie apart.
        let text = self.image.text_sections().map(|s| s.data.len() as u64);
        let most = text.sum::<u64>().saturating_mul(MOST_OVERLAP);
        let fits = apart(found.iter().map(|(start, end)| (start.0, end.0)), most);
        let (all, mut fits) = (found.len(), fits.into_iter());
        found.retain(|_| fits.next().unwrap_or(true));
        if found.len() < all {
            let what = format!(
                "{} functions overlap others that are followed; left out",
                all - found.len()
            );
            let finding = Finding::new(".symtab", 0, what);
            self.image.storage().leave_out(finding);
        }
        found
    }
}
