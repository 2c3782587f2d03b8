//! Stacks of real kernels as dumps and as logs: memory has the code that ran, a log's reader only that which was linked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::common::{kernels, testdata};
use fixtrace::low::base::addr::{Address, LinkAddr, Pc, RetAddr};
use fixtrace::low::base::parallel;
use fixtrace::low::engine::stack::{Cache, Detail, Frame, Stack, walked};
use fixtrace::low::engine::unwind::kernel::Unwinder;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use fixtrace::low::products::report::snapshot;
use fixtrace::low::world::code::CodeSource;
use fixtrace::low::world::kernel::{Kernel, Located, WithText};
use fixtrace::low::world::memory::Memory;
use fixtrace::low::world::reach::{Edge, Reach};
use fixtrace::low::world::session::{self, Session, View, Wanted};

/// What a log says of two frames, held to what the dump says of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Held {
    Equal,
    /// To the log the call may have been of any function.
    KnowsLess,
    /// Both confirm, or both miss a frame, for different reasons.
    OtherReason,
    /// To the dump the call may have been of any function.
    KnowsMore,
    /// To one of them the frames cannot follow each other; the other confirms that they do.
    Contradicts,
}

use Held::{Contradicts, Equal, KnowsLess, KnowsMore, OtherReason};

fn held(dump: &Edge<'_>, log: &Edge<'_>) -> Held {
    let known = |e: &Edge<'_>| e.confirms() || e.is_broken();
    match (known(dump), known(log)) {
        _ if dump == log => Equal,
        (true, true) if dump.is_broken() != log.is_broken() => Contradicts,
        (true, true) => OtherReason,
        (false, true) => KnowsMore,
        _ => KnowsLess,
    }
}

/// How often each was met, and how.
#[derive(Default)]
struct Counts {
    stacks: usize,
    held: BTreeMap<Held, usize>,
    /// In the dumps.
    kinds: BTreeMap<&'static str, usize>,
    /// The frames of contradictions.
    contradictions: Vec<String>,
}

impl Counts {
    fn note(&mut self, (dump, log): (&Edge<'_>, &Edge<'_>), frame: &Frame<'_>) {
        let kind = match dump {
            Edge::Direct => "direct",
            Edge::Tail => "tail",
            Edge::Indirect => "indirect",
            Edge::Unread => "unread",
            _ => "broken",
        };
        *self.kinds.entry(kind).or_default() += 1;
        let held = held(dump, log);
        *self.held.entry(held).or_default() += 1;
        if held == Contradicts {
            let what = format!(
                "{:?}: {dump:?} in the dump, {log:?} in the log",
                frame.place
            );
            self.contradictions.push(what);
        }
    }

    fn add(mut self, other: Counts) -> Self {
        self.stacks += other.stacks;
        for (held, n) in other.held {
            *self.held.entry(held).or_default() += n;
        }
        for (kind, n) in other.kinds {
            *self.kinds.entry(kind).or_default() += n;
        }
        self.contradictions.extend(other.contradictions);
        self
    }
}

/// A session with the images of `version`, and with both builds of the module `lab`.
fn session(version: &str) -> Session {
    let root = kernels::kernels().join(version);
    let lab = |n: u32| testdata(&format!("snapshots/modules/lab-{version}-{n}.ko.xz"));
    let options = Session::builder()
        .vmlinux(kernels::vmlinux_path(version))
        .debug_dirs([root.join("debug"), root])
        .module(lab(1), None)
        .module(lab(2), None);
    let session = Session::new(options);
    session.open_images(Wanted::default()).expect("images");
    session
}

/// The snapshots of `version`.
fn snapshots(version: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(testdata("snapshots")).expect("snapshots");
    let all = entries.map(|e| e.expect("entry").path());
    let begins = format!("{version}-");
    let mut own: Vec<PathBuf> = all
        .filter(|p| {
            let name = p.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&begins) && name.ends_with(".fxs.xz")
        })
        .collect();
    own.sort();
    own
}

