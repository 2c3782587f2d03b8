//! Livepatches in the data of a kernel of our own (`testdata/src/livepatch/kernel.c`), whole and damaged.

use proptest::prelude::*;
use std::path::Path;

use super::read::of;
use super::{Beneath, Livepatch, Target, TaskState};
use crate::base::addr::{Addr, Address, Slide};
use crate::base::bytes::u64_at;
use crate::formats::image::Storage;
use crate::formats::types::Types;
use crate::world::dump::Task;
use crate::world::dump::read::Reader;
use crate::world::dump::world::World;
use crate::world::image::Image;
use crate::world::memory::Pieces;

/// Where the kernel ran.
const SLIDE: Slide = Slide(0x60_0000);

/// A kernel, and its data to be changed.
struct Kernel<'d> {
    image: Image<'d>,
    data: Vec<u8>,
}

impl<'d> Kernel<'d> {
    fn open(storage: &'d Storage) -> Self {
        let path = Path::new("testdata/fixtures/livepatch/kernel.elf");
        let image = Image::open(path, storage).expect("a fixture");
        // It ran elsewhere than it is linked: so do its pointers to itself, but not those to modules.
        let mut data = image.section(".data").expect("data").data.to_vec();
        for word in data.chunks_exact_mut(8) {
            let at = u64_at(word, 0).expect("a word");
            if (0xffff_ffff_8100_0000..0xffff_ffff_8200_0000).contains(&at) {
                word.copy_from_slice(&(at + SLIDE.0).to_le_bytes());
            }
        }
        Kernel { image, data }
    }

    fn symbol(&self, name: &str) -> Addr {
        SLIDE.runtime(self.image.data_addresses([name])[0].expect("a symbol"))
    }

