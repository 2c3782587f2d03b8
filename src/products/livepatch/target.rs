//! The function that the kernel would patch, found as it finds it.
//!
//! Sources: kernel/livepatch/core.c `klp_init_object_loaded()`, `klp_find_object_symbol()` (5.10-7.2); the size is
//! `kallsyms_lookup_size_offset()`'s, up to the next symbol, not the symbol's own.

use super::asked::Asked;
use super::unresolved::{Choice, Unresolved};
use crate::base::addr::{Addr, Address, LinkAddr};
use crate::formats::image::{Called, ImageKind};
use crate::world::image::Image;
use crate::world::kernel::{Kernel, Placed};

/// A function that the kernel would patch.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Target {
    /// What was asked for.
    pub asked: Asked,
    /// Which of the symbols of its name it is, from 1.
    pub position: u64,
    /// The name of its image.
    pub image: String,
    /// What that is.
    pub kind: ImageKind,
    /// Link address.
    pub link: LinkAddr,
    /// Runtime address, where that is known: `old_func`.
    pub addr: Option<Addr>,
    /// Bytes up to the next symbol: `old_size`.
    pub size: u64,
}

impl Target {
    /// Link address of the first byte that the kernel takes for none of it.
    pub fn end(&self) -> LinkAddr {
        self.link.offset(self.size.cast_signed())
    }

    /// Whether the kernel takes the return address `at` for one of it: from `old_func` up to `old_func + old_size`, and
    /// as it stands on the stack, not the call before it (kernel/livepatch/transition.c `klp_check_stack_func()`,
    /// 5.10-7.2).
    pub fn holds(&self, at: Addr) -> bool {
        let offset = self.addr.and_then(|start| at.since(start));
        offset.is_some_and(|o| o < self.size)
    }
}

/// Finds what the kernel would patch for `asked`.
///
/// # Errors
/// Why it would find nothing, or not know what to choose.
pub fn resolve(kernel: &Kernel<'_>, asked: &Asked) -> Result<Target, Unresolved> {
    let placed = match &asked.object {
        Some(module) => kernel.image(module),
        None => kernel.vmlinux(),
    };
    let placed = placed.ok_or(Unresolved::NoImage)?;
    let all = placed.image.called(&asked.name);
    let choices = || all.iter().zip(1..).map(|(c, n)| choice(placed, c, n));
    let chosen = match (all.len() as u64, asked.sympos) {
        (0, _) => return Err(missing(kernel, placed, asked)),
        (1, 0) => 1,
        (_, 0) => return Err(Unresolved::Ambiguous(choices().collect())),
        (count, n) if n <= count => n,
        _ => return Err(Unresolved::NoPosition(choices().collect())),
    };
    let called = &all[chosen as usize - 1];
    if !called.code {
        return Err(Unresolved::Data(choice(placed, called, chosen)));
    }
    Ok(Target {
        asked: asked.clone(),
        position: chosen,
        image: placed.image.name().to_owned(),
        kind: placed.image.kind(),
        link: called.link,
        addr: placed.slide.map(|s| s.runtime(called.link)),
        size: size(&placed.image, called.link),
    })
}

/// The symbols of the name of `target`, with what tells them apart.
pub fn choices(kernel: &Kernel<'_>, target: &Target) -> Vec<Choice> {
    let placed = kernel.image(&target.image);
    let all = placed.map(|p| p.image.called(&target.asked.name));
    let all = all.unwrap_or_default();
    let numbered = all.iter().zip(1..);
    placed
        .map(|p| numbered.map(|(c, n)| choice(p, c, n)).collect())
        .unwrap_or_default()
}

/// Bytes from `at` to the next symbol; to the end of text where there is none.
fn size(image: &Image<'_>, at: LinkAddr) -> u64 {
    let symbols = image.symbols();
    let id = symbols.nearest(at);
    id.map_or(0, |id| symbols.get(id).extent)
}

fn choice(placed: &Placed<'_>, called: &Called<'_>, sympos: u64) -> Choice {
    let lines = placed.image.lines().ok().flatten();
    let of_lines = lines
        .filter(|_| called.code)
        .and_then(|l| l.at(called.link).last()?.file);
    let of_table = || called.file.map(str::to_owned);
    Choice {
        sympos,
        link: called.link,
        addr: placed.slide.map(|s| s.runtime(called.link)),
        code: called.code,
        file: of_lines.map(|f| f.to_string()).or_else(of_table),
    }
}

/// What is known of a name that the image does not have.
fn missing<'d>(kernel: &Kernel<'d>, placed: &Placed<'d>, asked: &Asked) -> Unresolved {
    let others = kernel.images().iter();
    let others = others.filter(|p| !std::ptr::eq(*p, placed));
    let has = |p: &&Placed<'_>| !p.image.called(&asked.name).is_empty();
    Unresolved::NotFound {
        elsewhere: others
            .filter(has)
            .map(|p| p.image.name().to_owned())
            .collect(),
        freed: placed.image.symbols().named(&asked.name).next().is_some(),
    }
}
