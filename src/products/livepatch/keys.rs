//! Jump labels and static calls in the function.
//!
//! Sources: Documentation/livepatch/module-elf-format.rst; kernel/livepatch/core.c `klp_apply_section_relocs()` (5.8-7.2)
//! resolves what is in the kernel proper before the patch's jump labels are set up, what is in a module when that is
//! loaded.

use super::hazard::{Effect, Hazard, Kind, Spot};
use super::subject::Subject;
use crate::base::addr::LinkAddr;
use crate::formats::image::ImageKind;
use crate::formats::image::keys::Keyed;

/// Both.
pub(super) fn hazards(subject: &Subject<'_, '_>) -> Vec<Hazard> {
    let image = subject.image;
    let labels = |from, to| image.jump_labels_in(from, to);
    let calls = |from, to| image.static_calls_in(from, to);
    let all = [
        hazard(
            subject,
            Kind::JumpLabels,
            ["jump label", "jump labels"],
            labels,
        ),
        hazard(
            subject,
            Kind::StaticCalls,
            ["static call", "static calls"],
            calls,
        ),
    ];
    all.into_iter().flatten().collect()
}

fn hazard(
    subject: &Subject<'_, '_>,
    kind: Kind,
    [one, many]: [&str; 2],
    read: impl Fn(LinkAddr, LinkAddr) -> Option<Vec<Keyed>>,
) -> Option<Hazard> {
    let image = subject.image;
    let code = subject.code().into_iter();
    let found: Vec<Keyed> = code
        .filter_map(|(from, to)| read(from, to))
        .flatten()
        .collect();
    let module = subject.target.kind == ImageKind::Module;
    let local = |k: &&Keyed| module && image.import(k.key).is_none();
    let locals = found.iter().filter(local).count();
    let spots = found.iter().map(|keyed| {
        let name = match image.data_name(keyed.key) {
            Some((name, 0)) => name.to_owned(),
            Some((name, offset)) => format!("{name}+{offset:#x}"),
            None => "an unnamed key".to_owned(),
        };
        subject.spot(keyed.code, name)
    });
    let spots: Vec<Spot> = spots.collect();
    let sites = if spots.len() == 1 { one } else { many };
    let fact = match (spots.len(), locals) {
        (0, _) => return None,
        (n, 0) => format!("has {n} {sites}, none by a key of its own module"),
        (n, local) => format!("has {n} {sites}, {local} by keys of its own module"),
    };
    let hazard = Hazard::new(kind, fact, spots);
    Some(match locals {
        0 => hazard.with(Effect::Note),
        _ => hazard,
    })
}
