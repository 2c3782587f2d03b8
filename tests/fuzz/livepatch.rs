//! Any bytes as a livepatch module of the little kernel: what it replaces, and what would come of it.
#![no_main]

use std::path::Path;

use fixtrace::low::base::addr::Slide;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::livepatch::{Shapes, read};
use fixtrace::low::formats::types::Types;
use fixtrace::low::products::livepatch::asked::Asked;
use fixtrace::low::products::livepatch::examine::examine;
use fixtrace::low::products::livepatch::module::asked;
use fixtrace::low::products::livepatch::target::resolve;
use fixtrace::low::products::livepatch::wanted::Wanted;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;
use fixtrace_fuzz::fuzz;

const KERNEL: &[u8] = include_bytes!("../../testdata/fixtures/livepatch/kernel.elf");

fn one(input: &[u8]) {
    let storage = Storage::new();
    let Ok(image) = ElfImage::parse(input, Path::new("patch.ko"), &storage) else {
        return;
    };
    let vmlinux = ElfImage::parse(KERNEL, Path::new("vmlinux"), &storage).expect("a fixture");
    let shapes = Types::of(&vmlinux).and_then(|t| Shapes::of(&t));
    let mut kernel = Kernel::new();
    kernel.add(Image::new(vmlinux), Some(Slide(0)));
    let module = read(&image, shapes);
    assert!(module.findings.len() <= 65);
    assert!(module.functions.len() <= input.len());
    // What says nothing of what it replaces says why.
    assert!(module.kind.is_some() || !module.findings.is_empty());
    let wanted = Wanted::default();
    if let Ok(planned) = wanted.plan(Some(&module), &kernel, None) {
        let told = planned.plan.functions.len() + planned.refused.len() + planned.absent.len();
        assert_eq!(told, module.functions.len());
    }
    for asked in asked(&module).take(8) {
        hazards(&kernel, &asked);
    }
    // Its own functions, as a module that is loaded.
    let image = Image::new(image);
    let names: Vec<String> = image
        .symbols()
        .iter()
        .take(8)
        .map(|(_, s)| s.name.to_owned())
        .collect();
    let object = image.name().to_owned();
    kernel.add(image, Some(Slide(0xffff_ffff_c000_0000)));
    for name in names {
        if let Ok(asked) = format!("{name}@{object}").parse() {
            hazards(&kernel, &asked);
        }
    }
}

fn hazards(kernel: &Kernel<'_>, asked: &Asked) {
    match resolve(kernel, asked) {
        Ok(target) => {
            assert!(target.position >= 1);
            if let Some(found) = examine(kernel, &target) {
                assert!(found.hazards.is_sorted_by_key(|h| h.kind));
            }
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

fuzz!(one);
