//! What a finding is known by in another build of the same image: not by its address.

use std::collections::HashMap;

use super::finding::Finding;

/// A finding without its address. Equal ones are told apart by their number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// `vmlinux`, or the name of a module.
    pub image: String,
    /// The check's id.
    pub id: String,
    /// The function, without what compilers number ([`plain`]); empty for the whole image.
    pub function: String,
    /// The kind of the place: [`super::What::name`].
    pub place: String,
    /// Which of those that are otherwise equal, by address, from 1.
    pub ordinal: u64,
}

/// The key of each of `findings` of `image`, which are in the order of their addresses.
pub fn keys(image: &str, findings: &[Finding]) -> Vec<Key> {
    let mut seen: HashMap<(&str, String, &str), u64> = HashMap::new();
    let key = |f: &Finding| {
        let function = f.spot.function.as_deref().map(plain).unwrap_or_default();
        let place = f.spot.what.name();
        let count = seen
            .entry((f.check.id, function.clone(), place))
            .or_default();
        *count += 1;
        Key {
            image: image.to_owned(),
            id: f.check.id.to_owned(),
            function,
            place: place.to_owned(),
            ordinal: *count,
        }
    };
    findings.iter().map(key).collect()
}

/// `name` without the numbers that a compiler gives to clones and parts, and without what link-time optimisation adds:
/// these differ between builds of the same source. `f.constprop.0` is `f.constprop`, `f.llvm.123` is `f`.
pub fn plain(name: &str) -> String {
    let name = name.split(".llvm.").next().unwrap_or(name);
    let mut parts = name.split('.');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !number {
            text.push('.');
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn numbers_of_compilers_are_left_out() {
        assert_eq!(plain("vfs_read"), "vfs_read");
        assert_eq!(plain("f.constprop.0.cold"), "f.constprop.cold");
        assert_eq!(plain("f.llvm.123456"), "f");
        assert_eq!(plain(".E_copy"), ".E_copy");
        assert_eq!(plain("count.7"), "count");
    }
}