    /// Puts a word at `at`.
    fn put(&mut self, at: Addr, value: u64) {
        let from = self
            .image
            .section(".data")
            .and_then(|s| s.addr)
            .expect("data");
        let offset = at.since(SLIDE.runtime(from)).expect("data") as usize;
        self.data[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn read(&self) -> Option<Livepatch> {
        let types = Types::of(&self.image).expect("types");
        let section = |name| self.image.section(name).expect("a section");
        let at = |name| SLIDE.runtime(section(name).addr.expect("loaded"));
        // Memory has no end behind a text.
        let mut texts = section(".rodata").data.to_vec();
        texts.resize(4096, 0);
        let pieces = vec![(at(".data"), &self.data[..]), (at(".rodata"), &texts[..])];
        let memory = Pieces::new(pieces);
        let reader = Reader::new(&self.image, &types, &memory, SLIDE);
        let size = task_size(&types);
        let task = |number: i64| Task {
            address: self.symbol("tasks").offset(number * size),
            ..Task::default()
        };
        let world = World {
            tasks: (0..4).map(task).collect(),
            ..World::default()
        };
        of(&reader, &world)
    }
}

fn task_size(types: &Types<'_>) -> i64 {
    types.size("task_struct").expect("tasks").cast_signed()
}

fn state(patch_state: Option<i64>, pending: Option<bool>) -> TaskState {
    TaskState {
        patch_state,
        pending,
    }
}

#[test]
fn patches_functions_and_tasks_are_as_the_kernel_has_them() {
    let storage = Storage::new();
    let found = Kernel::open(&storage).read().expect("livepatches");
    let names: Vec<_> = found
        .patches
        .iter()
        .map(|p| (&*p.name, p.enabled, p.forced, p.replace, p.functions.len()))
        .collect();
    assert_eq!(
        names,
        [
            ("kp_one", Some(true), Some(true), Some(false), 1),
            ("kp_two", Some(true), Some(false), Some(true), 2),
        ]
    );
    assert_eq!(
        (found.transition, found.target),
        (Some(1), Some(Target::Patched))
    );
    assert!(found.whole, "{:?}", found.findings);
    let first = &found.patches[1].functions[0];
    assert_eq!(
        (&*first.name, first.sympos, &first.object),
        ("vfs_first", 1, &None)
    );
    assert_eq!(
        (first.old, first.old_size),
        (Some(Addr(0xffffffff81600100)), 0x80)
    );
    assert_eq!(
        (first.new, first.new_size),
        (Addr(0xffffffffc0002000), 0x20)
    );
    assert!(first.patched && first.transition && first.object_patched && !first.nop);
    let third = &found.patches[1].functions[1];
    assert_eq!(
        (&*third.name, third.object.as_deref()),
        ("drv_third", Some("driver"))
    );
    let tasks = [
        state(Some(1), Some(false)),
        state(Some(0), Some(true)),
        state(Some(-1), Some(false)),
    ];
    assert_eq!(found.tasks[..3], tasks);
}

#[test]
fn a_function_lies_on_the_one_that_was_there_before() {
    let storage = Storage::new();
    let found = Kernel::open(&storage).read().expect("livepatches");
    let beneath = |patch: usize, function: usize| {
        let found = &found.patches[patch].functions[function].beneath;
        found
            .as_ref()
            .map(|Beneath { addr, size, patch }| (*addr, *size, patch.as_deref()))
    };
    let original = |at, size| Some((Addr(at), size, None));
    assert_eq!(beneath(0, 0), original(0xffffffff81600100, 0x80));
    assert_eq!(
        beneath(1, 0),
        Some((Addr(0xffffffffc0001000), 0x10, Some("kp_one")))
    );
    assert_eq!(beneath(1, 1), original(0xffffffffc0010000, 0x40));
}

#[test]
fn what_the_image_does_not_tell_is_not_told() {
    let storage = Storage::new();
    let mut kernel = Kernel::open(&storage);
    let text = "ffffffff81000000 T vfs_first\nffffffff81200000 D klp_patches\n";
    let mut image = crate::formats::image::ElfImage::open(kernel.image.path(), &storage);
    let parsed = image.as_mut().expect("a fixture");
    parsed.take_symbol_text(text.as_bytes()).expect("symbols");
    let lacking = Image::new(image.expect("a fixture"));
    let whole = std::mem::replace(&mut kernel.image, lacking);
    let types = Types::of(&whole).expect("types");
    let memory = Pieces::new(Vec::new());
    let reader = Reader::new(&kernel.image, &types, &memory, SLIDE);
    assert!(of(&reader, &World::default()).is_none());
}

#[test]
fn a_patch_in_transition_that_is_on_no_list_is_told_of() {
    let storage = Storage::new();
    let mut kernel = Kernel::open(&storage);
    let (list, transition) = (
        kernel.symbol("klp_patches"),
        kernel.symbol("klp_transition_patch"),
    );
    kernel.put(transition, list.0);
    let found = kernel.read().expect("livepatches");
    assert_eq!((found.transition, found.whole), (None, false));
    let told = &found.findings[0].message;
    assert!(told.contains("is not on the list of livepatches"), "{told}");
}

#[test]
fn broken_lists_are_read_from_both_ends() {
    let storage = Storage::new();
    let mut kernel = Kernel::open(&storage);
    // The first of the list leads to itself.
    let first = kernel.symbol("patches");
    let types = Types::of(&kernel.image).expect("types");
    let link = types
        .offset("klp_patch", "list")
        .expect("a member")
        .cast_signed();
    kernel.put(first.offset(link), first.offset(link).0);
    let found = kernel.read().expect("livepatches");
    assert!(!found.whole);
    assert_eq!(found.patches.len(), 2, "{:?}", found.findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn damage_never_panics_nor_hangs(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4u8), 1..6),
    ) {
        let storage = Storage::new();
        let mut kernel = Kernel::open(&storage);
        let words = kernel.data.len() / 8;
        for (at, from, how) in damage {
            let (at, from) = (at.index(words) * 8, from.index(words) * 8);
            let other = u64_at(&kernel.data, from).expect("a word");
            let value = match how {
                0 => other,
                1 => 0,
                2 => other.wrapping_add(8),
                _ => kernel.symbol("klp_patches").0 & !0xfff | (from as u64 & 0xfff),
            };
            kernel.data[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        if let Some(found) = kernel.read() {
            prop_assert!(found.findings.len() < 100);
            prop_assert!(found.transition.is_none_or(|t| t < found.patches.len()));
            prop_assert_eq!(found.tasks.len(), 4);
        }
    }
}
