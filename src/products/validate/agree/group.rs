//! Differences that are one fault.

use crate::products::validate::words;
use std::collections::HashMap;
use std::hash::Hash;

use super::checks;
use super::compare::Diff;
use super::decide::Side;
use super::meaning::Part;
use crate::base::addr::LinkAddr;
use crate::formats::cfi::Survey;
use crate::formats::rule::Row;
use crate::products::validate::check::Check;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::subject::Subject;

/// Which check a difference is of; `None` where both are right.
fn check(diff: &Diff, side: Side) -> Option<&'static Check> {
    Some(match (diff.part, side) {
        (_, Side::Both) => return None,
        (Part::Return, _) => &checks::RETURN,
        (_, Side::Unknown) => &checks::UNDECIDED,
        // Where RBP is given up for good, nobody can tell where it is.
        (Part::Bp, Side::Neither) => &checks::UNDECIDED,
        // A wrong row begins or ends too early or late; this one goes on around.
        (_, Side::Orc) if diff.inside => &checks::UNANNOTATED,
        (Part::Cfa, _) => &checks::CFA,
        (Part::Bp, _) => &checks::BP,
    })
}

/// Sets that are joined.
struct Sets(Vec<usize>);

impl Sets {
    fn root(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The first stands for all.
        let (low, high) = (a.min(b), a.max(b));
        self.0[high] = low;
    }

    fn by<K: Hash + Eq>(&mut self, seen: &mut HashMap<K, usize>, key: K, i: usize) {
        match seen.get(&key) {
            Some(first) => self.join(*first, i),
            None => {
                seen.insert(key, i);
            }
        }
    }
}

/// One finding for each fault that `diffs`, sorted, show.
pub(super) fn findings(
    subject: &Subject<'_, '_>,
    survey: &Survey,
    diffs: &[Diff],
    sides: &[Side],
) -> Vec<Finding> {
    let told: Vec<(usize, &'static Check)> = (0..diffs.len())
        .filter_map(|i| Some((i, check(&diffs[i], sides[i])?)))
        .collect();
    let mut sets = Sets((0..diffs.len()).collect());
    let (mut rows, mut rules, mut common) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut last: Option<(usize, &Check)> = None;
    let mut wrong: HashMap<usize, (usize, Vec<usize>)> = HashMap::new();
    for (i, check) in &told {
        let diff = &diffs[*i];
        let id = check.id;
        sets.by(&mut rows, (id, diff.row), *i);
        if let Some((before, of)) = last
            && of.id == id
            && diffs[before].to >= diff.from
        {
            sets.join(before, *i);
        }
        last = Some((*i, check));
        // A rule that stays wrong until the next one is said.
        if matches!(sides[*i], Side::Orc | Side::Unknown) {
            sets.by(&mut rules, (id, diff.description, diff.said), *i);
        }
        if sides[*i] != Side::Cfi && *check != &checks::UNANNOTATED {
            let cie = survey.described[diff.description].cie;
            let of = wrong.entry(cie).or_default();
            if of.1.last() != Some(&diff.description) {
                of.1.push(diff.description);
            }
            of.0 = of.0.max(*i);
        }
    }
    // What all descriptions that have something in common have wrong is wrong there.
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    for described in &survey.described {
        *sizes.entry(described.cie).or_default() += 1;
    }
    for (i, check) in &told {
        let diff = &diffs[*i];
        let cie = survey.described[diff.description].cie;
        let of = wrong.get_mut(&cie).filter(|_| sides[*i] != Side::Cfi);
        let Some((_, those)) = of else { continue };
        those.sort_unstable();
        those.dedup();
        if those.len() > 1 && Some(&those.len()) == sizes.get(&cie) {
            sets.by(&mut common, (check.id, cie), *i);
        }
    }
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    for (i, _) in &told {
        let root = sets.root(*i);
        let at = *place.entry(root).or_insert_with(|| {
            groups.push((root, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(*i);
    }
    let finding = |(first, all): &(usize, Vec<usize>)| {
        let check = check(&diffs[*first], sides[*first]).unwrap_or(&checks::UNDECIDED);
        let diff = &diffs[*first];
        let end = all.iter().map(|i| diffs[*i].to).max().unwrap_or(diff.to);
        let mut message = words(diff, sides[*first]);
        if all.len() > 1 {
            message.push_str(&format!("; the same at {} places up to {end}", all.len()));
        }
        let spot = Spot::at(subject.image, diff.from, What::Row);
        Finding::at(check, spot, message).about(diff.from, LinkAddr(end.0.max(diff.from.0 + 1)))
    };
    groups.iter().map(finding).collect()
}

fn words(diff: &Diff, side: Side) -> String {
    let said = &diff.said;
    let rule = match &diff.orc {
        Row::Step(rule) if diff.part != Part::Return => rule,
        row => {
            let (orc, cfi) = (words::orc_return(row), words::cfi_return(said.ret));
            return format!("ORC {orc}, call-frame information {cfi}");
        }
    };
    let what = match diff.part {
        Part::Bp => format!(
            "ORC says the caller's RBP is {}, call-frame information {}",
            words::bp(Some(rule.bp)),
            words::bp(said.bp)
        ),
        _ => format!(
            "ORC says CFA = {}, call-frame information {}",
            words::cfa(Some(rule.cfa)),
            words::cfa(said.cfa)
        ),
    };
    let verdict = match side {
        Side::Orc => "; the instructions side with ORC",
        Side::Cfi => "; the instructions side with call-frame information",
        Side::Neither => "; the instructions with neither",
        Side::Both | Side::Unknown => "",
    };
    what + verdict
}
