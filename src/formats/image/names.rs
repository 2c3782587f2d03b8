//! What symbol names tell: parts and clones that the compiler made, padding, marks of the linker script, and
//! names that kallsyms leaves out.

/// `foo` of `foo.cold` (GCC 8 and later) and `foo.cold.N`.
pub fn cold_base(name: &str) -> Option<&str> {
    let dot = name.find('.')?;
    let (base, rest) = name.split_at(dot + name[dot..].find(".cold")?);
    let rest = rest.strip_prefix(".cold")?;
    let number = rest.strip_prefix('.').unwrap_or(rest);
    let plain =
        rest.is_empty() || (rest.starts_with('.') && number.bytes().all(|b| b.is_ascii_digit()));
    (plain && !base.is_empty()).then_some(base)
}

/// `foo` of `foo.isra.0`, `foo.constprop.0`, `foo.part.0` and their combinations.
pub fn clone_base(name: &str) -> Option<&str> {
    let dot = name.find('.')?;
    let cut = [".isra.", ".constprop.", ".part."]
        .iter()
        .filter_map(|s| Some(dot + name[dot..].find(s)?))
        .min()?;
    (cut > 0).then(|| &name[..cut])
}

/// The function that the padding `__pfx_foo` stands before (objtool `--prefix`, Linux 6.2 and later).
pub(crate) fn padded(name: &str) -> Option<&str> {
    name.strip_prefix("__pfx_").filter(|n| !n.is_empty())
}

/// What the build of a kernel puts before all names of some objects, behind the back of their debug information:
/// arch/x86/boot/startup/Makefile (6.16 and later), drivers/firmware/efi/libstub/Makefile.
#[cfg(feature = "validate")]
const PREFIXES: [&str; 2] = ["__pi_", "__efistub_"];

/// What compilers put behind a name, each with a dot: GCC's clones and parts (cgraphclones.cc, `clone_function_name()`),
/// LLVM's promoted locals, unique names, outlined and split code, and jump tables of CFI.
#[cfg(feature = "validate")]
const SUFFIXES: [&str; 19] = [
    "cfi",
    "cfi_jt",
    "clone",
    "cold",
    "constprop",
    "isra",
    "llvm",
    "localalias",
    "lto_priv",
    "nonfreq",
    "outlined",
    "part",
    "prefalign",
    "resume",
    "simdclone",
    "split",
    "specialized",
    "unlikely",
    "__uniq",
];

/// Whether the symbol `symbol` is that of the function that debug information calls `name`, of a version of it, or of its
/// cold part.
#[cfg(feature = "validate")]
pub(crate) fn stands_for(symbol: &str, name: &str) -> bool {
    let made = |part: &str| {
        let number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
        number || SUFFIXES.contains(&part)
    };
    let is = |symbol: &str| match symbol.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('.')
            .is_some_and(|r| r.split('.').all(made)),
        None => false,
    };
    let plain = PREFIXES.iter().filter_map(|p| symbol.strip_prefix(p));
    is(symbol) || plain.into_iter().any(is)
}

/// Whether scripts/kallsyms.c takes the name for one that the linker script made up, and prefers others
/// (`may_be_linker_script_provide_symbol()`). Some functions are called like that, too.
pub(crate) fn seems_made_up(name: &str) -> bool {
    let begins = ["__start_", "__stop_", "__end_"].iter();
    name.len() >= 8
        && name.starts_with("__")
        && (begins.clone().any(|p| name.starts_with(p))
            || name.ends_with("_start")
            || name.ends_with("_end"))
}

/// Marks of the linker script in text (vmlinux.lds.S): they name the edge of a region, not code.
pub(crate) fn is_edge(name: &str) -> bool {
    let region = name
        .strip_suffix("_start")
        .or_else(|| name.strip_suffix("_end"));
    region.is_some_and(|r| r.starts_with("__") && (r.ends_with("text") || r == "__indirect_thunk"))
        || matches!(
            name,
            "_text"
                | "__pi__text"
                | "_stext"
                | "_etext"
                | "_sinittext"
                | "_einittext"
                | "_end"
                | "__end_entry_SYSENTER_compat"
        )
}

/// Whether the name at the beginning of `text` is none that scripts/kallsyms.c and scripts/mksysmap leave out.
pub(super) fn in_kallsyms(text: &[u8]) -> bool {
    let ignored = |p: &[u8]| text.starts_with(p);
    match text {
        [] | [0 | b'\n' | b'\r' | b'\t' | b' ' | b'$', ..] => false,
        [b'.', ..] => !ignored(b".L"),
        [b'_', ..] => !(ignored(b"__crc_") || ignored(b"__kcfi_typeid_") || ignored(b"__efistub_")),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_made_names_lead_to_their_functions() {
        assert_eq!(cold_base("foo.cold"), Some("foo"));
        assert_eq!(cold_base("foo.part.0.cold"), Some("foo.part.0"));
        assert_eq!(cold_base("foo.cold.12"), Some("foo"));
        for plain in ["foo", "foo.colder", "foo.cold.x", ".cold", "coldfoo"] {
            assert_eq!(cold_base(plain), None, "{plain}");
        }
        assert_eq!(clone_base("foo.isra.0"), Some("foo"));
        assert_eq!(clone_base("foo.part.0.constprop.1"), Some("foo"));
        assert_eq!(clone_base("foo"), None);
        assert_eq!(padded("__pfx_foo"), Some("foo"));
        assert_eq!(padded("__pfx_"), None);
    }

    #[cfg(feature = "validate")]
    #[test]
    fn symbols_stand_for_functions() {
        for symbol in [
            "foo",
            "foo.cold",
            "foo.isra.0.cold",
            "foo.llvm.12",
            "__pi_foo.part.0",
        ] {
            assert!(stands_for(symbol, "foo"), "{symbol}");
        }
        for symbol in [
            "fooo",
            "fo",
            "__pfx_foo",
            "bar.foo",
            "foo_cold",
            "foo.xold",
            "foo.",
        ] {
            assert!(!stands_for(symbol, "foo"), "{symbol}");
        }
    }

    #[test]
    fn edges_of_regions_are_no_functions() {
        for edge in [
            "_etext",
            "__static_call_text_end",
            "__kprobes_text_start",
            "__indirect_thunk_start",
        ] {
            assert!(is_edge(edge), "{edge}");
        }
        for function in [
            "vfs_read",
            "__end",
            "restart",
            "__sched_text_endless",
            "end_repeat_nmi",
            "__start_timer",
            "__bpf_trace_initcall_end",
            "seq_text_start",
        ] {
            assert!(!is_edge(function), "{function}");
        }
    }

    #[test]
    fn names_outside_kallsyms_are_known() {
        assert!(in_kallsyms(b".E_copy") && in_kallsyms(b"foo"));
        assert!(!in_kallsyms(b"") && !in_kallsyms(b".Ltmp1") && !in_kallsyms(b"__crc_foo"));
    }
}
