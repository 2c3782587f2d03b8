//! Prints the public interface of the crate's front door, a line for each item, out of rustdoc's JSON. See `run`.
//!
//!   cargo run --manifest-path tests/api/Cargo.toml target/doc/fixtrace.json
//!
//! What only `low` opens is left out; where a signature names such a type after all, its path is that of the sources,
//! which begins with a floor. An alias at the root stands beside the type that it is of, under one name. Traits of
//! other crates are said to be implemented, without their methods; of those that the compiler adds, Send and Sync.

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use public_api::Builder;
use rustdoc_types::{Crate, FORMAT_VERSION, Id, Impl, Item, ItemEnum, Type, Use};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: api JSON")?);
    let mut krate = read(&fs::read_to_string(&path)?)?;
    close_low(&mut krate)?;
    open_aliases(&mut krate)?;
    leave_out_noise(&mut krate)?;
    let path = path.with_extension("front.json");
    let mut file = BufWriter::new(File::create(&path)?);
    serde_json::to_writer(&mut file, &krate)?;
    file.flush()?;
    let api = Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .build()?;
    let mut out = stdout().lock();
    for item in api.items() {
        writeln!(out, "{item}")?;
    }
    Ok(())
}

/// Rustdoc's JSON, whose shape changes with the compiler.
fn read(json: &str) -> Result<Crate, Box<dyn Error>> {
    let value: Value = serde_json::from_str(json)?;
    let format = &value["format_version"];
    if *format != FORMAT_VERSION {
        return Err(format!(
            "this toolchain's rustdoc writes JSON of format {format}, and {FORMAT_VERSION} is known here: \
             tests/api/Cargo.toml wants a version of public-api that has it, or CI the toolchain of before"
        )
        .into());
    }
    Ok(serde_json::from_value(value)?)
}

/// What stands at the root.
fn root(krate: &mut Crate) -> Result<&mut Vec<Id>, Box<dyn Error>> {
    match krate.index.get_mut(&krate.root).map(|root| &mut root.inner) {
        Some(ItemEnum::Module(module)) => Ok(&mut module.items),
        _ => Err("the crate has no root".into()),
    }
}

/// Leaves the floors out; what is re-exported of them at the root stays.
fn close_low(krate: &mut Crate) -> Result<(), Box<dyn Error>> {
    let is_low = |item: &&Item| {
        item.name.as_deref() == Some("low") && matches!(item.inner, ItemEnum::Module(_))
    };
    let low = root(krate)?.clone().into_iter();
    let low = low.filter_map(|id| krate.index.get(&id)).find(is_low);
    let low = low.ok_or("the root has no module `low`")?.id;
    root(krate)?.retain(|&id| id != low);
    Ok(())
}

/// Re-exports what aliases at the root are of, under their names: its fields and methods are part of the interface.
fn open_aliases(krate: &mut Crate) -> Result<(), Box<dyn Error>> {
    let mut free = krate.index.keys().map(|id| id.0).max().unwrap_or(0);
    for id in root(krate)?.clone() {
        let Some(alias) = krate.index.get(&id) else {
            continue;
        };
        let (Some(name), ItemEnum::TypeAlias(of)) = (&alias.name, &alias.inner) else {
            continue;
        };
        let Type::ResolvedPath(of) = &of.type_ else {
            continue;
        };
        free += 1;
        let inner = ItemEnum::Use(Use {
            source: of.path.clone(),
            name: name.clone(),
            id: Some(of.id),
            is_glob: false,
        });
        let opened = Item {
            id: Id(free),
            name: None,
            inner,
            ..alias.clone()
        };
        root(krate)?.push(opened.id);
        krate.index.insert(opened.id, opened);
    }
    Ok(())
}

/// Leaves out what follows from the rest, and what nobody can name: methods of other crates' traits; the traits that
/// the compiler adds, but for Send and Sync; that types below `low` have a trait of the root.
fn leave_out_noise(krate: &mut Crate) -> Result<(), Box<dyn Error>> {
    let name = |of: &Impl| of.trait_.as_ref().map_or(String::new(), |t| t.path.clone());
    krate.index.retain(|_, item| match &item.inner {
        ItemEnum::Impl(of) if of.is_synthetic => ["Send", "Sync"].contains(&&*name(of)),
        ItemEnum::Impl(of) => name(of) != "StructuralPartialEq",
        _ => true,
    });

    let at_root = root(krate)?.clone();
    let shown: HashSet<Id> = (at_root.iter().filter_map(|id| krate.index.get(id)))
        .map(|item| match &item.inner {
            ItemEnum::Use(Use { id: Some(id), .. }) => *id,
            _ => item.id,
        })
        .collect();
    let is_ours = |id: Id| krate.paths.get(&id).is_some_and(|path| path.crate_id == 0);
    let mut methods = HashSet::new();
    let mut below = HashSet::new();
    for item in krate.index.values() {
        match &item.inner {
            ItemEnum::Function(_) => _ = methods.insert(item.id),
            ItemEnum::Impl(of) => match &of.for_ {
                Type::ResolvedPath(of) if is_ours(of.id) && !shown.contains(&of.id) => {
                    below.insert(item.id);
                }
                _ => {}
            },
            _ => {}
        }
    }
    for item in krate.index.values_mut() {
        match &mut item.inner {
            ItemEnum::Trait(of) => of.implementations.retain(|id| !below.contains(id)),
            ItemEnum::Impl(of) if of.trait_.as_ref().is_some_and(|of| !is_ours(of.id)) => {
                of.items.retain(|id| !methods.contains(id));
            }
            _ => {}
        }
    }
    Ok(())
}
