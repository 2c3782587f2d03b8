//! What is known of the function around an address: the same for its neighbours, who need not ask again.

use super::answer::Function;
use super::function::named;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::names;
use crate::formats::image::symtab::{Symbol, SymbolId};
use crate::formats::insn::stub::is_trampoline;
use crate::world::image::Image;

/// The last function met; for questions that come in order of address.
#[derive(Default)]
pub struct Memo<'k, 'd>(Option<Around<'k, 'd>>);

/// The surroundings of an address.
pub(super) struct Around<'k, 'd> {
    image: &'k Image<'d>,
    /// First and last-but-one address that all this holds for.
    from: LinkAddr,
    upto: LinkAddr,
    /// The last symbol not above.
    pub nearest: Option<(SymbolId, Symbol<'d>)>,
    /// The innermost function that covers it.
    pub covering: Option<SymbolId>,
    /// The same, when nothing else can be said of it.
    pub plain: Option<Function<'d>>,
}

impl<'k, 'd> Memo<'k, 'd> {
    /// The surroundings of `at`; `None` outside text.
    pub(super) fn around(&mut self, image: &'k Image<'d>, at: LinkAddr) -> Option<&Around<'k, 'd>> {
        let known = self.0.as_ref().is_some_and(|a| a.holds(image, at));
        if !known {
            self.0 = Around::new(image, at);
        }
        self.0.as_ref()
    }
}

impl<'k, 'd> Around<'k, 'd> {
    fn holds(&self, image: &Image<'d>, at: LinkAddr) -> bool {
        std::ptr::eq(self.image, image) && (self.from..self.upto).contains(&at)
    }

    fn new(image: &'k Image<'d>, at: LinkAddr) -> Option<Self> {
        let section = image.text_section(at)?;
        let section_end = section.addr?.offset(section.size.cast_signed());
        let symbols = image.symbols();
        let nearest = symbols.nearest(at).map(|id| (id, symbols.get(id)));
        let (covering, upto) = symbols.function_upto(at);
        Some(Around {
            image,
            from: at,
            // The nearest symbol changes where one begins, too.
            upto: upto.min(section_end),
            plain: plain(image, &nearest, covering),
            nearest,
            covering,
        })
    }
}

/// The function, when its symbol is the nearest and its name says no more.
fn plain<'d>(
    image: &Image<'d>,
    nearest: &Option<(SymbolId, Symbol<'d>)>,
    covering: Option<SymbolId>,
) -> Option<Function<'d>> {
    let (id, symbol) = nearest.as_ref().filter(|(id, _)| Some(*id) == covering)?;
    let name = symbol.name;
    let special = is_trampoline(name)
        || names::cold_base(name).is_some()
        || names::padded(name).is_some()
        || image.symbols().sizes_assumed();
    (!special).then(|| named(image, *id, name))
}
