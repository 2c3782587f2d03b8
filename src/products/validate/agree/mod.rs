//! ORC against call-frame information, by meaning.

mod compare;
mod meaning;

use super::Outcome;
use super::check::Check;
use super::subject::Subject;

/// The checks of this family.
pub static CHECKS: &[&Check] = &[];

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut outcome = Outcome::default();
    let image = subject.image;
    let (cfi, orc) = match (image.cfi(), image.orc()) {
        (Ok(cfi), Ok(Some(orc))) => (cfi, orc),
        _ => return outcome,
    };
    let Some(survey) = cfi.survey() else { return outcome };
    let compared = compare::run(subject, cfi, orc, &survey);
    outcome.counts.extend(compared.counts());
    let mut seen = std::collections::HashMap::new();
    for d in &compared.diffs {
        let key = (d.part, d.orc, d.said);
        *seen.entry(format!("{key:?}")).or_insert(0) += 1;
    }
    if std::env::var_os("AGREE_DUMP").is_some() {
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_by_key(|s| std::cmp::Reverse(s.1));
        for (k, n) in seen { eprintln!("{n} {k}"); }
        for u in &survey.unreadable { eprintln!("{u:?}"); }
        for d in &compared.diffs {
            let s = image.symbols();
            let f = s.function(d.from).or(s.nearest(d.from));
            let (n, o) = f.map(|f| (s.name(f), d.from.0 - s.range(f).0.0)).unwrap_or(("-", 0));
            eprintln!("D {:?} {}+{:x} {:x}..{:x} {:?} / {:?}", d.part, n, o, d.from.0, d.to.0, d.orc, d.said);
        }
    }
    outcome
}
