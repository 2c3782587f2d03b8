//! Core files of processes that never were: every way out of a frame, every reason to stop, and damage.
//!
//! The process has one library, `walk.so`, which stands where a vDSO would: its image is in the core itself.

use crate::common::{fixture, testdata};
use fixtrace::low::base::addr::{Addr, Pc};
use fixtrace::low::base::error::ErrorKind;
use fixtrace::low::engine::attribute::{Basis, Memo};
use fixtrace::low::engine::stack::user_frame;
use fixtrace::low::engine::unwind::user::{self, BUDGET, UserFrame, Walker};
use fixtrace::low::engine::unwind::{Stop, Trust};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::memory::{Memory, Unreadable};
use fixtrace::low::world::process::{Options, ProcessCore};
use proptest::prelude::*;

/// Where the library is.
const BASE: u64 = 0x7000_0000_0000;
/// Where the stack is.
const STACK: u64 = 0x7fff_0000_0000;
/// Where another stack is, below the first.
const OTHER: u64 = 0x7ffe_0000_0000;
const NT_PRSTATUS: u32 = 1;
const NT_AUXV: u32 = 6;
const NT_FILE: u32 = 0x4649_4c45;

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// Runtime address of a symbol of the library.
fn at(name: &str) -> u64 {
    let storage = Storage::new();
    let image = fixture("user/walk.so", &storage);
    let (_, symbol) = image
        .symbols()
        .iter()
        .find(|(_, s)| s.name == name)
        .unwrap_or_else(|| panic!("no {name}"));
    BASE + symbol.addr.0
}

/// Registers of a thread that is at `ip`.
#[derive(Clone, Copy)]
struct At {
    ip: u64,
    sp: u64,
    bp: u64,
    bx: u64,
}

fn stopped(ip: u64) -> At {
    At {
        ip,
        sp: STACK,
        bp: 0,
        bx: 0,
    }
}

fn prstatus(tid: u32, at: At) -> Vec<u8> {
    let mut note = vec![0; 336];
    note[12] = 11;
    note[32..36].copy_from_slice(&tid.to_le_bytes());
    // r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss
    for (word, value) in [(4, at.bp), (5, at.bx), (16, at.ip), (17, 0x33), (19, at.sp)] {
        note[112 + word * 8..][..8].copy_from_slice(&u64::to_le_bytes(value));
    }
    note
}

/// A core file of `notes` and `loads`: address, bytes, size in memory.
fn core(notes: &[(u32, Vec<u8>)], loads: &[(u64, &[u8], u64)]) -> Vec<u8> {
    let mut described = Vec::new();
    for (kind, data) in notes {
        for n in [5, data.len() as u32, *kind] {
            described.extend(n.to_le_bytes());
        }
        described.extend(b"CORE\0\0\0\0");
        described.extend(data);
        described.resize(described.len().next_multiple_of(4), 0);
    }
    let count = loads.len() as u64 + 1;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([4, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(words(&[0, 64, 0]));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, count as u8, 0, 0, 0, 0, 0, 0, 0]);
    let mut offset = 64 + count * 56;
    let mut header = |kind: u64, addr: u64, len: usize, size: u64| {
        let fields = words(&[kind | 5 << 32, offset, addr, 0, len as u64, size, 1]);
        offset += len as u64;
        fields
    };
    let mut headers = header(4, 0, described.len(), 0);
    for (addr, bytes, size) in loads {
        headers.extend(header(1, *addr, bytes.len(), *size));
    }
    file.extend(headers);
    file.extend(described);
    for (_, bytes, _) in loads {
        file.extend(*bytes);
    }
    file
}

/// The library's pages.
fn library() -> Vec<u8> {
    let mut bytes = std::fs::read(testdata("fixtures/user/walk.so")).expect("the fixture");
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    bytes
}

/// A core of one thread, whose stack is `stack` at [`STACK`].
fn process(at: At, stack: &[u64]) -> Vec<u8> {
    let (stack, library) = (words(stack), library());
    let notes = [
        (NT_PRSTATUS, prstatus(7, at)),
        (NT_AUXV, words(&[33, BASE, 0, 0])),
    ];
    let loads = [
        (BASE, &library[..], library.len() as u64),
        (STACK, &stack[..], stack.len() as u64),
    ];
    core(&notes, &loads)
}

/// The first thread's frames and stop reason.
fn first(process: &ProcessCore<'_>) -> (Vec<UserFrame>, Stop) {
    let regs = &process.threads()[0].regs;
    user::walk(process.objects(), process.memory(), regs)
}

fn walk(core: &[u8]) -> (Vec<UserFrame>, Stop) {
    let storage = Storage::new();
    let process = ProcessCore::parse(storage.own(core.to_vec()), &Options::default(), &storage)
        .unwrap_or_else(|e| panic!("{e}"));
    first(&process)
}

