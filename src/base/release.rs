//! Names of kernel releases.

use std::fmt;

/// The name of a kernel release, `uname -r`: what may stand in a path. Nothing else of what inputs call a release does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Release<'r>(&'r str);

impl<'r> Release<'r> {
    /// `text` if it names a release: digits first, then what packagers and builders put behind them; never a slash, never
    /// a mere `..`.
    pub(crate) fn new(text: &'r str) -> Option<Self> {
        /// Its longest (`__NEW_UTS_LEN`, include/uapi/linux/utsname.h), bytes.
        const LONGEST: usize = 64;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+~-".contains(&b);
        let named = text.len() <= LONGEST
            && text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(plain);
        named.then_some(Release(text))
    }
}

impl fmt::Display for Release<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The first two numbers of a release.
pub(crate) fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_packagers_and_builders_are_releases() {
        for text in [
            "6.1.0-50-cloud-amd64",
            "5.10.0-32-rt",
            "7.2.13+deb13-cloud-amd64",
            "6.9.0-rc1_custom~1",
            "5.14.0-570.12.1.el9_6.x86_64",
            "5.15.167.4-microsoft-standard-WSL2",
            "4.4.0",
        ] {
            assert_eq!(Release::new(text), Some(Release(text)));
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_release() {
        let long = "6".repeat(65);
        for text in [
            "",
            ".",
            "..",
            "/usr",
            "6.0/../../../usr",
            "6.1/",
            "6.1\0",
            "6.1\x1b[31m",
            "6.1 x",
            "syzkaller",
            "6.1é",
            &long,
        ] {
            assert_eq!(Release::new(text), None, "{text:?}");
        }
    }
}
