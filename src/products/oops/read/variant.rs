//! What a report is of its kind: the words of its title that tell bugs apart, without names and numbers.

use super::kind::Kind;
use super::report::Oops;

/// What `oops` is of its kind; `None` where the kind says all.
pub fn variant(oops: &Oops) -> Option<String> {
    let title = &*oops.title;
    let behind = |mark: &str| title.split_once(mark).map(|(_, rest)| rest);
    let words = match oops.kind {
        Kind::Kasan => behind("KASAN: ").map(before_place),
        Kind::Kcsan => behind("KCSAN: ").map(before_place),
        Kind::Kmsan => behind("KMSAN: ").map(before_place),
        Kind::Kfence => behind("KFENCE: ").map(before_place),
        Kind::Ubsan => behind("UBSAN: ").map(before_place),
        Kind::Lockdep => Some(lockdep(title)),
        Kind::Slab => title.rsplit_once("): ").map(|(_, what)| what),
        Kind::RcuStall if title.contains("expedited") => Some("expedited"),
        Kind::RcuStall if title.contains("self-detected") => Some("self-detected"),
        Kind::RcuStall => Some("detected by another CPU"),
        Kind::HungTask if title.contains("can't die") => Some("can't die"),
        Kind::AtomicSleep => behind("BUG: ").map(|t| t.split([':', ' ']).next().unwrap_or(t)),
        Kind::Trap => oops.die.as_ref().map(|d| &*d.what),
        Kind::Panic => oops.panic.as_deref(),
        Kind::BadPage | Kind::Bug => behind("BUG: ").map(before_place),
        _ => None,
    };
    let words = folded(words?);
    (!words.is_empty()).then_some(words)
}

/// `text` up to the place or the process that it names.
fn before_place(text: &str) -> &str {
    let end = [" in ", " at ", " on ", ": "]
        .iter()
        .filter_map(|e| text.find(e))
        .min();
    let text = &text[..end.unwrap_or(text.len())];
    // Whether it was read or written is told apart.
    let accesses = [" read", " write", " Read", " Write"];
    accesses
        .iter()
        .find_map(|a| text.strip_suffix(a))
        .unwrap_or(text)
}

/// `WARNING: possible circular locking dependency detected`: what stands between the words of all.
fn lockdep(title: &str) -> &str {
    let mut text = title.trim_matches(['[', ']', ' ']);
    for before in ["WARNING: ", "INFO: ", "BUG: ", "possible "] {
        text = text.strip_prefix(before).unwrap_or(text);
    }
    text.trim_end_matches(['!', '.'])
        .trim_end_matches(" detected")
}

/// `text` with each number made `N`, and not too long.
pub(crate) fn folded(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_ascii_whitespace().take(8) {
        let number = word.bytes().any(|b| b.is_ascii_digit())
            && word
                .bytes()
                .all(|b| b.is_ascii_hexdigit() || b"x.,:()#[]".contains(&b));
        words.push(if number { "N" } else { word });
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_tell_bugs_apart() {
        let of = |kind, title: &str| {
            let mut oops = Oops::new(kind, 0, 0..0);
            oops.title = title.to_owned();
            variant(&oops).unwrap_or_default()
        };
        for (kind, title, expected) in [
            (
                Kind::Kasan,
                "BUG: KASAN: slab-use-after-free in f+0x1/0x2",
                "slab-use-after-free",
            ),
            (
                Kind::Kfence,
                "BUG: KFENCE: use-after-free read in f+0x1/0x2",
                "use-after-free",
            ),
            (
                Kind::Ubsan,
                "UBSAN: array-index-out-of-bounds in a.c:1:2",
                "array-index-out-of-bounds",
            ),
            (
                Kind::Lockdep,
                "WARNING: possible circular locking dependency detected",
                "circular locking dependency",
            ),
            (
                Kind::Lockdep,
                "[ BUG: Invalid wait context ]",
                "Invalid wait context",
            ),
            (
                Kind::Bug,
                "BUG: Dentry 000000001 still in use",
                "Dentry N still",
            ),
            (
                Kind::AtomicSleep,
                "BUG: scheduling while atomic: a/1/0x2",
                "scheduling",
            ),
            (
                Kind::GeneralProtection,
                "general protection fault: 0000 [#1] SMP",
                "",
            ),
        ] {
            assert_eq!(of(kind, title), expected, "{title}");
        }
    }
}
