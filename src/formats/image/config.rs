//! The configuration that a kernel carries (`CONFIG_IKCONFIG`; kernel/configs.c, Linux 5.1-7.2): a gzip file between
//! `kernel_config_data` and `kernel_config_data_end`.

use super::elf_image::ElfImage;
use super::packing::Packing;

/// Bytes of a configuration, at most: those of distributions have 300,000.
const LIMIT: u64 = 4 << 20;

/// What a configuration says of an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Setting {
    /// The image has no configuration, or it cannot be read.
    Untold,
    /// It is not set.
    Off,
    /// It is set, to this.
    On(String),
}

impl ElfImage<'_> {
    /// What the configuration in the image says of `option`, `CONFIG_` included.
    pub fn setting(&self, option: &str) -> Setting {
        let [begin, end] = self.data_addresses(["kernel_config_data", "kernel_config_data_end"]);
        let packed = begin.zip(end).and_then(|(begin, end)| {
            let len = end.0.checked_sub(begin.0)?;
            self.bytes(begin).get(..usize::try_from(len).ok()?)
        });
        let text = packed
            .filter(|p| matches!(Packing::of(p), Packing::Gzip))
            .and_then(|p| Packing::Gzip.decompress(p, LIMIT).ok());
        match text {
            Some(text) => setting(&text, option),
            None => Setting::Untold,
        }
    }
}

fn setting(text: &[u8], option: &str) -> Setting {
    let mut lines = text.split(|b| *b == b'\n');
    let value = lines.find_map(|line| {
        let rest = line.strip_prefix(option.as_bytes())?;
        rest.strip_prefix(b"=")
    });
    value.map_or(Setting::Off, |value| {
        Setting::On(String::from_utf8_lossy(value).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_what_is_on_and_what_is_not() {
        let text = b"#\n# CONFIG_FRAME_POINTER is not set\nCONFIG_UNWINDER_ORC=y\nCONFIG_HZ=250\n";
        let of = |option| setting(text, option);
        assert_eq!(of("CONFIG_FRAME_POINTER"), Setting::Off);
        assert_eq!(of("CONFIG_UNWINDER_ORC"), Setting::On("y".to_owned()));
        assert_eq!(of("CONFIG_HZ"), Setting::On("250".to_owned()));
        assert_eq!(of("CONFIG_UNWINDER"), Setting::Off);
    }
}
