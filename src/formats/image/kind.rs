//! What an image is.

/// What an image is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ImageKind {
    /// The kernel proper.
    Vmlinux,
    /// A loadable module.
    Module,
    /// The vDSO.
    Vdso,
    /// Another x86 program or object.
    Other,
}
