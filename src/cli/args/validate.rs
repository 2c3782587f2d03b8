//! The command lines of `validate` and `explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fixtrace::low::products::validate::Family;

use super::common::{Color, Costs, Images, Output};

/// A family of checks, as it is named on the command line.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checks {
    /// The ORC table by itself
    Orc,
    /// The exception table by itself
    Extable,
    /// Landings: whose they are, how they are left, ORC there
    Fixup,
    /// ORC against call-frame information
    Agree,
    /// ORC against the instructions
    Flow,
    /// Whether the debug information answers
    Lines,
    /// What a livepatch's stack check would miss
    Livepatch,
}

impl Checks {
    /// The family.
    pub fn family(self) -> Family {
        match self {
            Checks::Orc => Family::Orc,
            Checks::Extable => Family::Extable,
            Checks::Fixup => Family::Fixup,
            Checks::Agree => Family::Agree,
            Checks::Flow => Family::Flow,
            Checks::Lines => Family::Lines,
            Checks::Livepatch => Family::Livepatch,
        }
    }
}

const VALIDATE_EXITS: &str = "\
Exit codes: 0 nothing that fails was found; 1 something was; 2 wrong usage, or no image could be read at all; 3 done in \
part: stderr says which image could not be read, which checks that --check names could not be made, or what --dump lacks. \
A closed pipe is 0.";

/// How findings are shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Findings {
    /// For people
    #[default]
    Text,
    /// One JSON object per image and line
    Json,
    /// SARIF 2.1.0, which code scanning takes
    Sarif,
    /// JUnit's XML, which GitLab and Jenkins take
    Junit,
    /// Annotations of a GitHub workflow
    Github,
}

/// What fails.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FailOn {
    /// Errors
    #[default]
    Error,
    /// Warnings and errors
    Warning,
    /// All findings; those of livepatch that are notes are made with --list only
    Note,
    /// Nothing
    Never,
}

/// `validate`
#[derive(Args, Clone, Debug)]
#[command(after_help = VALIDATE_EXITS)]
pub struct Validate {
    /// Kernel image, modules, and directories that are searched for vmlinux and *.ko, in any order; also in gzip, xz or
    /// zstd. Modules are held to the kernel among them. Without any: the kernel of --release and its modules
    #[arg(value_name = "IMAGE")]
    pub images: Vec<PathBuf>,

    /// Two builds side by side, images or directories: which numbers changed, which findings came and went. What came fails
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"],
        conflicts_with_all = ["images", "vmlinux", "modules", "release", "baseline", "write_baseline"])]
    pub compare: Vec<PathBuf>,

    /// Hold the kernel also to its memory in VMCORE, a dump: orc_lookup must name the rows of the ORC table, and both that
    /// table and the exception table must be as linked. What the dump lacks is told. A dump among the images is taken so;
    /// without any image the kernel is the one that the dump names
    #[arg(long, value_name = "VMCORE", conflicts_with = "compare")]
    pub dump: Option<PathBuf>,

    /// Only these families of checks; may be repeated
    #[arg(
        long = "check",
        value_enum,
        value_name = "FAMILY",
        value_delimiter = ','
    )]
    pub families: Vec<Checks>,

    /// Read entries and lines of one of N units of debug information; 1 for all [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: Option<u32>,

    /// Exit code 1 for what is as bad as that, or worse [default: error]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,

    /// What the check ID finds is meant to be there; only in FUNCTION, or in those that begin so when it ends in *; may be
    /// repeated
    #[arg(long, value_name = "ID[=FUNCTION]")]
    pub allow: Vec<String>,

    /// fail-on, sample, checks, and [[allow]] with check, function and reason, from a TOML file. None is read unless named
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Only what is not in FILE fails; what is there no more is told
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// Write all findings to FILE, for --baseline; they do not fail then
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,

    /// Show all findings: also notes, what is known or allowed, and however many there are
    #[arg(long)]
    pub list: bool,

    /// How to show findings
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: Findings,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Threads to use [default: one for each processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Kernel image
    #[arg(long, value_name = "FILE", help_heading = "Images")]
    pub vmlinux: Option<PathBuf>,

    /// Module; may be repeated
    #[arg(long = "module", value_name = "FILE", help_heading = "Images")]
    pub modules: Vec<PathBuf>,

    /// Directory with debug files, laid out as /usr/lib/debug; may be repeated [default: /usr/lib/debug]
    #[arg(long = "debug-dir", value_name = "DIR", help_heading = "Images")]
    pub debug_dirs: Vec<PathBuf>,

    /// Kernel release that is looked for when no image is named
    #[arg(long, value_name = "REL", help_heading = "Images")]
    pub release: Option<String>,

    /// Say on stderr what was odd about images
    #[arg(short, long)]
    pub verbose: bool,

    /// Say nothing on stderr but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub costs: Costs,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub out: Output,
}

impl Validate {
    /// Where images come from.
    pub fn sources(&self) -> Images {
        Images {
            debug_dirs: self.debug_dirs.clone(),
            verbose: self.verbose,
            quiet: self.quiet,
            costs: self.costs.clone(),
            ..Images::default()
        }
    }

    /// How findings are shown.
    pub fn form(&self) -> Findings {
        match self.json {
            true => Findings::Json,
            false => self.format,
        }
    }
}

const EXPLAIN_EXITS: &str = "Exit codes: 0 done; 2 nothing has that name. A closed pipe is 0.";

/// `explain`
#[derive(Args, Clone, Debug)]
#[command(after_help = EXPLAIN_EXITS)]
pub struct Explain {
    /// A check of validate, a family of them, what makes a function hard to livepatch, or a word of the output: trust, basis,
    /// landing ... Without any: all checks
    #[arg(value_name = "NAME")]
    pub name: Vec<String>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,

    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Colour
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}
