//! Names of the model-specific registers that kernels use (arch/x86/include/asm/msr-index.h).

/// The name of MSR `number`; `None` for those without one here.
pub(crate) fn name(number: u32) -> Option<&'static str> {
    NAMES
        .binary_search_by_key(&number, |(n, _)| *n)
        .ok()
        .map(|n| NAMES[n].1)
}

const NAMES: [(u32, &str); 44] = [
    (0x10, "time-stamp counter"),
    (0x1b, "APIC base"),
    (0x3a, "feature control"),
    (0x48, "speculation control"),
    (0x49, "prediction command"),
    (0x79, "microcode update trigger"),
    (0x8b, "microcode version"),
    (0xce, "platform information"),
    (0x10a, "architectural capabilities"),
    (0x10b, "flush command"),
    (0x122, "TSX control"),
    (0x123, "microcode optimisation control"),
    (0x140, "features of feature control"),
    (0x174, "SYSENTER CS"),
    (0x175, "SYSENTER RSP"),
    (0x176, "SYSENTER RIP"),
    (0x17a, "machine check status"),
    (0x1a0, "miscellaneous enables"),
    (0x1a4, "prefetch control"),
    (0x1b0, "energy and performance bias"),
    (0x1d9, "debug control"),
    (0x277, "page attribute table"),
    (0x2ff, "default memory type"),
    (0x345, "performance capabilities"),
    (0x38d, "fixed counter control"),
    (0x38f, "global performance control"),
    (0x480, "VMX capabilities"),
    (0x560, "processor trace output base"),
    (0x570, "processor trace control"),
    (0x6a0, "user shadow stacks"),
    (0x6a2, "supervisor shadow stacks"),
    (0x6e0, "TSC deadline"),
    (0x770, "hardware P-states enable"),
    (0x774, "hardware P-states request"),
    (0xda0, "supervisor state of XSAVES"),
    (0xc000_0080, "extended features"),
    (0xc000_0081, "STAR: system call segments"),
    (0xc000_0082, "LSTAR: entry of system calls"),
    (0xc000_0083, "CSTAR: entry of compatibility system calls"),
    (0xc000_0084, "SYSCALL flag mask"),
    (0xc000_0100, "base of FS"),
    (0xc000_0101, "base of GS"),
    (0xc000_0102, "base of GS after swapgs"),
    (0xc000_0103, "CPU number for rdtscp"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_and_found() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(name(0xc000_0101), Some("base of GS"));
        assert_eq!(name(0x1234_5678), None);
    }
}
