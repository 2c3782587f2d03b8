//! What several verbs take: images, output, numbers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fixtrace::low::base::limits::{Limits, parse_amount};

/// Where images come from.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Images")]
pub struct Images {
    /// Kernel image: ELF, also in gzip, xz or zstd, a bzImage, or an index of one
    #[arg(long, value_name = "FILE")]
    pub vmlinux: Option<PathBuf>,

    /// Module, and where its text was loaded (as in /proc/modules); may be repeated. Without @ADDR its addresses
    /// count from the beginning of its core text
    #[arg(long = "module", value_name = "FILE[@ADDR]")]
    pub modules: Vec<String>,

    /// Symbols of the kernel image from a System.map or /proc/kallsyms instead of its own: with them an image without
    /// debug information will do, also the one that boots
    #[arg(long, value_name = "FILE")]
    pub symbols: Option<PathBuf>,

    /// Directory with debug files, laid out as /usr/lib/debug; may be repeated [default: /usr/lib/debug]
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub debug_dirs: Vec<PathBuf>,

    /// Kernel release whose image is looked for when --vmlinux is not given
    #[arg(long, value_name = "REL")]
    pub release: Option<String>,

    /// Runtime address minus link address of the kernel (KASLR offset)
    #[arg(long, value_name = "HEX", value_parser = parse_hex)]
    pub slide: Option<u64>,

    /// Write the indexes of the images used into the cache, unless they are there
    #[arg(long)]
    pub index: bool,

    /// Do not use indexes in the cache
    #[arg(long, conflicts_with = "index")]
    pub no_index: bool,

    /// Use an image even when it is proved to be another kernel's
    #[arg(long)]
    pub force: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub costs: Costs,

    /// Say on stderr which images are used and what was odd about them
    #[arg(short, long)]
    pub verbose: bool,

    /// Say nothing on stderr but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// When to colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Images {
    /// The limits that hold.
    pub fn limits(&self) -> Limits {
        self.costs.limits()
    }
}

/// What inputs may cost.
#[derive(Args, Clone, Debug, Default)]
pub struct Costs {
    /// Let inputs cost more, or less: NAME is one of the limits in the README, AMOUNT a number, with K, M, G or T for
    /// powers of 1024, or none; may be repeated
    #[arg(long = "limit", value_name = "NAME=AMOUNT", value_parser = parse_limit, help_heading = "Limits")]
    pub limits: Vec<(String, u64)>,
}

impl Costs {
    /// The limits that hold.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (name, value) in &self.limits {
            // Names were looked at when they were parsed.
            let _ = limits.set(name, *value);
        }
        limits
    }
}

/// Where the product goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave out DIR at the beginning of source paths; may be repeated
    #[arg(long, value_name = "DIR")]
    pub strip_prefix: Vec<String>,

    /// Colour
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// A hexadecimal number, with or without `0x`.
pub fn parse_hex(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|e| format!("not a hexadecimal number: {e}"))
}

/// `NAME=AMOUNT`, a limit.
fn parse_limit(text: &str) -> Result<(String, u64), String> {
    let (name, amount) = text.split_once('=').ok_or("no NAME=AMOUNT")?;
    let value = parse_amount(amount).ok_or_else(|| format!("{amount:?} is no amount"))?;
    Limits::default()
        .set(name, value)
        .map_err(|e| e.to_string())?;
    Ok((name.to_owned(), value))
}
