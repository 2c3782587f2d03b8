//! The vmlinux inside a bootable x86 image.
//!
//! Source: Documentation/arch/x86/boot.rst (Linux 7.2): `HdrS` at 0x202, `setup_sects` at 0x1f1,
//! `payload_offset` at 0x248 and `payload_length` at 0x24c (protocol 2.08 and later).

use crate::base::bytes::{u16_at, u32_at};
use crate::base::error::{Error, ErrorKind, Result};

const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const SETUP_SECTS: usize = 0x1f1;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// Whether `bytes` begins like a bzImage.
pub(crate) fn is_bzimage(bytes: &[u8]) -> bool {
    u16_at(bytes, BOOT_FLAG) == Some(0xaa55) && bytes.get(MAGIC..MAGIC + 4) == Some(b"HdrS")
}

/// The compressed kernel: a slice of `bytes`.
///
/// # Errors
///
/// When the boot header is cut off, older than protocol 2.08, or the kernel lies outside the file.
pub(crate) fn payload(bytes: &[u8]) -> Result<&[u8]> {
    let bad =
        |what: &str, at: usize| Error::new(ErrorKind::Malformed, what.to_owned()).at(at as u64);
    let version = u16_at(bytes, VERSION).ok_or_else(|| bad("boot header is cut off", VERSION))?;
    if version < 0x208 {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("boot protocol {version:#x} is older than 2.08"),
        ));
    }
    let sects = match bytes.get(SETUP_SECTS) {
        Some(0) => 4,
        Some(n) => u64::from(*n),
        None => return Err(bad("boot header is cut off", SETUP_SECTS)),
    };
    let offset = u32_at(bytes, PAYLOAD_OFFSET)
        .ok_or_else(|| bad("boot header is cut off", PAYLOAD_OFFSET))?;
    let length = u32_at(bytes, PAYLOAD_LENGTH)
        .ok_or_else(|| bad("boot header is cut off", PAYLOAD_LENGTH))?;
    let start = (sects + 1) * 512 + u64::from(offset);
    usize::try_from(start)
        .ok()
        .and_then(|s| bytes.get(s..s.checked_add(length as usize)?))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Truncated,
                format!("kernel payload of {length:#x} bytes lies outside the file"),
            )
            .at(start)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::put;

    fn boot(offset: u64, length: u64) -> Vec<u8> {
        let mut b = vec![0; 4096];
        put(&mut b, BOOT_FLAG, 0xaa55, 2);
        b[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        put(&mut b, VERSION, 0x20f, 2);
        b[SETUP_SECTS] = 1;
        put(&mut b, PAYLOAD_OFFSET, offset, 4);
        put(&mut b, PAYLOAD_LENGTH, length, 4);
        b
    }

    #[test]
    fn the_payload_lies_behind_the_setup_sectors() {
        let mut b = boot(16, 100);
        b[1040..1044].copy_from_slice(b"\x7fELF");
        assert!(is_bzimage(&b));
        assert_eq!(payload(&b).unwrap(), &b[1040..1140]);
    }

    #[test]
    fn a_lying_payload_is_an_error() {
        for (offset, length) in [(u64::from(u32::MAX), 1), (0, u64::from(u32::MAX))] {
            assert!(payload(&boot(offset, length)).is_err());
        }
    }
}
