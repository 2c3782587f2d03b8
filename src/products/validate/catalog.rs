//! All checks, for those who ask by id.

use super::check::Check;
use super::{agree, extable, fixup, flow, lines, livepatch, orc};

/// All checks, by family.
pub fn all() -> impl Iterator<Item = &'static Check> {
    let families: [&[&Check]; 7] = [
        orc::CHECKS,
        extable::CHECKS,
        fixup::CHECKS,
        agree::CHECKS,
        flow::CHECKS,
        lines::CHECKS,
        livepatch::CHECKS,
    ];
    families.into_iter().flatten().copied()
}

/// The check called `id`.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|c| c.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_an_id_of_its_family_and_explains_checks_that_exist() {
        let ids: BTreeSet<&str> = all().map(|c| c.id).collect();
        assert_eq!(ids.len(), all().count());
        for check in all() {
            let rest = check.id.strip_prefix(check.family.name());
            assert!(rest.is_some_and(|r| r.starts_with('-')), "{}", check.id);
            for text in [
                check.title,
                check.why,
                check.help,
                check.example,
                check.source,
            ] {
                assert!(!text.is_empty(), "{}", check.id);
            }
            for other in check.explains {
                assert!(
                    ids.contains(other) && *other != check.id,
                    "{}: {other}",
                    check.id
                );
            }
        }
    }

    /// Else two findings could each be left out for the other.
    #[test]
    fn what_explains_a_check_is_not_explained_by_it() {
        for check in all() {
            let mut seen = BTreeSet::new();
            let mut pending: Vec<&str> = check.explains.to_vec();
            while let Some(id) = pending.pop() {
                assert_ne!(id, check.id);
                if seen.insert(id) {
                    pending.extend(find(id).map_or(&[][..], |c| c.explains));
                }
            }
        }
    }
}
