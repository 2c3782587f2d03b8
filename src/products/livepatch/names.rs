//! What names tell: symbols of the same name, at the same place, of the same source, of the same system call; and in
//! which region of text the function is.

use super::hazard::{Hazard, Kind, Spot};
use super::subject::Subject;
use super::target::choices;
use crate::base::addr::LinkAddr;
use crate::formats::image::names::{clone_base, cold_base, is_edge, padded};
use crate::formats::image::symtab::SymbolId;
use crate::formats::image::{Called, ImageKind};

/// What stands before the name of a system call (arch/x86/include/asm/syscall_wrapper.h, 4.17-7.2).
const ENTRIES: [&str; 6] = [
    "__x64_sys_",
    "__ia32_sys_",
    "__ia32_compat_sys_",
    "__x64_compat_sys_",
    "__se_sys_",
    "__do_sys_",
];

/// Aliases, clones, equal names, twins.
pub(super) fn hazards(subject: &Subject<'_, '_>) -> Vec<Hazard> {
    let all = [
        several(subject),
        clones(subject),
        aliases(subject),
        twins(subject),
    ];
    let scheduler = region(subject, &[".sched.text"]);
    let scheduler = scheduler.then(|| {
        let spot = subject.spot(subject.target.link, "");
        Hazard::new(Kind::Scheduler, "is in .sched.text", vec![spot])
    });
    all.into_iter().flatten().chain(scheduler).collect()
}

/// Whether the function is in one of `sections`: those of a module, or what the linker script marks in a vmlinux
/// (`.sched.text`: `__sched_text_start`).
pub(super) fn region(subject: &Subject<'_, '_>, sections: &[&str]) -> bool {
    let at = subject.target.link;
    if subject.target.kind == ImageKind::Module {
        let section = subject.image.text_section(at).map(|s| s.name);
        return section.is_some_and(|name| sections.contains(&name));
    }
    let symbols = subject.image.symbols();
    let mark = |section: &str, edge: &str| {
        let name = format!(
            "__{}_{edge}",
            section.trim_start_matches('.').replace('.', "_")
        );
        let id = symbols.named(&name).next();
        id.map(|id| symbols.range(id).0)
    };
    sections.iter().any(|section| {
        let marks = mark(section, "start").zip(mark(section, "end"));
        marks.is_some_and(|(from, to)| (from..to).contains(&at))
    })
}

fn several(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let all = choices(subject.kernel, subject.target);
    if all.len() < 2 {
        return None;
    }
    let spots = all.iter().map(|c| {
        let file = c.file.as_deref().unwrap_or("an unknown file");
        let data = if c.code { "" } else { ", a variable" };
        subject.spot(c.link, format!("position {}, of {file}{data}", c.sympos))
    });
    let fact = format!(
        "{} symbols have its name; it is number {}",
        all.len(),
        subject.target.position
    );
    Some(Hazard::new(Kind::SeveralSymbols, fact, spots.collect()))
}

/// Symbols of versions of the same source function.
fn clones(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let (symbols, name) = (subject.image.symbols(), subject.name());
    let base = clone_base(name).unwrap_or(name);
    let is_clone = |row: &usize| {
        let found = symbols.name_in(*row);
        found != name
            && found.starts_with(base)
            && cold_base(found).is_none()
            && (found == base || clone_base(found) == Some(base))
    };
    let rows = (0..symbols.len()).filter(is_clone);
    let ids = rows.map(|row| SymbolId::from_row(row as u32));
    let spots = ids.map(|id| Spot {
        function: symbols.name(id).to_owned(),
        offset: 0,
        ..subject.spot(symbols.range(id).0, "")
    });
    let spots: Vec<Spot> = spots.filter(|s| s.link != subject.target.link).collect();
    let fact = match spots.len() {
        0 => return None,
        1 => format!("there is {}, too", spots[0].function),
        n => format!("{n} other symbols are versions of {base}"),
    };
    Some(Hazard::new(Kind::Clones, fact, spots))
}

fn aliases(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let at = subject.target.link;
    let names = subject.image.symbols().names_at(at);
    let others = names.filter(|n| *n != subject.name() && !is_edge(n) && padded(n).is_none());
    let spots: Vec<Spot> = others.map(|n| named(at, n)).collect();
    let fact = match spots.len() {
        0 => return None,
        1 => format!("{} is the same code", spots[0].function),
        n => format!("{n} other names stand for the same code"),
    };
    Some(Hazard::new(Kind::Aliases, fact, spots))
}

fn twins(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let call = ENTRIES
        .iter()
        .find_map(|e| subject.name().strip_prefix(e))?;
    let others = ENTRIES.iter().map(|e| format!("{e}{call}"));
    let others = others.filter(|n| *n != subject.name());
    let spots = others.flat_map(|name| {
        let all = subject.image.called(&name).into_iter();
        all.filter(|c| c.code && c.link != subject.target.link)
            .map(move |Called { link, .. }| named(link, &name))
    });
    let spots: Vec<Spot> = spots.collect();
    let fact = match spots.len() {
        0 => return None,
        1 => format!("{} enters the same system call", spots[0].function),
        n => format!("{n} other functions enter the same system call"),
    };
    Some(Hazard::new(Kind::SyscallTwins, fact, spots))
}

fn named(link: LinkAddr, name: &str) -> Spot {
    Spot {
        link,
        function: name.to_owned(),
        offset: 0,
        count: 1,
        what: String::new(),
    }
}