/// Where `frame` is.
fn located<'k, 'd>(kernel: &'k Kernel<'d>, frame: &Frame<'_>) -> Option<Located<'k, 'd>> {
    let place = frame.place.as_ref()?;
    Some(kernel.image(&place.image)?.at(place.pc.raw()))
}

/// The place as the kernel prints it: `sprint_symbol()` and, of return addresses, `sprint_backtrace()`
/// (kernel/kallsyms.c), which looks up one byte before.
fn printed(located: Located<'_, '_>, pc: Pc<LinkAddr>) -> String {
    let symbols = located.image.symbols();
    let looked_up = match pc {
        Pc::Exact(at) => at,
        Pc::Return(at) => RetAddr(at).call(),
    };
    let symbol = symbols.get(symbols.nearest(looked_up).expect("a symbol"));
    let offset = pc.raw().since(symbol.addr).expect("not above");
    let module = match located.image.name() {
        "vmlinux" => String::new(),
        name => format!(" [{name}]"),
    };
    format!("{}+{offset:#x}/{:#x}{module}", symbol.name, symbol.extent)
}

/// The stack as `show_trace_log_lvl()` (arch/x86/kernel/dumpstack.c) prints it.
fn log(kernel: &Kernel<'_>, stack: &Stack<'_>) -> String {
    let mut out = String::new();
    let mut on = None;
    for (number, frame) in stack.frames.iter().enumerate() {
        let place = frame.place.as_ref().zip(located(kernel, frame));
        let exact = matches!(frame.pc, Some(Pc::Exact(_)));
        let text = match (place, frame.pc) {
            (Some((place, located)), _) => printed(located, place.pc),
            (None, Some(pc)) => format!("{:#x}", pc.raw().0),
            (None, None) => continue,
        };
        // The registers of the innermost frame stand before the trace.
        if number == 0 && exact {
            let _ = writeln!(out, "[    1.000000] RIP: 0010:{text}");
        }
        if number == 0 {
            out += "[    1.000000] Call Trace:\n";
        }
        if on != frame.stack {
            on.clone_from(&frame.stack);
            let _ = writeln!(out, "[    1.000000]  <{}>", on.as_deref().unwrap_or("TASK"));
        }
        let _ = match (number, exact) {
            (0, true) => Ok(()),
            (_, true) => writeln!(out, "[    1.000000] RIP: 0010:{text}"),
            (_, false) => writeln!(out, "[    1.000000]  {text}"),
        };
    }
    out
}

/// A stack of a snapshot.
struct Recorded<'k, 'd> {
    kernel: &'k Kernel<'d>,
    memory: &'k dyn Memory,
    stack: Stack<'k>,
}

/// Counts in all stacks of all snapshots.
fn count(each: impl for<'k, 'd> Fn(Recorded<'k, 'd>, &mut Counts) + Sync) -> Counts {
    let mut all = Counts::default();
    for (version, _) in kernels::VERSIONS {
        let session = session(version);
        let one = |path: &PathBuf| session::with(&session, |view| stacks(path, view, &each));
        let counts = parallel::map(&snapshots(version), one);
        all = counts.into_iter().fold(all, Counts::add);
    }
    all
}

/// The same in one snapshot.
fn stacks(
    path: &Path,
    view: View<'_, '_>,
    each: &impl for<'k, 'd> Fn(Recorded<'k, 'd>, &mut Counts),
) -> Counts {
    let bytes = view.storage().plain(path).expect("a snapshot");
    let found = snapshot::read(bytes).expect("a snapshot");
    let world = &found.world;
    let placed = view.place(world).expect("the images that ran");
    let kernel = &placed.kernel;
    let memory = WithText {
        memory: found.memory.clone(),
        kernel,
    };
    let unwinder = Unwinder::new(kernel).generated(&world.generated);
    let mut cache = Cache::default();
    let mut counts = Counts::default();
    for (number, task) in world.tasks.iter().enumerate() {
        let Some(start) = task.start else { continue };
        let context = world.context(number);
        let stack = walked(
            &unwinder,
            start,
            &memory,
            context,
            Detail::default(),
            &mut cache,
        );
        if stack.frames.is_empty() {
            continue;
        }
        counts.stacks += 1;
        let recorded = Recorded {
            kernel,
            memory: &memory,
            stack,
        };
        each(recorded, &mut counts);
    }
    counts
}

