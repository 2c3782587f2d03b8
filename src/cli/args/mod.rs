//! The command line. Its doc comments are the help texts.

mod common;
mod validate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fixtrace::low::products::livepatch::asked::Asked;

pub use common::{Color, Costs, Images, Output, parse_hex};
pub use validate::{Checks, Explain, FailOn, Findings, Validate};

const EXITS: &str = "\
Exit codes: 0 done; 1 nothing of what was asked for was found; 2 wrong usage, or an input that could not be \
read at all; 3 done in part (stderr says what was left out). A closed pipe is 0.";

/// Names the function behind any PC of a Linux kernel, exception-table fixups included.
#[derive(Parser, Debug)]
#[command(name = "fixtrace", version, after_help = EXITS, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Say which function an address belongs to, and how that is known
    Lookup(Lookup),
    /// Annotate kernel logs: source lines, origins of fixups, decoded code; or their reports as JSON, or grouped
    Symbolize(Symbolize),
    /// Unwind the stacks in a dump, a snapshot, a core file, or of registers and memory given by hand
    Unwind(Unwind),
    /// Show the tables of an image
    Inspect(Inspect),
    /// Write the index of an image: later questions are answered from it, with or without the image
    Index(Index),
    /// Say which tasks block a livepatch, which escape the kernel's check, and what makes functions hard to patch
    Livepatch(Livepatch),
    /// Check that a kernel image and its modules can be unwound reliably: their tables against each other and the code
    Validate(Validate),
    /// Say what a check, a hazard of livepatches or a word of the output means, and what to do
    Explain(Explain),
}

/// `lookup`
#[derive(Args, Debug)]
#[command(after_help = EXITS)]
pub struct Lookup {
    /// Places to look up: ADDR, MODULE:ADDR, SYM, SYM+OFF, SYM+OFF/SIZE, MODULE:SYM+OFF/SIZE, SYM also as the path of
    /// a Rust function; read from standard input, one a line, when none is given. ADDR is where the code ran, or, in a
    /// module given without @ADDR, where inspect shows it: its core text begins at 0
    #[arg(value_name = "PLACE")]
    pub places: Vec<String>,

    /// Take the places as return addresses: the call before them is looked up
    #[arg(long = "return")]
    pub is_return: bool,

    /// Return address of the caller's frame (same forms), a witness for fixups that functions share
    #[arg(long, value_name = "PLACE")]
    pub caller: Option<String>,

    /// No source lines: DWARF is not read
    #[arg(long)]
    pub no_lines: bool,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub out: Output,
}

/// `symbolize`
#[derive(Args, Debug, Default)]
#[command(after_help = EXITS)]
pub struct Symbolize {
    /// Logs, also in gzip, xz or zstd, and dumps of kernels, whose log is taken out; directories of them with --json or
    /// --summary; standard input when none is given. Of what is cut or damaged all is shown that can be read
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// No source lines: DWARF is not read
    #[arg(long)]
    pub no_lines: bool,

    /// Decode the code around RIP, and say what the faulting instruction did
    #[arg(long)]
    pub code: bool,

    /// Show N lines of source before and behind each place; needs --source-dir
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "2")]
    pub source: Option<u32>,

    /// Directory with the source that the images were built from; may be repeated. No other source is read: links that
    /// lead out of it are not followed
    #[arg(long, value_name = "DIR")]
    pub source_dir: Vec<PathBuf>,

    /// Source lines as links that a terminal opens: file, vscode, none, or a URL with {path} and {line}
    /// [default: file on a terminal with --source-dir, else none]
    #[arg(long, value_name = "FORM")]
    pub hyperlinks: Option<String>,

    /// One JSON object per report and line, instead of the log
    #[arg(long, conflicts_with_all = ["code", "source"])]
    pub json: bool,

    /// Reports grouped by what they are and where they come from, most frequent first, instead of the log
    #[arg(long, conflicts_with_all = ["code", "source"])]
    pub summary: bool,

    /// Whether the stack of each report is reliable, as far as text tells how the kernel's own unwinder decides it, or
    /// complete: reliable, and every frame attributed exactly. Exit code 1 if one is not; stderr says which and why. Marks
    /// each stack in text
    #[arg(long, value_enum, value_name = "VERDICT", conflicts_with = "summary")]
    pub require: Option<Require>,

    /// With --summary: bad accesses to memory in one function are one group, whoever noticed them: KASAN, KFENCE, a page
    /// fault, a general protection fault
    #[arg(long, requires = "summary")]
    pub join: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub out: Output,
}

