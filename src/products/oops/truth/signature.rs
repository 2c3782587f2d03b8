//! What tells reports apart: their kind, and the first functions that are not those that report.

use super::tell::Told;
use crate::engine::stack::Frame;
use crate::products::oops::read::frame::Vouch;
use crate::products::oops::read::report::{LogFrame, Oops};

/// Functions of a signature at most.
const DEPTH: usize = 3;

/// Functions through which the kernel reports, sleeps, or comes to where something happened. What they print is not
/// about them.
const REPORTERS: &[&str] = &[
    "dump_stack",
    "dump_stack_lvl",
    "__dump_stack",
    "show_stack",
    "panic",
    "vpanic",
    "nmi_panic",
    "warn_slowpath_common",
    "warn_slowpath_fmt",
    "warn_slowpath_null",
    "__warn",
    "__warn_printk",
    "report_bug",
    "nmi_cpu_backtrace",
    "nmi_trigger_cpumask_backtrace",
    "arch_trigger_cpumask_backtrace",
    "__schedule_bug",
    "__schedule",
    "schedule",
    "__might_sleep",
    "__might_resched",
    "___might_sleep",
    "check_panic_on_warn",
    "handle_bug",
    "exc_invalid_op",
    "asm_exc_invalid_op",
    "invalid_op",
    "do_error_trap",
    "do_invalid_op",
    "fixup_bug",
    "do_trap",
    "oops_end",
    "die",
    "__die",
    "no_context",
    "page_fault_oops",
    "bad_area_nosemaphore",
    "do_user_addr_fault",
    "exc_page_fault",
    "asm_exc_page_fault",
    "exc_general_protection",
    "asm_exc_general_protection",
    "make_task_dead",
    "print_address_description",
    "print_report",
    "kasan_report",
    "kasan_check_range",
    "check_region_inline",
    "__kasan_report",
    "ubsan_epilogue",
    "print_circular_bug",
    "print_usage_bug",
    "lockdep_rcu_suspicious",
    "sched_show_task",
    "show_state_filter",
    "oom_kill_process",
    "dump_header",
    "warn_alloc",
    "bad_page",
    "object_err",
    "slab_err",
    "print_bad_pte",
    "kmsan_report",
];

/// The functions that tell `oops` from others, innermost first.
pub fn functions(oops: &Oops, told: &Told<'_, '_>) -> Vec<String> {
    let stacks = oops
        .stacks
        .iter()
        .zip(&told.stacks)
        .map(|(s, t)| (&s.frames, &t.stack.frames));
    let main = (&oops.frames, &told.main.stack.frames);
    let stack = match oops.frames.is_empty() {
        true => stacks.into_iter().next().unwrap_or(main),
        false => main,
    };
    // What an NMI handler printed is about what the NMI came upon.
    let nmi = stack
        .0
        .first()
        .is_some_and(|f| f.stack.as_deref() == Some("NMI"));
    let upon = stack.0.iter().position(|f| f.vouch == Vouch::Rip);
    let from = upon.filter(|_| nmi).unwrap_or(0);
    let vouched = stack.0[from..]
        .iter()
        .zip(&stack.1[from..])
        .filter(|(f, _)| f.vouch != Vouch::Guess);
    let mut names: Vec<String> = Vec::new();
    for name in vouched.filter_map(|(f, t)| name(f, t)) {
        // A function that calls itself says no more the second time.
        if !REPORTERS.contains(&plain(&name)) && names.last() != Some(&name) {
            names.push(name);
        }
        if names.len() == DEPTH {
            break;
        }
    }
    names
}

/// The attributed function, or what the kernel printed.
fn name(frame: &LogFrame, told: &Frame<'_>) -> Option<String> {
    if let Some(function) = &told.attribution.function {
        return Some(plain(&function.name).to_owned());
    }
    frame.symbol.as_ref().map(|s| plain(&s.name).to_owned())
}

/// A name without what compilers add to clones and parts.
fn plain(name: &str) -> &str {
    let cut = [".cold", ".part.", ".isra.", ".constprop."];
    let at = cut.iter().filter_map(|c| name.find(c)).min();
    &name[..at.unwrap_or(name.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_and_parts_are_their_function() {
        for name in [
            "f",
            "f.cold",
            "f.isra.0",
            "f.constprop.0.cold",
            "f.part.0.isra.1",
        ] {
            assert_eq!(plain(name), "f");
        }
    }
}
