//! Which files a run reads that are named: nothing is written to them.

use std::path::{Path, PathBuf};

use fixtrace::low::base::file_id::FileId;

use super::args::{Images, Index, Inspect, Livepatch, Lookup, Symbolize, Unwind, Validate};
use super::open;

/// Which files these are; what is not there is none.
pub fn ids<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Vec<FileId> {
    let ids = paths.into_iter().filter_map(|p| FileId::at(p.as_ref()));
    ids.collect()
}

/// Standard input, where it is read.
fn standard(read: bool) -> Option<PathBuf> {
    read.then(|| PathBuf::from("/dev/stdin"))
}

fn images(args: &Images) -> impl Iterator<Item = PathBuf> {
    let modules = args.modules.iter().map(|m| open::module(m).path);
    let named = args.vmlinux.iter().chain(&args.symbols).cloned();
    named.chain(modules)
}

/// Those of `lookup`.
pub fn of_lookup(args: &Lookup) -> Vec<FileId> {
    ids(images(&args.images).chain(standard(args.places.is_empty())))
}

/// Those of `symbolize`, whose logs are `logs`.
pub fn of_symbolize(args: &Symbolize, logs: &[PathBuf]) -> Vec<FileId> {
    let logs = logs.iter().cloned();
    let input = standard(args.logs.is_empty());
    ids(images(&args.images).chain(logs).chain(input))
}

/// Those of `unwind`.
pub fn of_unwind(args: &Unwind) -> Vec<FileId> {
    let memory = args.memory.iter();
    let memory = memory.filter_map(|m| Some(PathBuf::from(m.rsplit_once('@')?.0)));
    let dump = args.dump.iter().chain(&args.parts).cloned();
    ids(images(&args.images).chain(dump).chain(memory))
}

/// Those of `inspect`.
pub fn of_inspect(args: &Inspect) -> Vec<FileId> {
    ids(images(&args.images))
}

/// Those of `index`.
pub fn of_index(args: &Index) -> Vec<FileId> {
    let lists = args.only.iter();
    let lists = lists.filter_map(|o| Some(Path::new(o.strip_prefix('@')?)));
    let images = args.images.iter().chain(&args.symbols);
    ids(images.map(PathBuf::as_path).chain(lists))
}

/// Those of `livepatch`.
pub fn of_livepatch(args: &Livepatch) -> Vec<FileId> {
    let dumps = args.dump.iter().chain(&args.parts).chain(&args.again);
    let others = args.log.iter().chain(&args.patch);
    ids(images(&args.images).chain(dumps.chain(others).cloned()))
}

/// Those of `validate` on the images `files`. A baseline that is read may be written anew.
pub fn of_validate(args: &Validate, files: &[PathBuf]) -> Vec<FileId> {
    let named = args.vmlinux.iter().chain(&args.modules).chain(&args.images);
    let others = args.compare.iter().chain(&args.dump).chain(&args.config);
    ids(files.iter().chain(named).chain(others))
}