/// How stacks are shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// For people
    #[default]
    Text,
    /// One JSON object per stack and line
    Json,
    /// `comm;outermost;...;innermost COUNT`, as flame graphs are made of
    Folded,
}

/// What every stack is to be.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Require {
    /// The kernel calls it reliable
    Reliable,
    /// The same, and every frame is attributed exactly
    Complete,
}

/// Which tables unwind.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum By {
    /// ORC and DWARF call-frame information, each checking the other
    #[default]
    Both,
    /// ORC alone
    Orc,
    /// DWARF call-frame information alone
    Cfi,
}

/// `unwind`
#[derive(Args, Clone, Debug)]
#[command(after_help = EXITS)]
pub struct Unwind {
    /// Dump of a kernel (ELF or kdump-compressed vmcore, also flattened; /proc/kcore), snapshot of one, or core file
    /// of a process
    #[arg(value_name = "DUMP", required_unless_present = "regs")]
    pub dump: Option<PathBuf>,

    /// Further parts of a dump that makedumpfile --split wrote, in any order
    #[arg(value_name = "PART")]
    pub parts: Vec<PathBuf>,

    /// All tasks; this is what is done when no task is chosen
    #[arg(long, conflicts_with_all = ["pids", "cpus", "comms", "running", "sleeping", "crashed"])]
    pub all: bool,

    /// Only this task; may be repeated
    #[arg(long = "pid", value_name = "PID", value_delimiter = ',')]
    pub pids: Vec<u32>,

    /// Only the task that runs on this CPU; may be repeated
    #[arg(long = "cpu", value_name = "N", value_delimiter = ',')]
    pub cpus: Vec<u32>,

    /// Only tasks of this name, or that begin with NAME when it ends in *; may be repeated
    #[arg(long = "comm", value_name = "NAME", value_delimiter = ',')]
    pub comms: Vec<String>,

    /// Only tasks that run on a CPU
    #[arg(long)]
    pub running: bool,

    /// Only tasks that do not run on a CPU
    #[arg(long, conflicts_with = "running")]
    pub sleeping: bool,

    /// Only the task that brought the kernel down
    #[arg(long)]
    pub crashed: bool,

    /// The functions that are live on each stack, and why: also those whose fixup code, cold part or inlined copy is
    /// there, and those that a tracer makes return elsewhere
    #[arg(long)]
    pub functions: bool,

    /// Whether each stack is reliable, as the kernel's own unwinder decides it, or complete: reliable, and every frame
    /// attributed exactly. Exit code 1 if one is not; stderr says which and why. Marks each stack
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub require: Option<Require>,

    /// The kernel's log instead of stacks, annotated: as symbolize DUMP shows it
    #[arg(long, requires = "dump", conflicts_with_all = ["pids", "cpus", "comms", "running", "sleeping", "crashed", "snapshot", "group", "user", "format", "functions", "require"])]
    pub log: bool,

    /// Alone: show the registers of every frame. With rip=HEX,rsp=HEX and others: begin with these, unwind what they
    /// point to
    #[arg(short, long, value_name = "REG=HEX,...", num_args = 0..=1, default_missing_value = "")]
    pub regs: Option<String>,

    /// What `--regs` alone asks for
    #[arg(skip)]
    pub show_regs: bool,

    /// Show the words of each frame on the stack, with the code that they point to; frames that repeat one by one
    #[arg(long)]
    pub raw: bool,

    /// Memory from FILE, whose first byte is at ADDR; may be repeated
    #[arg(long, value_name = "FILE@ADDR")]
    pub memory: Vec<String>,

    /// With --regs: RIP is a return address, not where the CPU was
    #[arg(long = "return", requires = "regs")]
    pub is_return: bool,

    /// Write what the stacks shown need to FILE: a snapshot that unwinds to the same, without the dump
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,

    /// Show identical stacks once, with the tasks that have them
    #[arg(long)]
    pub group: bool,

    /// Tables to unwind by
    #[arg(long, value_enum, default_value_t, value_name = "TABLES")]
    pub by: By,

    /// Frames that a stack may have
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_frames: u32,

    /// How to show stacks
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: Form,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// After the kernel's frames those of user mode, by the files that are mapped and by what pages are in the dump
    #[arg(long)]
    pub user: bool,

    /// Directory that holds the files of the dumped machine: its /
    #[arg(long, value_name = "DIR")]
    pub sysroot: Option<PathBuf>,

    /// No source lines and inlined calls
    #[arg(long)]
    pub no_lines: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub out: Output,
}

/// Tables that `inspect` shows.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// ORC rows
    Orc,
    /// Exception-table rows with handler and effect
    Extable,
    /// Landings, their code and their origins; totals first
    Fixups,
    /// Code symbols
    Symbols,
    /// Sections
    Sections,
}

