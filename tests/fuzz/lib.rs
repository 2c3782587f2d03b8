//! What fuzz targets share: a meter of memory, inputs of several parts, little images around them, and questions.

pub mod ask;
#[path = "../common/elf.rs"]
pub mod elf;
#[path = "../common/index.rs"]
pub mod index;
pub mod kernel;
pub mod meter;
#[path = "../common/oops.rs"]
pub mod oops;
pub mod parts;
#[expect(clippy::should_implement_trait, reason = "it never ends")]
#[path = "../common/random.rs"]
pub mod random;
#[path = "../common/table.rs"]
pub mod table;
#[path = "../../src/world/memory/testing.rs"]
pub mod testing;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fixtrace::low::base::addr::Slide;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;

/// A file below `testdata/`, for seeds; targets carry what they need.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

/// A directory of this process for files that an interface wants; it holds nothing else. FUZZ_SCRATCH is where.
pub fn scratch() -> &'static Path {
    static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
        let named = std::env::var_os("FUZZ_SCRATCH").map(PathBuf::from);
        let parent = named.unwrap_or_else(std::env::temp_dir);
        let dir = parent.join(format!("fixtrace-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("empty")).expect("a directory");
        dir
    });
    &DIR
}

/// Writes `bytes` to the file `name` in [`scratch`].
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

/// The kernel that consists of the image `bytes`, not moved, for as long as the process lives.
pub fn kept_kernel(bytes: &[u8], name: &str) -> Kernel<'static> {
    let storage: &'static Storage = Box::leak(Box::default());
    let bytes = storage.own(bytes.to_vec());
    let image = ElfImage::parse(bytes, Path::new(name), storage).expect("an image");
    let mut kernel = Kernel::new();
    kernel.add(Image::new(image), Some(Slide(0)));
    kernel
}
