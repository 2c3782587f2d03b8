//! Livepatch modules of each kind, whole and damaged.

use std::path::Path;

use proptest::prelude::*;

use super::data::MAX_FUNCTIONS;
use super::{Kind, Module, Shapes, read};
use crate::base::addr::LinkAddr;
use crate::formats::image::{ElfImage, Storage};

/// Of Debian's kernels 5.10 to 7.2.
const SHAPES: Shapes = Shapes {
    function: 152,
    object: 168,
    patch: 200,
    replace: Some(24),
};

const NAMES: [&str; 3] = ["klp-build", "kpatch-build", "by-hand"];

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("testdata/fixtures/livepatch/{name}.ko");
    std::fs::read(path).expect("a fixture")
}

fn module(bytes: &[u8], shapes: Option<Shapes>) -> Module {
    let storage = Storage::new();
    let image = ElfImage::parse(bytes, Path::new("file.ko"), &storage).expect("an image");
    read(&image, shapes)
}

/// `object:name,sympos = symbol section+offset/size` of each function.
fn functions(module: &Module) -> Vec<String> {
    let text = |f: &super::Function| {
        let object = f.object.as_deref().unwrap_or("vmlinux");
        let new = f.new.as_ref().map(|n| {
            let symbol = n.symbol.as_deref().unwrap_or("?");
            let size = n.size.unwrap_or_default();
            format!("{symbol} {}+{:#x}/{size}", n.section, n.offset)
        });
        let new = new.unwrap_or_default();
        format!("{object}:{},{} = {new}", f.name, f.sympos)
    };
    module.functions.iter().map(text).collect()
}

fn findings(module: &Module) -> String {
    let all: Vec<String> = module.findings.iter().map(|f| f.to_string()).collect();
    all.join("; ")
}

/// Where section `name` is in the file.
fn place(bytes: &[u8], name: &str) -> usize {
    let storage = Storage::new();
    let image = ElfImage::parse(bytes, Path::new("file.ko"), &storage).expect("an image");
    image.section(name).expect("a section").offset as usize
}

/// How far into the data of the patch written by hand `name` stands.
fn offset(bytes: &[u8], name: &str) -> u64 {
    let storage = Storage::new();
    let image = ElfImage::parse(bytes, Path::new("file.ko"), &storage).expect("an image");
    // A symbol's value in a module is its place in its section.
    image.data_addresses([name])[0].expect("a symbol").0
}

