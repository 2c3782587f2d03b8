//! What the unwinder can do that a kernel has itself.
//!
//! Sources: arch/x86/kernel/unwind_orc.c, arch/x86/kernel/stacktrace.c, kernel/kprobes.c, kernel/trace/rethook.c (Linux
//! 5.10-7.2). Features are told by the functions that they consist of, not by the release: vendors carry them back.

use crate::formats::image::config::Setting;
use crate::world::kernel::Kernel;

/// What a kernel's own unwinder can do.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Walker {
    /// It goes by ORC (`CONFIG_UNWINDER_ORC`); else by frame pointers.
    pub orc: bool,
    /// It walks through code of the BPF JIT without a doubt where that says that its frame pointer is set up
    /// (`bpf_has_frame_pointer()`, 7.0 on).
    pub bpf: bool,
    /// It finds what kretprobes and rethooks took off the stack (`kretprobe_find_ret_addr()` from 5.16 on,
    /// `rethook_find_ret_addr()` from 5.18 on).
    pub kretprobes: bool,
    /// `CONFIG_FRAME_POINTER`: off in a kernel with ORC (lib/Kconfig.debug lets only one be), else as the configuration in
    /// the image has it; `None` where there is none.
    pub frame_pointer: Option<bool>,
}

impl Walker {
    /// That of `kernel`; without a vmlinux it can do nothing.
    pub(crate) fn of(kernel: &Kernel<'_>) -> Self {
        let Some(vmlinux) = kernel.vmlinux() else {
            return Walker::default();
        };
        let image = &vmlinux.image;
        let has = |name: &str| image.symbols().named(name).next().is_some();
        let orc = matches!(image.orc(), Ok(Some(_)));
        Walker {
            orc,
            bpf: has("bpf_has_frame_pointer"),
            kretprobes: has("kretprobe_find_ret_addr") || has("rethook_find_ret_addr"),
            frame_pointer: match orc {
                true => Some(false),
                false => match image.setting("CONFIG_FRAME_POINTER") {
                    Setting::Untold => None,
                    Setting::Off => Some(false),
                    Setting::On(_) => Some(true),
                },
            },
        }
    }
}
