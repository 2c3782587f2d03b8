//! The constructs that the patch series of November 2021 touched, in real kernels before (5.10) and after. Those
//! that no x86_64 Debian kernel has (32 bit, SGX before 5.17, mmx) are in `lookup.rs`, on fixtures.

use crate::common::kernels::{file, find_module, release, vmlinux};
use fixtrace::low::base::addr::Pc;
use fixtrace::low::engine::attribute::{Basis, Certainty, attribute};
use fixtrace::low::formats::extable::entry::Entry;
use fixtrace::low::formats::extable::fixup::{Landing, Row};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;

use Landing::{Anonymous, Cold, InFunction, Retry};

/// Calls `f` with the rows of function `name` in the vmlinux (or module) of `version`.
fn rows<T>(
    version: &str,
    module: Option<&str>,
    name: &str,
    f: impl FnOnce(&Image<'_>, &[(Entry, Row)]) -> T,
) -> T {
    let storage = Storage::new();
    let image = match module {
        None => vmlinux(version, &storage),
        Some(m) => {
            let dir = file(version, &format!("lib/modules/{}", release(version)));
            Image::open(&find_module(&dir, m).expect("module"), &storage).expect("module")
        }
    };
    let all = image
        .extable()
        .entries()
        .iter()
        .copied()
        .zip(image.fixups().rows().iter().copied());
    let own: Vec<(Entry, Row)> = all
        .filter(|(_, r)| r.owner.is_some_and(|o| image.symbols().name(o) == name))
        .collect();
    assert!(!own.is_empty(), "{version}: no rows of {name}");
    f(&image, &own)
}

/// `count` rows of `name` land as said, with that handler and effect; each landing is attributed to `name`.
fn land(
    version: &str,
    module: Option<&str>,
    name: &str,
    count: usize,
    landing: Landing,
    handler: &str,
    effect: &str,
) {
    rows(version, module, name, |image, own| {
        let found = own.iter().filter(|(e, r)| {
            let h = image.extable().handler(image, e);
            r.landing == landing
                && h.name() == handler
                && h.effect(64).unwrap_or_default() == effect
        });
        let mut seen = 0;
        for (e, _) in found {
            let a = attribute(image, Pc::Exact(e.fixup));
            assert_eq!(
                a.certainty,
                Certainty::Exact,
                "{version} {name} {}",
                e.fixup
            );
            assert_eq!(
                a.function.expect("function").name,
                name,
                "{version} {}",
                e.fixup
            );
            assert_eq!(
                a.basis,
                if landing == Anonymous {
                    Basis::Fixup
                } else {
                    Basis::Symbol
                }
            );
            seen += 1;
        }
        assert_eq!(
            seen, count,
            "{version} {name} {landing:?} {handler} {effect}"
        );
    });
}

const DEFAULT: &str = "ex_handler_default";
const UACCESS: &str = "ex_handler_uaccess";

#[test]
#[ignore = "needs the real kernels"]
fn construct_04_gs_load_lands_in_bad_gs() {
    land("5.10", None, "asm_load_gs_index", 1, Anonymous, DEFAULT, "");
    land(
        "6.1",
        None,
        "asm_load_gs_index",
        1,
        InFunction,
        "EX_TYPE_DEFAULT",
        "",
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_05_futex_operations_give_efault() {
    rows("5.10", None, "do_futex", |image, own| {
        // The loop of op2 has two instructions and one fixup.
        let anonymous: Vec<_> = own
            .iter()
            .filter(|(_, r)| r.landing == Anonymous)
            .map(|(e, _)| e.fixup)
            .collect();
        assert!(anonymous.windows(2).any(|w| w[0] == w[1]), "{anonymous:?}");
        for fixup in anonymous {
            let a = attribute(image, Pc::Exact(fixup));
            assert_eq!(a.function.expect("function").name, "do_futex");
        }
    });
    land(
        "6.1",
        None,
        "futex_cmpxchg_value_locked",
        1,
        InFunction,
        "EX_TYPE_IMM_REG",
        "edx = -14",
    );
    rows("6.1", None, "futex_wake_op", |_, own| {
        let shared = own
            .windows(2)
            .filter(|w| w[0].0.fixup == w[1].0.fixup)
            .count();
        assert!(shared > 0, "two instructions share a fixup");
    });
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_06_safe_msr_access_gives_eio() {
    land("5.10", None, "xen_read_pmc", 2, Anonymous, DEFAULT, "");
    rows("6.1", None, "pmu_msr_read", |image, own| {
        let effects: Vec<_> = own
            .iter()
            .filter_map(|(e, _)| image.extable().handler(image, e).effect(64))
            .collect();
        assert!(
            effects
                .iter()
                .any(|e| e.starts_with("rax = 0, rdx = 0, ") && e.ends_with(" = -5")),
            "{effects:?}"
        );
        assert!(
            effects
                .iter()
                .any(|e| e.starts_with("warns of an unchecked MSR access")),
            "{effects:?}"
        );
    });
    land(
        "6.1",
        None,
        "pmu_msr_write",
        1,
        InFunction,
        "EX_TYPE_WRMSR_SAFE",
        "rax = -5",
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_07_segment_loads_try_again_with_zero() {
    land("5.10", None, "flush_ldt", 2, Anonymous, DEFAULT, "");
    rows("5.10", None, "flush_ldt", |image, own| {
        // XOR register, then back to the very instruction that faulted.
        for (e, row) in own {
            let block = &image.fixups().blocks()[row.block.expect("walked") as usize];
            assert_eq!(
                block.exits,
                [fixtrace::low::formats::extable::walk::Exit::Resume(e.insn)]
            );
        }
    });
    for version in ["6.1", "7.2"] {
        land(
            version,
            None,
            "flush_ldt",
            2,
            Retry,
            "EX_TYPE_IMM_REG",
            "rax = 0",
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_08_sgx_leafs_tell_their_fault() {
    for version in ["6.1", "7.2"] {
        rows(version, None, "sgx_encl_eldu", |image, own| {
            let handler = image.extable().handler(image, &own[0].0);
            assert_eq!(handler.name(), "EX_TYPE_FAULT_SGX");
            assert_eq!(
                handler.effect(64).as_deref(),
                Some("rax = trap number | ENCLS fault flag")
            );
        });
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_09_get_user_asm_in_pselect() {
    land(
        "5.10",
        None,
        "__x64_sys_pselect6",
        2,
        Anonymous,
        UACCESS,
        "",
    );
    land(
        "6.1",
        None,
        "__x64_sys_pselect6",
        2,
        InFunction,
        "EX_TYPE_UACCESS",
        "",
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_10_zeropad_names_d_lookup() {
    for name in [
        "__d_lookup",
        "full_name_hash",
        "hashlen_string",
        "__d_lookup_rcu",
    ] {
        rows("5.10", None, name, |image, own| {
            let (entry, row) = own
                .iter()
                .find(|(_, r)| r.landing == Anonymous)
                .expect("a landing in .fixup");
            // The load inside the fixup may be interrupted as well: every byte of the block counts.
            for (start, len) in &image.fixups().blocks()[row.block.expect("walked") as usize].code {
                for byte in 0..*len {
                    let pc = fixtrace::low::base::addr::LinkAddr(start.0 + u64::from(byte));
                    let a = attribute(image, Pc::Exact(pc));
                    assert_eq!(a.function.expect("function").name, name, "{}", entry.insn);
                }
            }
        });
    }
    let effect = "destination register = the bytes before the page end, zero-padded";
    land(
        "7.2",
        None,
        "full_name_hash",
        1,
        InFunction,
        "EX_TYPE_ZEROPAD",
        effect,
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_11_xen_safe_access() {
    land("5.10", None, "mfn_to_pfn", 1, Anonymous, DEFAULT, "");
    rows("6.1", None, "mfn_to_pfn", |image, own| {
        assert_eq!(
            image
                .extable()
                .handler(image, &own[0].0)
                .effect(64)
                .as_deref(),
            Some("eax = -14")
        );
    });
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_12_fpu_state_is_restored_at_an_alternative() {
    rows("5.10", None, "__fpu__restore_sig", |image, own| {
        let handler = |e: &Entry| image.extable().handler(image, e);
        assert!(
            own.iter()
                .any(|(e, _)| handler(e).effect(64).as_deref() == Some("FPU state = initial"))
        );
        let in_fixup = own.iter().filter(|(_, r)| r.landing == Anonymous);
        for (e, _) in in_fixup {
            let a = attribute(image, Pc::Exact(e.fixup));
            assert_eq!(a.function.expect("function").name, "__fpu__restore_sig");
        }
    });
    // XSAVE or one of its kin, chosen by alternatives: the row names the site, whatever stands there.
    rows("5.10", None, "copy_fpstate_to_sigframe", |image, own| {
        assert!(
            own.iter()
                .any(|(e, _)| !image.alternatives().covering(e.insn).is_empty())
        );
    });
    land(
        "6.1",
        None,
        "fpu__drop",
        1,
        InFunction,
        "EX_TYPE_DEFAULT",
        "",
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_13_ftrace_needs_no_row_any_more() {
    land(
        "5.10",
        None,
        "prepare_ftrace_return",
        2,
        Anonymous,
        DEFAULT,
        "",
    );
    let storage = Storage::new();
    let image = vmlinux("6.1", &storage);
    let owners = image.fixups().rows().iter().filter_map(|r| r.owner);
    assert!(
        owners
            .into_iter()
            .all(|o| image.symbols().name(o) != "prepare_ftrace_return")
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_14_fastops_share_kvm_fastop_exception() {
    rows("5.10", Some("kvm"), "div_cl", |image, own| {
        let a = attribute(image, Pc::Exact(own[0].0.fixup));
        assert_eq!(
            (a.basis, a.certainty, a.candidates.len()),
            (Basis::Fixup, Certainty::Ambiguous, 8)
        );
        assert_eq!(a.nearest.expect("symbol").name, "kvm_fastop_exception");
    });
    land(
        "6.1",
        Some("kvm"),
        "div_cl",
        1,
        InFunction,
        "EX_TYPE_IMM_REG",
        "rsi = 0",
    );
    land(
        "6.1",
        Some("kvm"),
        "em_fxrstor",
        1,
        InFunction,
        "EX_TYPE_IMM_REG",
        "rax = 1",
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_15_vmread_pushes_inside_its_fixup() {
    land(
        "5.10",
        Some("kvm-intel"),
        "vmx_get_exit_qual",
        1,
        Anonymous,
        DEFAULT,
        "",
    );
    rows(
        "6.1",
        Some("kvm-intel"),
        "handle_ept_misconfig",
        |_, own| {
            assert!(
                own.iter()
                    .all(|(_, r)| matches!(r.landing, InFunction | Cold))
            );
        },
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_16_vmx_fault_label_in_cold_text() {
    rows(
        "6.1",
        Some("kvm-intel"),
        "vmx_get_interrupt_shadow",
        |image, own| {
            let (e, _) = own
                .iter()
                .find(|(_, r)| r.landing == Cold)
                .expect("a cold landing");
            let a = attribute(image, Pc::Exact(e.fixup));
            assert_eq!((a.basis, a.certainty), (Basis::Cold, Certainty::Exact));
            assert_eq!(
                a.function.expect("function").name,
                "vmx_get_interrupt_shadow"
            );
            assert_eq!(
                a.nearest.expect("symbol").name,
                "vmx_get_interrupt_shadow.cold"
            );
        },
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_18_copy_mc_labels_own_nothing_behind_them() {
    land(
        "5.10",
        None,
        "copy_mc_enhanced_fast_string",
        1,
        Anonymous,
        "ex_handler_fault",
        "rax = trap number",
    );
    land(
        "6.1",
        None,
        "copy_mc_enhanced_fast_string",
        1,
        InFunction,
        "EX_TYPE_DEFAULT_MCE_SAFE",
        "",
    );
    let storage = Storage::new();
    let image = vmlinux("5.10", &storage);
    let label = image.symbols().named(".E_copy").next().expect("label");
    let (start, _) = image.symbols().range(label);
    let mut owners = std::collections::BTreeSet::new();
    for offset in 0..0xda {
        let a = attribute(
            &image,
            Pc::Exact(fixtrace::low::base::addr::LinkAddr(start.0 + offset)),
        );
        owners.insert(a.function.expect("function").name);
    }
    // The kernel prints all of them as .E_copy.
    assert!(
        owners.len() > 8 && !owners.contains(".E_copy"),
        "{owners:?}"
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_19_copy_user_many_instructions_one_landing() {
    land(
        "5.10",
        None,
        "copy_user_enhanced_fast_string",
        1,
        Anonymous,
        "ex_handler_copy",
        "rax = trap number",
    );
    rows("5.10", None, "copy_user_generic_unrolled", |_, own| {
        let landings: std::collections::BTreeSet<_> = own.iter().map(|(e, _)| e.fixup).collect();
        assert!(
            own.len() > 20 && landings.len() < 6,
            "{} rows, {} landings",
            own.len(),
            landings.len()
        );
    });
    rows(
        "6.1",
        None,
        "copy_user_enhanced_fast_string",
        |image, own| {
            assert!(
                own.iter()
                    .all(|(e, _)| image.extable().handler(image, e).name() == "EX_TYPE_COPY")
            );
        },
    );
    rows("7.2", None, "rep_movs_alternative", |_, own| {
        assert!(own.iter().all(|(_, r)| r.landing == InFunction));
    });
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_22_clear_user_in_three_shapes() {
    land("5.10", None, "__clear_user", 1, Anonymous, UACCESS, "");
    land(
        "6.1",
        None,
        "clear_user_original",
        2,
        InFunction,
        "EX_TYPE_UACCESS",
        "",
    );
    rows("7.2", None, "rep_stos_alternative", |_, own| {
        assert!(own.iter().all(|(_, r)| r.landing == InFunction))
    });
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_23_every_handler_and_type_is_known() {
    for version in ["5.10", "6.1", "6.12", "7.2"] {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        for e in image.extable().entries() {
            assert!(
                image.extable().handler(&image, e).is_known(),
                "{version} {}",
                e.insn
            );
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_24_immediates_of_7_2_are_small_and_signed() {
    let storage = Storage::new();
    let image = vmlinux("7.2", &storage);
    let mut seen = std::collections::BTreeMap::new();
    for e in image
        .extable()
        .entries()
        .iter()
        .filter(|e| e.word & 0xff == 17)
    {
        *seen
            .entry(fixtrace::low::formats::extable::entry::TypeWord::new(e.word).imm)
            .or_insert(0) += 1;
    }
    // 28 times -EFAULT and 61 times zero, by hand from the words that readelf -x shows.
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(-14, 28), (0, 61)]);
}

#[test]
#[ignore = "needs the real kernels"]
fn construct_25_only_5_10_has_fixup_text() {
    for (version, anonymous) in [("5.10", true), ("6.12", false), ("7.2", false)] {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        assert_eq!(
            image.fixups().counts(image.extable().entries()).anonymous > 0,
            anonymous,
            "{version}"
        );
    }
}
