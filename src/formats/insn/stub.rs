//! Stubs that stand for an instruction: which names are no functions of their own, and what a jump or call of them does.
//!
//! Sources: arch/x86/lib/retpoline.S, arch/x86/kernel/callthunks.c, arch/x86/include/asm/static_call.h,
//! arch/x86/kernel/ftrace_64.S. The versions are those of mainline; stable kernels have the mitigations as of the same
//! weeks (5.10.131, 5.10.189, 6.1.139, …).

/// What a stub stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stub {
    /// RET: a jump there is a return.
    Return,
    /// A jump or call through a register: what it leads to is not known from it.
    Register,
    /// What the kernel puts there when it runs: the code that was linked does not say where it leads.
    Patched,
}

/// A name, or how it begins.
enum Name {
    Is(&'static str),
    Begins(&'static str),
}

use Name::{Begins, Is};

/// All of them, and the versions of Linux that have them.
const STUBS: &[(Name, Stub, &str)] = &[
    (Begins("__x86_indirect_thunk_"), Stub::Register, "4.15-"),
    (Begins("__x86_indirect_alt_"), Stub::Register, "5.13-5.15"),
    (Begins("__x86_indirect_call_thunk_"), Stub::Register, "6.2-"),
    (Begins("__x86_indirect_jump_thunk_"), Stub::Register, "6.2-"),
    (Begins("__x86_indirect_its_thunk_"), Stub::Register, "6.15-"),
    (
        Begins("__x86_indirect_paranoid_thunk_"),
        Stub::Register,
        "6.15-",
    ),
    (Is("__x86_return_thunk"), Stub::Return, "5.19-"),
    // Before 6.5 the label above stands in it.
    (Is("zen_untrain_ret"), Stub::Return, "5.19-6.4"),
    (Is("retbleed_return_thunk"), Stub::Return, "6.5-"),
    (Is("srso_return_thunk"), Stub::Return, "6.5-"),
    (Is("srso_safe_ret"), Stub::Return, "6.5-"),
    (Is("srso_alias_return_thunk"), Stub::Return, "6.5-"),
    (Is("srso_alias_safe_ret"), Stub::Return, "6.5-"),
    (Is("srso_safe_ret_alias"), Stub::Return, "6.5"),
    (Is("__x86_return_skl"), Stub::Return, "6.2-6.6"),
    (Is("call_depth_return_thunk"), Stub::Return, "6.7-"),
    (Is("its_return_thunk"), Stub::Return, "6.15-"),
    (Begins("__SCT__"), Stub::Patched, "5.10-"),
    (Is("__fentry__"), Stub::Patched, "3.19-"),
    // What calls through tables of paravirtualisation are linked as.
    (Is("BUG_func"), Stub::Patched, "6.8-"),
];

/// What the symbol `name` stands for; `None` for code of its own.
pub(crate) fn stub(name: &str) -> Option<Stub> {
    // Asked of every name that is met: most are sorted out by a few letters.
    let likely = match name.as_bytes() {
        [b'_', b'_', b'x' | b'S' | b'f' | b'p', ..] => true,
        [b'z' | b'r' | b's' | b'c' | b'i', ..] => name.ends_with("_thunk") || name.contains("_ret"),
        [b'B', ..] => true,
        _ => false,
    };
    if !likely {
        return None;
    }
    // Aliases for code that runs before the kernel is relocated (7.2).
    let name = name.strip_prefix("__pi_").unwrap_or(name);
    let row = STUBS.iter().find(|(known, ..)| match known {
        Is(known) => *known == name,
        Begins(known) => name.starts_with(known),
    });
    row.map(|(_, stub, _)| *stub)
}

/// Whether the name is of a stub that stands for a jump, a call or a return. They are labels without a size, mostly.
pub(crate) fn is_trampoline(name: &str) -> bool {
    matches!(stub(name), Some(Stub::Register | Stub::Return))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_list_is_found() {
        for (name, kind, _) in STUBS {
            let name = match name {
                Is(name) => (*name).to_owned(),
                Begins(name) => format!("{name}rax"),
            };
            assert_eq!(stub(&name), Some(*kind), "{name}");
        }
        assert_eq!(stub("__pi___x86_indirect_thunk_rax"), Some(Stub::Register));
        assert_eq!(stub("__pi___x86_return_thunk"), Some(Stub::Return));
    }

    #[test]
    fn functions_with_similar_names_are_functions() {
        for name in [
            "",
            "_",
            "__x86_sys_read",
            "preempt_schedule_thunk",
            "efi_thunk_get_time",
            "set_return_thunk",
            "entry_untrain_ret",
            "its_static_thunk",
            "warn_thunk_thunk",
            "strncpy_from_user",
            "__pfx___x86_return_thunk",
        ] {
            assert_eq!(stub(name), None, "{name}");
        }
    }
}
