//! Architectures by the names that the kernel has for them.

use super::bytes::u32_at;

macro_rules! archs {
    ($($(#[$doc:meta])* $arch:ident = $name:literal: $($machine:literal)|*,)*) => {
        /// An architecture.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Arch { $($(#[$doc])* $arch,)* }

        impl Arch {
            /// The one with `e_machine` (include/uapi/linux/elf-em.h).
            pub fn of_machine(machine: u16) -> Option<Self> {
                match machine { $($($machine)|* => Some(Arch::$arch),)* _ => None }
            }

            /// Its name: of x86 that of `ARCH=`, of the others that of the directory below arch/.
            pub fn name(self) -> &'static str {
                match self { $(Arch::$arch => $name,)* }
            }
        }
    };
}

archs! {
    /// 64-bit x86.
    X86_64 = "x86_64": 62,
    /// 32-bit x86.
    I386 = "i386": 3,
    /// 64-bit Arm, "aarch64" elsewhere.
    Arm64 = "arm64": 183,
    /// 32-bit Arm.
    Arm = "arm": 40,
    /// RISC-V.
    Riscv = "riscv": 243,
    /// IBM Z.
    S390 = "s390": 22,
    /// POWER and PowerPC.
    Powerpc = "powerpc": 20 | 21,
    /// MIPS.
    Mips = "mips": 8,
    /// LoongArch.
    Loongarch = "loongarch": 258,
    /// SPARC.
    Sparc = "sparc": 2 | 18 | 43,
    /// PA-RISC.
    Parisc = "parisc": 15,
    /// Itanium.
    Ia64 = "ia64": 50,
    /// Alpha.
    Alpha = "alpha": 0x9026,
    /// Motorola 68000.
    M68k = "m68k": 4,
    /// SuperH.
    Sh = "sh": 42,
    /// ARC.
    Arc = "arc": 93 | 195,
    /// C-SKY.
    Csky = "csky": 252,
    /// MicroBlaze.
    Microblaze = "microblaze": 189,
    /// Nios II.
    Nios2 = "nios2": 113,
    /// OpenRISC.
    Openrisc = "openrisc": 92,
    /// Xtensa.
    Xtensa = "xtensa": 94,
    /// Hexagon.
    Hexagon = "hexagon": 164,
}

impl Arch {
    /// Whether it is one of those that are read here.
    pub fn is_x86(self) -> bool {
        matches!(self, Arch::X86_64 | Arch::I386)
    }

    /// The one that `uname -m` calls so.
    pub(crate) fn of_uname(machine: &str) -> Option<Self> {
        const NAMES: &[(&str, Arch)] = &[
            ("x86_64", Arch::X86_64),
            ("i386", Arch::I386),
            ("i486", Arch::I386),
            ("i586", Arch::I386),
            ("i686", Arch::I386),
            ("aarch64", Arch::Arm64),
            ("arm", Arch::Arm),
            ("riscv", Arch::Riscv),
            ("s390", Arch::S390),
            ("ppc", Arch::Powerpc),
            ("mips", Arch::Mips),
            ("loongarch", Arch::Loongarch),
            ("sparc", Arch::Sparc),
            ("parisc", Arch::Parisc),
        ];
        let known = NAMES.iter().find(|(name, _)| machine.starts_with(name));
        known.map(|(_, arch)| *arch)
    }

    /// That of the bootable image that `bytes` begin (Documentation/arch/arm64/booting.rst,
    /// arch/riscv/boot-image-header.rst, arch/arm/boot/compressed/head.S).
    pub(crate) fn of_boot_image(bytes: &[u8]) -> Option<Self> {
        match (u32_at(bytes, 0x24), u32_at(bytes, 0x38)) {
            (_, Some(0x644d_5241)) => Some(Arch::Arm64),
            (_, Some(0x0543_5352)) => Some(Arch::Riscv),
            (Some(0x016f_2818), _) => Some(Arch::Arm),
            _ => None,
        }
    }
}

/// `e_machine` of the ELF file that `bytes` begin, in its own order of bytes.
pub(crate) fn machine(bytes: &[u8]) -> Option<u16> {
    /// `ELFDATA2MSB`
    const BIG: u8 = 2;
    let two = *bytes.get(18..)?.first_chunk()?;
    if !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    Some(match bytes.get(5)? {
        &BIG => u16::from_be_bytes(two),
        _ => u16::from_le_bytes(two),
    })
}

/// What the ELF file with `machine` is of, in words.
pub(crate) fn named(machine: u16) -> String {
    match Arch::of_machine(machine) {
        Some(arch) => arch.name().to_owned(),
        None => format!("ELF machine {machine}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_have_the_names_of_the_kernel() {
        // e_machine as readelf -h of the kernels' own vmlinux shows it: AArch64, ARM, RISC-V, IBM S/390, PowerPC64.
        for (machine, name) in [
            (183, "arm64"),
            (40, "arm"),
            (243, "riscv"),
            (22, "s390"),
            (21, "powerpc"),
            (62, "x86_64"),
            (3, "i386"),
        ] {
            assert_eq!(named(machine), name);
        }
        assert_eq!(named(9999), "ELF machine 9999");
    }

    #[test]
    fn uname_calls_some_otherwise() {
        let name = |machine| Arch::of_uname(machine).map(Arch::name);
        assert_eq!(name("aarch64"), Some("arm64"));
        assert_eq!(name("armv7l"), Some("arm"));
        assert_eq!(name("ppc64le"), Some("powerpc"));
        assert_eq!(name("s390x"), Some("s390"));
        assert_eq!(name("i686"), Some("i386"));
        assert_eq!(name(""), None);
    }

    #[test]
    fn big_endian_files_say_their_machine_in_their_order() {
        let mut s390 = [0; 64];
        s390[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 2]);
        s390[18..20].copy_from_slice(&[0, 22]);
        assert_eq!(machine(&s390), Some(22));
        assert_eq!(machine(&s390[..18]), None);
    }
}
