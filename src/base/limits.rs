//! How much of anything an input may cost: one table, with a default for each row.

use std::fmt;

use super::work::Work;

macro_rules! limits {
    ($($field:ident: $name:literal = $default:expr, $unit:ident, $what:literal;)*) => {
        /// What an input may cost at most. What lies beyond a limit is left out, and said to be.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub struct Limits {
            $(#[doc = $what] pub $field: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($field: $default,)* }
            }
        }

        impl Limits {
            /// All limits with their defaults, in the order that people read them.
            pub const TABLE: &[Limit] = &[
                $(Limit { name: $name, default: $default, unit: Unit::$unit, what: $what },)*
            ];

            /// Bytes that `packed` ones may unpack to.
            pub(crate) fn unpacked_of(&self, packed: u64) -> u64 {
                const BASE: u64 = 192 << 20;
                let most = packed.saturating_mul(self.unpack_ratio);
                most.saturating_add(BASE).min(self.unpacked)
            }

            /// Steps that may be made for `bytes` of an input.
            pub fn steps_of(&self, bytes: u64) -> u64 {
                const BASE: u64 = 64 << 20;
                bytes.saturating_mul(self.work).saturating_add(BASE)
            }

            pub(crate) fn work_of(&self, bytes: u64) -> Work {
                Work::of(self.steps_of(bytes))
            }

            /// Frames that all stacks of an input of `bytes` bytes may have together: each takes a word of a stack.
            pub(crate) fn frames_of(&self, bytes: u64) -> u64 {
                self.frames.saturating_add(bytes / 8)
            }

            /// Bytes that may be copied out of the memory in an input of `bytes` bytes.
            pub(crate) fn copied_of(&self, bytes: u64) -> u64 {
                self.copied.saturating_add(bytes)
            }

            /// Sets the limit called `name`.
            ///
            /// # Errors
            ///
            /// When none is called that; the names that there are stand in [`Limits::TABLE`].
            pub fn set(&mut self, name: &str, value: u64) -> std::result::Result<(), NoSuchLimit> {
                match name {
                    $($name => self.$field = value,)*
                    _ => return Err(NoSuchLimit(name.to_owned())),
                }
                Ok(())
            }
        }
    };
}

limits! {
    unpacked: "unpacked" = 4 << 30, Bytes,
        "Bytes that the packed files and sections of a run, or one packed log, may unpack to.";
    unpack_ratio: "unpack-ratio" = 256, Count,
        "Bytes that they may unpack to for each packed one, beyond 192M.";
    streamed: "streamed" = 4 << 30, Bytes,
        "Bytes read from a pipe or device that an image, a dump or a table is to come from.";
    named_file: "named-file" = 16 << 30, Bytes,
        "Size of a file that an input names.";
    files: "files" = 262_144, Count,
        "Files that inputs name which a run looks for.";
    source_file: "source-file" = 16 << 20, Bytes,
        "Size of a file of source text.";
    work: "work" = 64, Count,
        "Steps of work on an image or a packed log for each byte of it, beyond 64 million: entries, rows, instructions and lines gone through.";
    inline_depth: "inline-depth" = 512, Count,
        "Calls of a function that are inlined within each other, as far as they are told.";
    line: "line" = 16 << 10, Bytes,
        "Length of a line of a log that is read; a longer one says nothing.";
    entries: "entries" = 1_000_000, Count,
        "Directory entries that a run looks at in search of images and modules.";
    task_stack: "task-stack" = 256 << 10, Bytes,
        "Size of a kernel stack, of a task or a CPU.";
    tasks: "tasks" = 1 << 20, Count,
        "Tasks of a dump or snapshot, and threads of a process.";
    cpus: "cpus" = 8192, Count,
        "CPUs of a dump or snapshot.";
    modules: "modules" = 16_384, Count,
        "Modules of a dump or snapshot.";
    frames: "frames" = 1 << 16, Count,
        "Frames of all stacks of an input together, beyond one for each 8 bytes of it.";
    copied: "copied" = 64 << 20, Bytes,
        "Bytes of an input's memory that a snapshot holds, or its log or modules are made of, beyond its size.";
}

/// One row of [`Limits::TABLE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limit {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is unless told otherwise.
    pub default: u64,
    /// What it counts.
    pub unit: Unit,
    /// What it limits.
    pub what: &'static str,
}

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things.
    Count,
}

/// A name that no limit has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoSuchLimit(String);

impl fmt::Display for NoSuchLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Limits::TABLE.iter().map(|l| l.name).collect();
        write!(
            f,
            "no limit is called {:?}; there are {}",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for NoSuchLimit {}

impl Limit {
    /// The default as people write it: `4G`, `16M`, `1000000`.
    pub fn shown(&self) -> String {
        shown(self.default, self.unit)
    }
}

/// `value` as people write it, by the largest unit that it is a multiple of.
fn shown(value: u64, unit: Unit) -> String {
    let suffixes = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];
    let whole = |(_, bits): &&(char, u32)| value >> bits << bits == value && value >> bits != 0;
    match suffixes.iter().find(whole).filter(|_| unit == Unit::Bytes) {
        Some((suffix, bits)) => format!("{}{suffix}", value >> bits),
        None => value.to_string(),
    }
}

/// The number that `text` is: decimal, with `K`, `M`, `G` or `T` behind it for powers of 1024; `none` is no limit.
pub fn parse_amount(text: &str) -> Option<u64> {
    if text == "none" {
        return Some(u64::MAX);
    }
    let (digits, bits) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        (at, 'T' | 't') => (&text[..at], 40),
        _ => (text, 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let value: u64 = digits.parse().ok().filter(|_| plain)?;
    value.checked_mul(1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_given_back() {
        for limit in Limits::TABLE {
            assert_eq!(
                parse_amount(&limit.shown()),
                Some(limit.default),
                "{}",
                limit.name
            );
            let mut limits = Limits::default();
            limits.set(limit.name, limit.default).unwrap();
            assert_eq!(limits, Limits::default());
            limits.set(limit.name, 1).unwrap();
            assert_ne!(limits, Limits::default());
        }
        assert!(Limits::default().set("patience", 1).is_err());
    }

    #[test]
    fn amounts_that_are_none_are_refused() {
        for text in [
            "",
            "K",
            "-1",
            "+1",
            "1.5G",
            "1 K",
            "1KB",
            "99999999999T",
            "0x10",
        ] {
            assert_eq!(parse_amount(text), None, "{text:?}");
        }
        assert_eq!(parse_amount("none"), Some(u64::MAX));
        assert_eq!(parse_amount("3m"), Some(3 << 20));
    }
}
