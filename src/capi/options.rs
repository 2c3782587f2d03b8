//! What a session is to open, and where it may look.

use std::ffi::{c_char, c_int};

use super::about::FIXTRACE_UNKNOWN;
use super::error::{Out, quietly};
use super::failure::{Answer, Failure};
use super::pointer::{path, text};
use crate::base::addr::Slide;
use crate::world::index::Cache;
use crate::world::session::{Indexes, ModuleFile, Options};

/// What a session is to open, and where it may look. Nothing else decides. What is wrong with an option is said when
/// the session is opened.
pub struct fixtrace_options {
    options: Options,
    /// Whether directories of debug files were named.
    debug_dirs: bool,
    /// What was wrong first.
    wrong: Option<String>,
}

impl fixtrace_options {
    /// What is to be opened.
    pub(super) fn checked(&self) -> Answer<Options> {
        match &self.wrong {
            Some(wrong) => Err(Failure::argument(wrong.clone())),
            None => Ok(self.options.clone()),
        }
    }
}

/// Puts `value` into options, unless those are NULL; an error is kept for when they are used.
///
/// # Safety
/// `options` are NULL, or were given by [`fixtrace_options_new`] and are used by nobody else during the call.
unsafe fn put<T>(
    options: *mut fixtrace_options,
    value: Answer<T>,
    put: impl FnOnce(&mut fixtrace_options, T),
) {
    // SAFETY: whoever calls says so.
    let Some(options) = (unsafe { options.as_mut() }) else {
        return;
    };
    quietly(|| match value {
        Ok(value) => put(options, value),
        Err(failure) => {
            options.wrong.get_or_insert(failure.message);
        }
    });
}

/// Options that name nothing: debug files are looked for in /usr/lib/debug, there are no indexes, and answers have source
/// lines. NULL only after a panic.
#[unsafe(no_mangle)]
pub extern "C" fn fixtrace_options_new() -> *mut fixtrace_options {
    Out::nowhere().answer(|| {
        Ok(Box::into_raw(Box::new(fixtrace_options {
            options: Options::default(),
            debug_dirs: false,
            wrong: None,
        })))
    })
}

/// Frees options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_free(options: *mut fixtrace_options) {
    if !options.is_null() {
        // SAFETY: whoever calls keeps the contract of this interface.
        quietly(|| drop(unsafe { Box::from_raw(options) }));
    }
}

/// The kernel's image: ELF, also packed, a bzImage, or an index of one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_vmlinux(
    options: *mut fixtrace_options,
    file: *const c_char,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(file, "vmlinux"), |o, file| {
            o.options.vmlinux = Some(file);
        });
    }
}

/// Symbols of the kernel's image, from a System.map or a copy of /proc/kallsyms instead of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_symbols(
    options: *mut fixtrace_options,
    file: *const c_char,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(file, "symbols"), |o, file| {
            o.options.symbols = Some(file);
        });
    }
}

/// One more module, whose core text begins at the runtime address `at`; it is found by name only where that is
/// FIXTRACE_UNKNOWN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_module(
    options: *mut fixtrace_options,
    file: *const c_char,
    at: u64,
) {
    let at = (at != FIXTRACE_UNKNOWN).then_some(Slide(at));
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(file, "module"), |o, file| {
            o.options.modules.push(ModuleFile { path: file, at });
        });
    }
}

/// One more directory that is searched for modules, with all below it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_modules_dir(
    options: *mut fixtrace_options,
    directory: *const c_char,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(directory, "modules_dir"), |o, directory| {
            o.options.modules_dirs.push(directory);
        });
    }
}

/// One more directory of debug files, laid out as /usr/lib/debug; the first one stands instead of that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_debug_dir(
    options: *mut fixtrace_options,
    directory: *const c_char,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(directory, "debug_dir"), |o, directory| {
            if !std::mem::replace(&mut o.debug_dirs, true) {
                o.options.debug_dirs.clear();
            }
            o.options.debug_dirs.push(directory);
        });
    }
}

/// Below what files of processes lie, when they are of another machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_sysroot(
    options: *mut fixtrace_options,
    directory: *const c_char,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(directory, "sysroot"), |o, directory| {
            o.options.sysroot = Some(directory);
        });
    }
}

/// Images are read out of their indexes in `directory`, which makes opening them fast. If `write` is not 0, an image
/// that has none gets one, and old ones are thrown out when all take more than `max_bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_index(
    options: *mut fixtrace_options,
    directory: *const c_char,
    max_bytes: u64,
    write: c_int,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, path(directory, "index"), |o, dir| {
            let max = max_bytes;
            o.options.cache = Some(Cache { dir, max });
            o.options.indexes = match write {
                0 => Indexes::Use,
                _ => Indexes::UseAndWrite,
            };
        });
    }
}

/// Runtime minus link address of the kernel (KASLR), modulo 2^64. Dumps and most logs tell it themselves.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_slide(options: *mut fixtrace_options, slide: u64) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, Ok(Slide(slide)), |o, slide| {
            o.options.slide = Some(slide);
        });
    }
}

/// The release (`uname -r`) whose image is looked for when none is named.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_release(
    options: *mut fixtrace_options,
    release: *const c_char,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, text(release, "release"), |o, release| {
            o.options.release = Some(release.to_owned());
        });
    }
}

/// Whether images are used that are proved to be others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_force(options: *mut fixtrace_options, force: c_int) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe { put(options, Ok(force != 0), |o, force| o.options.force = force) }
}

/// Whether answers have source lines: yes, unless told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_lines(options: *mut fixtrace_options, lines: c_int) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe { put(options, Ok(lines != 0), |o, lines| o.options.lines = lines) }
}

/// What an input may cost: `name` is one of the names that `fixtrace --help` lists at `--limit`, such as "work" or
/// "unpacked", `amount` what it is set to, in bytes or as a count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_options_limit(
    options: *mut fixtrace_options,
    name: *const c_char,
    amount: u64,
) {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe {
        put(options, text(name, "limit"), |o, name| {
            if let Err(none) = o.options.limits.set(name, amount) {
                o.wrong.get_or_insert(none.to_string());
            }
        });
    }
}