fn pcs(frames: &[UserFrame]) -> Vec<Pc> {
    frames.iter().map(|f| f.pc).collect()
}

/// A stack in `inner`, called by `outer`, called by `first`.
fn plain() -> Vec<u8> {
    process(
        stopped(at("in_inner")),
        &[0, at("in_outer"), 0, 0, 0, 0, 0xb, at("in_first")],
    )
}

#[test]
fn a_stack_is_walked_to_the_frame_that_is_marked_outermost() {
    let (frames, stop) = walk(&plain());
    let expected = [
        Pc::Exact(Addr(at("in_inner"))),
        Pc::Return(Addr(at("in_outer"))),
        Pc::Return(Addr(at("in_first"))),
    ];
    assert_eq!((pcs(&frames), stop), (expected.to_vec(), Stop::End));
    let sps: Vec<u64> = frames.iter().map(|f| f.sp.0 - STACK).collect();
    assert_eq!(sps, [0, 16, 64]);
    assert_eq!(
        frames.iter().map(|f| f.trust).collect::<Vec<_>>(),
        [Trust::Registers, Trust::Cfi, Trust::Cfi]
    );
}

#[test]
fn frames_of_user_space_are_named_with_a_basis_of_their_own() {
    let bytes = plain();
    let storage = Storage::new();
    let process = ProcessCore::parse(&bytes, &Options::default(), &storage).expect("a core");
    let (frames, _) = first(&process);
    let mut memo = Memo::default();
    let names: Vec<_> = frames
        .iter()
        .map(|f| {
            let a = user_frame(process.objects(), f, true, &mut memo).attribution;
            (a.function.map(|f| f.name), a.basis)
        })
        .collect();
    let user = |name: &'static str| (Some(name.into()), Basis::User);
    assert_eq!(names, [user("inner"), user("outer"), user("first")]);
}

#[test]
fn an_outer_frame_may_need_a_register_that_an_inner_one_saved() {
    // by_rbx's CFA is rbx + 16; outer saved rbx; the value at hand is another.
    let rbx = STACK + 0x60;
    let mut stack = vec![0, at("in_outer"), 0, 0, 0, 0, rbx, at("in_by_rbx")];
    stack.resize(12, 0);
    stack.extend([0, at("in_first")]);
    let start = At {
        bx: 0x1234,
        ..stopped(at("in_inner"))
    };
    let (frames, stop) = walk(&process(start, &stack));
    assert_eq!(frames.len(), 4, "{frames:x?} {stop}");
    assert_eq!(frames[3].pc, Pc::Return(Addr(at("in_first"))));
    assert_eq!((frames[3].sp.0 - STACK, stop), (0x70, Stop::End));
}

#[test]
fn a_realigned_stack_is_left_by_the_pointer_that_it_keeps() {
    let mut stack = vec![0, at("in_realigned")];
    stack.resize(0x38 / 8, 0);
    // At rbp - 8 the CFA, at rbp the caller's.
    stack.extend([STACK + 0x80, 0x77]);
    stack.resize(0x78 / 8, 0);
    stack.push(at("in_first"));
    let start = At {
        bp: STACK + 0x40,
        ..stopped(at("in_inner"))
    };
    let (frames, stop) = walk(&process(start, &stack));
    assert_eq!(pcs(&frames)[2], Pc::Return(Addr(at("in_first"))));
    assert_eq!((frames[2].sp.0, stop), (STACK + 0x80, Stop::End));
}

/// `struct ucontext` as at the time of a signal at `ip`.
fn ucontext(at: At) -> Vec<u64> {
    let mut words = vec![0; 5 + 23];
    // r8 … r15 di si bp bx dx ax cx sp ip
    for (word, value) in [(10, at.bp), (11, at.bx), (15, at.sp), (16, at.ip)] {
        words[5 + word] = value;
    }
    words
}

#[test]
fn what_a_signal_interrupted_and_its_trampoline_are_exact_and_the_stack_may_go_down() {
    // The handler runs on a stack above the one that was interrupted.
    let interrupted = At {
        sp: OTHER,
        ..stopped(at("in_inner"))
    };
    let mut handler = vec![0, at("restorer")];
    handler.extend(ucontext(interrupted));
    let other = words(&[0, at("in_first")]);
    let (stack, library) = (words(&handler), library());
    let notes = [
        (NT_PRSTATUS, prstatus(7, stopped(at("in_inner")))),
        (NT_AUXV, words(&[33, BASE, 0, 0])),
    ];
    let loads = [
        (BASE, &library[..], library.len() as u64),
        (OTHER, &other[..], other.len() as u64),
        (STACK, &stack[..], stack.len() as u64),
    ];
    let (frames, stop) = walk(&core(&notes, &loads));
    let expected = [
        Pc::Exact(Addr(at("in_inner"))),
        Pc::Exact(Addr(at("restorer"))),
        Pc::Exact(Addr(at("in_inner"))),
        Pc::Return(Addr(at("in_first"))),
    ];
    assert_eq!((pcs(&frames), stop), (expected.to_vec(), Stop::End));
    assert_eq!(
        frames.iter().map(|f| f.signal).collect::<Vec<_>>(),
        [false, true, false, false]
    );
    assert_eq!(frames[2].trust, Trust::SavedRegisters);
}

