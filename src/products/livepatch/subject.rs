//! A function while it is looked at.

use super::hazard::Spot;
use super::target::Target;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::names::cold_base;
use crate::formats::image::symtab::SymbolId;
use crate::world::image::Image;
use crate::world::kernel::Kernel;

/// A function being looked at.
pub(super) struct Subject<'k, 'd> {
    pub kernel: &'k Kernel<'d>,
    pub image: &'k Image<'d>,
    pub target: &'k Target,
    /// Its symbol; labels have one, too.
    pub id: Option<SymbolId>,
    /// One behind its last byte, padding left out.
    pub end: LinkAddr,
    /// Its cold parts.
    pub cold: Vec<SymbolId>,
}

impl<'k, 'd> Subject<'k, 'd> {
    pub(super) fn new(kernel: &'k Kernel<'d>, image: &'k Image<'d>, target: &'k Target) -> Self {
        let symbols = image.symbols();
        let begins = |id: &SymbolId| symbols.range(*id).0 == target.link;
        let id = symbols.function(target.link).filter(begins);
        let own = id.map(|id| symbols.range(id).1);
        Subject {
            kernel,
            image,
            target,
            id: id.or_else(|| symbols.nearest(target.link)),
            cold: cold_parts(image, &target.asked.name, target.link),
            end: own.map_or(target.end(), |end| end.min(target.end())),
        }
    }

    /// Its symbol.
    pub(super) fn name(&self) -> &'k str {
        &self.target.asked.name
    }

    /// What is at `link`, with `what` said of it.
    pub(super) fn spot(&self, link: LinkAddr, what: impl Into<String>) -> Spot {
        let symbols = self.image.symbols();
        let id = symbols.function(link).or_else(|| symbols.nearest(link));
        Spot {
            link,
            function: id.map_or_else(String::new, |id| symbols.name(id).to_owned()),
            offset: id
                .and_then(|id| link.since(symbols.range(id).0))
                .unwrap_or_default(),
            count: 1,
            what: what.into(),
        }
    }

    /// Its code and that of its cold parts: first byte and end.
    pub(super) fn code(&self) -> Vec<(LinkAddr, LinkAddr)> {
        let symbols = self.image.symbols();
        let all = self.cold.iter().map(|id| symbols.range(*id));
        [(self.target.link, self.end)]
            .into_iter()
            .chain(all)
            .collect()
    }
}

/// The cold parts of the function called `name` that begins at `start`.
fn cold_parts(image: &Image<'_>, name: &str, start: LinkAddr) -> Vec<SymbolId> {
    let symbols = image.symbols();
    let is_cold = |row: &usize| {
        let found = symbols.name_in(*row);
        found.len() > name.len() && found.starts_with(name) && cold_base(found) == Some(name)
    };
    let own = |id: &SymbolId| {
        let parents = symbols.cold_parent(*id).all();
        parents.iter().any(|p| symbols.range(*p).0 == start)
    };
    let rows = (0..symbols.len()).filter(is_cold);
    let all = rows.map(|row| SymbolId::from_row(row as u32));
    all.filter(own).collect()
}