/// `inspect`
#[derive(Args, Debug)]
#[command(after_help = EXITS)]
pub struct Inspect {
    /// Which table
    #[arg(value_enum)]
    pub table: Table,

    /// Only rows there: ADDR, MODULE:ADDR, SYMBOL (its whole extent), SYMBOL+OFF, or a range A..B (B excluded).
    /// Addresses, here and in the tables, are those that lookup takes
    #[arg(value_name = "WHERE")]
    pub place: Option<String>,

    /// One JSON object per line
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub out: Output,
}

/// `index`
#[derive(Args, Debug)]
#[command(after_help = EXITS)]
pub struct Index {
    /// Images to index; with --info and --verify, indexes
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,

    /// Write the index to FILE [default: BUILDID.fxi in $XDG_CACHE_HOME/fixtrace, where it is found by itself;
    /// all of them together take at most $FIXTRACE_CACHE_MAX bytes, or 2 GiB]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave source lines out: DWARF is not read
    #[arg(long)]
    pub no_lines: bool,

    /// Only these functions, with all that their answers need; @FILE for a list; may be repeated
    #[arg(long, value_name = "FUNCTION", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Show what an index holds
    #[arg(long, conflicts_with_all = ["output", "verify", "only"])]
    pub info: bool,

    /// Check every byte of an index; exit code 1 when it is damaged
    #[arg(long, conflicts_with_all = ["output", "only"])]
    pub verify: bool,

    /// With --info and --verify: one JSON object per line
    #[arg(long)]
    pub json: bool,

    /// Symbols of the image from a System.map or /proc/kallsyms instead of its own
    #[arg(long, value_name = "FILE")]
    pub symbols: Option<PathBuf>,

    /// Directory with debug files, laid out as /usr/lib/debug; may be repeated [default: /usr/lib/debug]
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub debug_dirs: Vec<PathBuf>,

    /// Say on stderr what is used and written
    #[arg(short, long)]
    pub verbose: bool,

    /// Say nothing on stderr but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub costs: Costs,
}

const LIVEPATCH_EXITS: &str = "\
Exit codes: 0 done; 1 a task blocks the livepatch or escapes the kernel's check, a function cannot be patched, or tasks in \
it would be missed; 2 wrong usage, an input that could not be read at all, or a function that no image has; 3 done in \
part: stderr says what was left out, or too little is known of a function. A closed pipe is 0.";

/// `livepatch`
#[derive(Args, Clone, Debug)]
#[command(after_help = LIVEPATCH_EXITS)]
pub struct Livepatch {
    /// Dump of the kernel that is to be patched, or was while it was patched, as unwind takes it. Without --function and
    /// --patch: about the transition that is open in it; if none is, who is still in code that its livepatches replaced.
    /// Without DUMP: what the images tell of patching the functions
    #[arg(value_name = "DUMP")]
    pub dump: Option<PathBuf>,

    /// Further parts of a dump that makedumpfile --split wrote, in any order
    #[arg(value_name = "PART")]
    pub parts: Vec<PathBuf>,

    /// A function to patch, as livepatches name it: OBJECT is a module, SYMPOS counts the symbols called NAME from 1;
    /// may be repeated
    #[arg(long = "function", value_name = "NAME[@OBJECT][,SYMPOS]")]
    pub functions: Vec<Asked>,

    /// A livepatch, of klp-build, of kpatch-build, or written by hand: the functions that it patches. One that is loaded
    /// in the dump is taken as it is there
    #[arg(long, value_name = "LIVEPATCH.ko", conflicts_with = "functions")]
    pub patch: Option<PathBuf>,

    /// Ask what keeps a livepatch that is loaded in the dump from being taken away
    #[arg(long, requires = "dump")]
    pub unpatch: bool,

    /// Stacks as text instead of a dump: a log with sysrq-t, sysrq-w or hung tasks, a collection of /proc/PID/stack with
    /// lines that name each task. What the kernel itself logged of its tasks is shown beside; may be repeated
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["dump", "unpatch", "again"])]
    pub log: Vec<PathBuf>,

    /// A later dump of the same machine: who moved
    #[arg(long, value_name = "DUMP", requires = "dump")]
    pub again: Option<PathBuf>,

    /// Show tasks that are safe or running, too; JSON has them in any case
    #[arg(long)]
    pub all: bool,

    /// One JSON object per line: one a task
    #[arg(long)]
    pub json: bool,

    /// No source lines and inlined calls
    #[arg(long)]
    pub no_lines: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: Images,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub out: Output,
}
