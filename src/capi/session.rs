//! Sessions: images of one kernel that are open.

use std::ffi::c_char;

use super::about::FIXTRACE_UNKNOWN;
use super::arena::{Arena, give, take_back};
use super::error::{Out, fixtrace_error, quietly};
use super::options::fixtrace_options;
use super::pointer::given;
use super::text::{fixtrace_text, give_lines};
use crate::world::session::{ImageInfo, Session};

/// Images of one kernel, opened when they are needed.
pub struct fixtrace_session(pub(super) Session);

/// Opens what `options` name, which stay the caller's.
///
/// Errors: "argument" for an option that is none; "no-image" where they name neither an image nor a release;
/// "not-found", which lists what was tried; what is wrong with a file that was named.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_open(
    options: *const fixtrace_options,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_session {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, options) = unsafe { (Out::new(error), given(options, "options")) };
    out.answer(|| Ok(boxed(Session::open(options?.checked()?)?)))
}

/// A session that has nothing open yet: `fixtrace_stacks` opens what the options name, or looks for what a dump is of.
///
/// Errors: "argument" for an option that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_session_new(
    options: *const fixtrace_options,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_session {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, options) = unsafe { (Out::new(error), given(options, "options")) };
    out.answer(|| Ok(boxed(Session::new(options?.checked()?))))
}

/// The same session for one more owner; NULL for NULL. It is closed when the last one frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_session_clone(
    session: *const fixtrace_session,
) -> *mut fixtrace_session {
    // SAFETY: whoever calls keeps the contract of this interface.
    let session = unsafe { given(session, "session") };
    Out::nowhere().answer(|| Ok(boxed(session?.0.clone())))
}

/// Frees a session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_session_free(session: *mut fixtrace_session) {
    if !session.is_null() {
        // SAFETY: whoever calls keeps the contract of this interface.
        quietly(|| drop(unsafe { Box::from_raw(session) }));
    }
}

fn boxed(session: Session) -> *mut fixtrace_session {
    Box::into_raw(Box::new(fixtrace_session(session)))
}

/// What was noticed since this was asked last: images that could not be used, files that were refused, what limits left
/// out. A line for each, with its end; errors may go on in lines that are indented. Empty where there is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_noticed(
    session: *const fixtrace_session,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_text {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session) = unsafe { (Out::new(error), given(session, "session")) };
    out.answer(|| {
        let noticed = session?.0.noticed();
        Ok(give_lines(noticed.iter().map(ToString::to_string)))
    })
}

/// Images that are open.
#[repr(C)]
pub struct fixtrace_images {
    /// How many.
    pub count: usize,
    /// The vmlinux first.
    pub images: *const *const fixtrace_image,
}

/// An image.
#[repr(C)]
pub struct fixtrace_image {
    /// "vmlinux", the module's name, or the file's.
    pub name: *const c_char,
    /// The file, in bytes as the system has them.
    pub path: *const c_char,
    /// Its build-id, in hexadecimal digits.
    pub build_id: *const c_char,
    /// The release of the kernel that it is, or is for.
    pub release: *const c_char,
    /// Runtime minus link address, modulo 2^64.
    pub slide: u64,
}

/// The images that are open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_session_images(
    session: *const fixtrace_session,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_images {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session) = unsafe { (Out::new(error), given(session, "session")) };
    out.answer(|| {
        let mut arena = Arena::default();
        let images = session?.0.images();
        let images: Vec<_> = images.iter().map(|i| image(i, &mut arena)).collect();
        let shown = fixtrace_images {
            count: images.len(),
            images: arena.list(images),
        };
        Ok(give(shown, arena))
    })
}

/// Frees a list of images.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_images_free(images: *mut fixtrace_images) {
    // SAFETY: whoever calls keeps the contract of this interface.
    quietly(|| unsafe { take_back(images) });
}

fn image(info: &ImageInfo, arena: &mut Arena) -> *const fixtrace_image {
    let shown = fixtrace_image {
        name: arena.text(&info.name),
        path: arena.bytes(info.path.as_os_str().as_encoded_bytes().to_vec()),
        build_id: arena.maybe(info.build_id.as_deref()),
        release: arena.maybe(info.release.as_deref()),
        slide: info.slide.map_or(FIXTRACE_UNKNOWN, |slide| slide.0),
    };
    arena.keep(shown)
}