/// Puts `value` into section `name` at `offset`.
fn put(bytes: &mut [u8], name: &str, offset: usize, value: u64) {
    let at = place(bytes, name) + offset;
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Lets the relocation of section `name` at `offset` add `addend`.
fn lead(bytes: &mut [u8], name: &str, offset: u64, addend: u64) {
    let rela = place(bytes, &format!(".rela{name}"));
    let row = (0..).map(|i| rela + i * 24);
    let mut found = row.filter(|at| bytes[*at..at + 8] == offset.to_le_bytes());
    let at = found.next().expect("a relocation") + 16;
    bytes[at..at + 8].copy_from_slice(&addend.to_le_bytes());
}

#[test]
fn a_module_of_klp_build_tells_what_it_replaces() {
    let found = module(&fixture("klp-build"), None);
    assert_eq!(found.kind, Some(Kind::KlpBuild));
    assert_eq!((&*found.name, found.marked), ("livepatch_built", true));
    assert_eq!(found.replace, None, "its code decides that");
    assert_eq!(
        functions(&found),
        [
            "vmlinux:vfs_first,0 = first .text+0x0/6",
            "vmlinux:vfs_second,2 = second .text+0x10/6",
            "driver:drv_third,0 = third .text+0x20/6",
        ]
    );
    assert_eq!(findings(&found), "");
}

#[test]
fn a_module_of_kpatch_build_says_where_the_functions_were() {
    let found = module(&fixture("kpatch-build"), None);
    assert_eq!(found.kind, Some(Kind::KpatchBuild));
    assert_eq!(found.name, "livepatch_kpatch");
    assert_eq!(
        functions(&found),
        [
            "vmlinux:vfs_first,3 = vfs_first .text.vfs_first+0x0/6",
            "driver:drv_third,0 = drv_third .text.drv_third+0x0/6",
        ]
    );
    let old = found.functions[0].old.expect("where it was");
    assert_eq!(
        (old.address, old.size),
        (LinkAddr(0xffffffff81234560), 0x120)
    );
    assert_eq!(findings(&found), "");
}

#[test]
fn a_patch_written_by_hand_is_found_by_its_shape() {
    let found = module(&fixture("by-hand"), Some(SHAPES));
    assert_eq!(found.kind, Some(Kind::ByHand));
    assert_eq!(found.replace, Some(true));
    assert_eq!(
        functions(&found),
        [
            "vmlinux:vfs_first,1 = first .text+0x0/6",
            "vmlinux:vfs_second,0 = second .text+0x10/6",
            "driver:drv_third,0 = third .text+0x20/6",
        ]
    );
    assert_eq!(findings(&found), "");
}

#[test]
fn a_patch_whose_module_is_set_by_code_is_found_as_well() {
    let mut bytes = fixture("by-hand");
    let storage = Storage::new();
    let image = ElfImage::parse(&bytes, Path::new("file.ko"), &storage).expect("an image");
    let own = image.section(".rela.data").expect("relocations");
    let (at, count) = (own.offset as usize, own.size as usize / 24);
    // The relocation that leads to `__this_module` becomes none: its place, of no symbol's.
    let patch = offset(&bytes, "patch");
    let mut changed = 0;
    for row in (0..count).map(|i| at + i * 24) {
        if bytes[row..row + 8] == patch.to_le_bytes() {
            bytes.copy_within(row + 24..at + count * 24, row);
            changed += 1;
        }
    }
    let found = module(&bytes, Some(SHAPES));
    assert_eq!(
        (changed, functions(&found).len()),
        (1, 3),
        "{}",
        findings(&found)
    );
}

#[test]
fn without_types_or_with_wrong_ones_a_patch_written_by_hand_is_not_told() {
    let bytes = fixture("by-hand");
    for (shapes, why) in [
        (None, "no types tell"),
        (
            Some(Shapes {
                function: 8,
                ..SHAPES
            }),
            "no types tell",
        ),
        (
            Some(Shapes {
                patch: u64::MAX,
                ..SHAPES
            }),
            "no types tell",
        ),
        (
            Some(Shapes {
                patch: 208,
                ..SHAPES
            }),
            "nothing in it says",
        ),
    ] {
        let found = module(&bytes, shapes);
        assert_eq!((found.kind, found.functions.len()), (None, 0), "{shapes:?}");
        assert!(findings(&found).contains(why), "{}", findings(&found));
    }
    // Functions of another size: the first is one, what follows is not.
    let found = module(
        &bytes,
        Some(Shapes {
            function: 160,
            ..SHAPES
        }),
    );
    assert_eq!(functions(&found).len(), 0);
    assert!(findings(&found).contains("is not as a module may fill it in"));
}

#[test]
fn a_list_without_an_end_is_read_as_far_as_it_goes() {
    let mut bytes = fixture("by-hand");
    // The row that ends the functions of the vmlinux has a position.
    let end = offset(&bytes, "f_vmlinux") as usize + 2 * 152;
    put(&mut bytes, ".data", end + 16, 1);
    let found = module(&bytes, Some(SHAPES));
    assert_eq!(functions(&found).len(), 2);
    assert!(findings(&found).contains("the function's name cannot be read"));
}

#[test]
fn lists_in_one_another_end() {
    let bytes = fixture("by-hand");
    let [objects, patch, functions] = ["objs", "patch", "f_vmlinux"].map(|n| offset(&bytes, n));
    for (at, to) in [
        // The functions of an object are the objects; those of the module are those of the vmlinux.
        (objects + 8, objects),
        (objects + 168 + 8, functions),
        // The objects of the patch are its own beginning, or behind all data.
        (patch + 8, patch),
        (patch + 8, 1 << 40),
        (patch + 8, u64::MAX),
    ] {
        let mut bytes = bytes.clone();
        lead(&mut bytes, ".data", at, to);
        let found = module(&bytes, Some(SHAPES));
        assert!(found.functions.len() <= 3, "{at:#x} {to:#x}");
        assert!(!found.findings.is_empty(), "{at:#x} {to:#x}");
    }
}

#[test]
fn counts_that_lie_and_names_elsewhere_are_told() {
    let mut bytes = fixture("klp-build");
    put(&mut bytes, ".init.klp_objects", 56, u32::MAX.into());
    lead(&mut bytes, ".init.klp_funcs", 24, 1 << 33);
    lead(&mut bytes, ".init.klp_funcs", 8, 0x1000);
    let found = module(&bytes, None);
    let told = findings(&found);
    assert!(
        told.contains("4294967295 functions are not there: 3 can be read"),
        "{told}"
    );
    assert!(
        told.contains("what replaces vfs_first is no code"),
        "{told}"
    );
    assert!(
        told.contains(".init.klp_funcs+0x18: the function's name"),
        "{told}"
    );
    assert_eq!(found.functions[0].new, None);
}

#[test]
fn rows_of_the_older_kpatch_are_refused() {
    let mut bytes = fixture("kpatch-build");
    // The name stood where the position is now.
    let rela = place(&bytes, ".rela.kpatch.funcs");
    let name = bytes[rela..]
        .chunks(24)
        .position(|r| r[..8] == 40u64.to_le_bytes());
    let at = rela + name.expect("a relocation") * 24;
    bytes[at..at + 8].copy_from_slice(&32u64.to_le_bytes());
    let found = module(&bytes, None);
    assert_eq!(functions(&found).len(), 0);
    assert!(
        findings(&found).contains("up to 0.2"),
        "{}",
        findings(&found)
    );
}

#[test]
fn rows_without_number_are_cut_off() {
    let mut bytes = fixture("kpatch-build");
    let (section, size) = (place(&bytes, ".kpatch.funcs"), 112u64);
    // Its section header says that it is all that follows.
    let header = bytes
        .windows(16)
        .rposition(|w| w == [(section as u64).to_le_bytes(), size.to_le_bytes()].concat())
        .expect("a header");
    let (rows, end) = (70_000 * 56, bytes.len() as u64);
    bytes[header..header + 8].copy_from_slice(&end.to_le_bytes());
    bytes[header + 8..header + 16].copy_from_slice(&(rows as u64).to_le_bytes());
    bytes.resize(bytes.len() + rows, 0);
    let found = module(&bytes, None);
    assert!(found.functions.len() <= MAX_FUNCTIONS);
    assert!(
        findings(&found).contains("more could not be read"),
        "{}",
        found.findings.len()
    );
    assert!(found.findings.len() < 100);
}

#[test]
fn what_is_no_livepatch_says_so() {
    let bytes = std::fs::read("testdata/fixtures/15-vmread.ko").expect("a fixture");
    let found = module(&bytes, Some(SHAPES));
    assert_eq!((found.kind, found.marked), (None, false));
    assert!(findings(&found).contains("nothing in it says what it replaces"));
    let bytes = std::fs::read("testdata/fixtures/livepatch/kernel.elf").expect("a fixture");
    assert!(findings(&module(&bytes, Some(SHAPES))).contains("no module of x86_64"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn damage_never_panics_nor_adds(
        which in 0..3usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0..9u32), 1..5),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bytes = fixture(NAMES[which]);
        for (at, value, width) in damage {
            let value = value >> (64 - width * 7 - 1);
            let at = at.index(bytes.len() - 8);
            let width = (width as usize).clamp(1, 8);
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        if let Some(cut) = cut {
            let len = bytes.len();
            bytes.truncate(cut.index(len));
        }
        let storage = Storage::new();
        if let Ok(image) = ElfImage::parse(&bytes, Path::new("file.ko"), &storage) {
            let found = read(&image, Some(SHAPES));
            prop_assert!(found.functions.len() <= 64);
            prop_assert!(found.findings.iter().all(|f| !f.message.is_empty()));
        }
    }
}