#[test]
#[ignore = "needs the real kernels"]
fn a_stack_gets_the_same_edges_as_a_log_and_as_a_dump() {
    let options = Options {
        lines: false,
        verdicts: false,
        slide: None,
    };
    let found = count(|recorded, counts| {
        let (kernel, dump) = (recorded.kernel, &recorded.stack);
        let text = log(kernel, dump);
        let (reports, _) = parse(text.as_bytes());
        assert_eq!(reports.len(), 1, "{text}");
        let log = tell(&reports[0], kernel, options, &Settled::default()).main;
        assert_eq!(log.stack.frames.len(), dump.frames.len(), "{text}");
        for (dump, log) in dump.frames.iter().zip(&log.stack.frames) {
            match (&dump.edge, &log.edge) {
                (None, None) => {}
                (a, b) => {
                    let edge =
                        |e: &Option<Edge<'_>>| e.clone().map_or(Edge::Unread, Edge::into_owned);
                    counts.note((&edge(a), &edge(b)), dump);
                }
            }
        }
    });
    println!(
        "{} stacks: {:?}, {:?}",
        found.stacks, found.kinds, found.held
    );
    assert_eq!(found.contradictions, [""; 0]);
    // Of calls through a table of paravirtualisation, or a static call, only memory knows where they go. A boot with
    // other features takes another way to the same function.
    let held = [(Equal, 6943), (KnowsLess, 46), (OtherReason, 3)];
    assert_eq!((found.stacks, found.held), (1237, BTreeMap::from(held)));
    let kinds = [
        ("direct", 4295),
        ("tail", 336),
        ("indirect", 2343),
        ("unread", 18),
    ];
    assert_eq!(found.kinds, BTreeMap::from(kinds));
}

#[test]
#[ignore = "needs the real kernels"]
fn a_frame_that_is_left_out_is_missed_in_a_dump_as_in_a_log() {
    let found = count(|recorded, counts| {
        let (kernel, memory) = (recorded.kernel, recorded.memory);
        let live = CodeSource::in_memory(kernel, memory);
        let linked = CodeSource::linked(kernel);
        for three in recorded.stack.frames.windows(3) {
            let [inner, lost, outer] = three else {
                continue;
            };
            let returns = |f: &Frame<'_>| matches!(f.pc, Some(Pc::Return(_)));
            let places = (located(kernel, inner), located(kernel, outer));
            let (Some(inside), Some(outside)) = places else {
                continue;
            };
            // What calls itself is not missed.
            if !returns(lost) || !returns(outer) || inner.place == lost.place {
                continue;
            }
            let candidates = inner.attribution.candidates.iter();
            let wanted: Vec<_> = candidates.map(|f| inside.at(f.addr)).collect();
            let edge = |code| Reach::default().between(code, outside, wanted.clone());
            counts.note((&edge(live), &edge(linked)), outer);
        }
    });
    println!("left out: {:?}, {:?}", found.kinds, found.held);
    assert_eq!(found.contradictions, [""; 0]);
    // A log's reader cannot know whether code that asks for a feature of the CPU in `.altinstr_aux` still does. A snapshot
    // has only the lines of code that were read when it was made: others are the image's, and where lines of both make
    // an instruction, it is none.
    let held = [
        (Equal, 5071),
        (KnowsLess, 343),
        (OtherReason, 36),
        (KnowsMore, 54),
    ];
    assert_eq!(found.held, BTreeMap::from(held));
    assert_eq!(found.kinds["broken"], 2731);
}