#[test]
fn a_call_of_a_wrong_address_is_left_by_what_the_call_pushed() {
    for wrong in [0, 0x1234, u64::MAX] {
        let stack = [at("in_outer"), 0, 0, 0, 0, 0xb, at("in_first")];
        let (frames, stop) = walk(&process(stopped(wrong), &stack));
        assert_eq!(frames.len(), 3, "{wrong:#x} {stop}");
        assert_eq!((frames[1].trust, stop), (Trust::Recovered, Stop::End));
    }
    // What is on top of the stack is no return address.
    let (frames, stop) = walk(&process(stopped(0), &[0x1234, 0]));
    assert_eq!((frames.len(), stop), (1, Stop::NoUserRule(Addr(0))));
}

#[test]
fn code_without_call_frame_information_is_left_by_the_frame_pointer_and_says_so() {
    let stack = [0, at("in_kept"), 0, STACK + 0x100, at("in_first")];
    let start = At {
        bp: STACK + 0x18,
        ..stopped(at("in_inner"))
    };
    let (frames, stop) = walk(&process(start, &stack));
    assert_eq!((frames[2].trust, stop), (Trust::FramePointer, Stop::End));
    // At its first instruction, and behind `push %rbp`.
    for (offset, stack) in [(0, &[at("in_first")][..]), (1, &[0x5, at("in_first")])] {
        let (frames, stop) = walk(&process(stopped(at("kept") + offset), stack));
        assert_eq!(
            (frames.len(), frames[1].trust, stop),
            (2, Trust::Recovered, Stop::End)
        );
    }
    // A frame pointer that is none.
    let wild = At { bp: 3, ..start };
    assert_eq!(
        walk(&process(wild, &stack)).1,
        Stop::NoUserRule(Addr(at("in_kept")))
    );
}

#[test]
fn every_walk_says_why_it_ended() {
    let inner = stopped(at("in_inner"));
    let ends = |stack: &[u64]| walk(&process(inner, stack)).1;
    assert_eq!(ends(&[0, 0]), Stop::End);
    let beyond = Stop::NoUserMemory {
        at: Addr(STACK + 8),
        why: Unreadable::NotMapped,
    };
    assert_eq!(ends(&[0]), beyond);
    assert_eq!(ends(&[0, at("in_loops"), at("in_loops")]), Stop::NoProgress);
    assert_eq!(
        ends(&[0, at("in_endless"), 0]),
        Stop::NoUserRule(Addr(at("in_endless")))
    );
    assert_eq!(ends(&[0, 0x1234, 0]), Stop::NoUserRule(Addr(0x1234)));
    // A signal frame whose interrupted code is the trampoline, on the same stack again.
    let again = At {
        sp: STACK,
        ..stopped(at("restorer"))
    };
    let (frames, stop) = walk(&process(again, &ucontext(again)));
    assert_eq!((frames.len(), stop), (BUDGET, Stop::Budget));
}

#[test]
fn a_file_with_another_build_id_than_the_mapped_one_is_not_used_unless_forced() {
    let dir = std::env::temp_dir().join(format!("fixtrace-user-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("walk.so");
    let file = std::fs::read(testdata("fixtures/user/walk.so")).expect("the fixture");
    let stack = words(&[0, at("in_first")]);
    let mut files = words(&[1, 4096, BASE, BASE + 0x2000, 0]);
    files.extend(path.to_str().expect("a name").bytes().chain([0]));
    // The first page only, as the kernel dumps it.
    let mut page = file[..4096].to_vec();
    let text = (at("in_inner") - BASE) as usize;
    let read = |page: &[u8], force| {
        let bytes = core(
            &[
                (NT_PRSTATUS, prstatus(7, stopped(at("in_inner")))),
                (NT_FILE, files.clone()),
            ],
            &[(BASE, page, 0x2000), (STACK, &stack, stack.len() as u64)],
        );
        let storage = Storage::new();
        let options = Options {
            force,
            ..Options::default()
        };
        let process = ProcessCore::parse(&bytes, &options, &storage).expect("a core");
        let beyond = process.memory().u64(Addr(BASE + 4096 + 64)).is_ok();
        (first(&process).0.len(), process.findings().len(), beyond)
    };
    std::fs::write(&path, &file).expect("a file");
    assert_eq!(read(&page, false), (2, 0, true));
    let id = file.windows(4).position(|w| w == b"GNU\0").expect("a note") + 4;
    page[id] ^= 1;
    let (frames, findings, beyond) = read(&page, false);
    assert_eq!((frames, findings, beyond), (1, 1, false), "{text:#x}");
    assert_eq!(read(&page, true), (2, 0, true));
    std::fs::remove_file(&path).expect("the file");
    assert_eq!(read(&file[..4096], false).1, 1);
    std::fs::remove_dir_all(&dir).expect("the directory");
}

#[test]
fn dumps_of_kernels_are_no_process_cores() {
    assert!(ProcessCore::recognises(&plain()));
    let kernel = core(&[(NT_PRSTATUS, prstatus(1, stopped(0)))], &[]);
    assert!(!ProcessCore::recognises(&kernel));
    let storage = Storage::new();
    let parse = |bytes: &'static [u8]| ProcessCore::parse(bytes, &Options::default(), &storage);
    let kind = |bytes| parse(bytes).err().map(|e| e.kind());
    assert_eq!(kind(b"hello"), Some(ErrorKind::NotAnElf));
    let none: &'static [u8] = core(&[], &[]).leak();
    assert_eq!(kind(none), Some(ErrorKind::Malformed));
}

/// A core with everything that is hard: a signal frame, frames by expressions and by frame pointer.
fn hard() -> Vec<u8> {
    let interrupted = At {
        sp: STACK + 0x100,
        bp: STACK + 0x140,
        ..stopped(at("in_inner"))
    };
    let mut stack = vec![0, at("restorer")];
    stack.extend(ucontext(interrupted));
    stack.resize(0x100 / 8, 0);
    stack.extend([0, at("in_realigned")]);
    stack.resize(0x138 / 8, 0);
    stack.extend([STACK + 0x180, STACK + 0x190]);
    stack.resize(0x178 / 8, 0);
    stack.extend([
        at("in_kept"),
        0,
        0,
        0,
        at("in_outer"),
        0,
        0,
        0,
        0,
        0,
        at("in_first"),
    ]);
    process(stopped(at("in_inner")), &stack)
}

#[test]
fn the_core_to_be_damaged_is_walked_to_its_end_when_whole() {
    let (frames, stop) = walk(&hard());
    assert_eq!((frames.len(), stop), (7, Stop::End), "{frames:x?}");
}

/// Goes through all of a core as a program would.
fn exercise(bytes: &[u8]) {
    let storage = Storage::new();
    let _ = ProcessCore::recognises(bytes);
    let Ok(process) = ProcessCore::parse(bytes, &Options::default(), &storage) else {
        return;
    };
    for thread in process.threads() {
        let mut walker = Walker::new(process.objects(), process.memory());
        let mut frames = walker.frames(&thread.regs);
        let all: Vec<UserFrame> = frames.by_ref().collect();
        assert!(frames.stop().is_some());
        let mut memo = Memo::default();
        for frame in all.iter().take(20) {
            let _ = user_frame(process.objects(), frame, true, &mut memo);
        }
    }
    let _ = process.findings();
}

/// Words at which arithmetic goes wrong.
fn word() -> impl Strategy<Value = u64> {
    let edges = [
        0,
        1,
        7,
        8,
        u64::MAX,
        u64::MAX - 7,
        1 << 63,
        (1 << 63) - 8,
        STACK,
        STACK - 8,
        BASE,
    ];
    prop_oneof![prop::sample::select(edges.to_vec()), any::<u64>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics_and_every_walk_stops(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        words in prop::collection::vec((any::<prop::sample::Index>(), word()), 0..3),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        headers in any::<bool>(),
    ) {
        thread_local! {
            static WHOLE: Vec<u8> = hard();
        }
        let mut bytes = WHOLE.with(Clone::clone);
        let len = bytes.len();
        // Half of the damage goes to headers, notes and the stack, which are small beside the library.
        let library = 64 + 3 * 56 + 500..len - 600;
        for (at, value) in flips {
            let mut at = at.index(len);
            if headers && library.contains(&at) {
                at = if at % 2 == 0 { at % library.start } else { library.end + at % 600 };
            }
            bytes[at] = value;
        }
        for (at, value) in words {
            let at = at.index((library.start + 600) / 8) * 8;
            let at = if at < library.start { at } else { len - 600 + (at - library.start) };
            bytes[at..][..8].copy_from_slice(&value.to_le_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(len));
        }
        exercise(&bytes);
    }
}
