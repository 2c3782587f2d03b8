//! The engine on memory made by hand: every form of row, every reason to stop, and stacks that lie.

use crate::common::elf::loaded;
use crate::common::orc::{
    END, Function, REGS, Row, SIZE, TEXT, VERSIONS, Version, at, call, encode, function, kernel,
    vmlinux,
};
use fixtrace::low::base::addr::{Addr, Pc};
use fixtrace::low::base::regs::{Reg, Regs};
use fixtrace::low::engine::unwind::kernel::{
    self as unwind, Cache, Note, Unwinder, Walked, Witness, apply,
};
use fixtrace::low::engine::unwind::{Stop, Trust};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::formats::orc::{OrcEntry, OrcVersion, SpIndirect};
use fixtrace::low::world::dump::{
    Context, Generated, Generator, Hijacked, Stack, StackKind, Start, Tracer,
};
use fixtrace::low::world::kernel::Kernel;
use fixtrace::low::world::memory::Pieces;
use proptest::prelude::*;

const LOW: u64 = 0xffff_c900_0010_0000;
const HIGH: u64 = LOW + 0x4000;

/// Words, as memory has them.
fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn start(ip: u64, sp: u64) -> Start {
    let mut regs = Regs::default();
    regs.ip = ip;
    regs.set(Reg::SP, sp);
    Start { regs, exact: true }
}

fn task_stack() -> Stack {
    stack(StackKind::Task, LOW, HIGH)
}

fn stack(kind: StackKind, low: u64, high: u64) -> Stack {
    Stack {
        kind,
        low: Addr(low),
        high: Addr(high),
    }
}

fn on_task() -> Context<'static> {
    Context {
        task: Some(task_stack()),
        ..Context::default()
    }
}

/// Walks and gives PCs, how each was obtained, and why it ended.
fn walk<'k, 'd>(
    unwinder: &Unwinder<'k, 'd>,
    start: Start,
    memory: &Pieces<'_>,
    context: Context<'_>,
) -> (Vec<Walked<'k, 'd>>, Stop) {
    let mut cache = Cache::default();
    let mut walk = unwinder.walk(start, memory, context, &mut cache);
    let frames = walk.by_ref().collect();
    (frames, walk.stop().expect("a reason"))
}

fn simple(
    kernel: &Kernel<'_>,
    from: Start,
    memory: &[(u64, Vec<u8>)],
    context: Context<'_>,
) -> (Vec<(Pc, Trust)>, Stop) {
    let pieces = Pieces::new(memory.iter().map(|(a, b)| (Addr(*a), &b[..])).collect());
    let unwinder = Unwinder::new(kernel);
    let (frames, stop) = walk(&unwinder, from, &pieces, context);
    (frames.iter().map(|f| (f.pc, f.trust)).collect(), stop)
}

/// The 21 words of a `pt_regs`: registers count from 0x100 on, then `ip cs flags sp ss`.
fn pt_regs(ip: u64, cs: u64, sp: u64) -> Vec<u64> {
    let mut words: Vec<u64> = (0x100..0x110).collect();
    words.extend([ip, cs, 0x246, sp, 0x18]);
    words
}

/// By hand, from the format's description: where a row says the frame is, and what the caller's registers are.
fn expected(
    row: &Row,
    inner: bool,
    word: impl Fn(u64) -> u64,
    reg: impl Fn(&str) -> u64,
) -> Option<(u64, u64, u64, u64)> {
    let offset = i64::from(row.sp.1);
    let cfa = match row.sp.0 {
        "sp" | "bp" => reg(row.sp.0).wrapping_add_signed(offset),
        "sp_indirect" if inner => word(reg("sp").wrapping_add_signed(offset)),
        "sp_indirect" => word(reg("sp")).wrapping_add_signed(offset),
        "bp_indirect" => word(reg("bp").wrapping_add_signed(offset)),
        other => reg(other),
    };
    let (ip, sp, kept_bp) = match row.kind {
        "call" => (word(cfa - 8), cfa, reg("bp")),
        "regs" => (word(cfa + 128), word(cfa + 152), word(cfa + 32)),
        "partial" => (word(cfa), word(cfa + 24), reg("bp")),
        _ => return None,
    };
    let bp = match row.bp.0 {
        "undefined" => kept_bp,
        "prev_sp" => word(cfa.wrapping_add_signed(row.bp.1.into())),
        "bp" => word(reg("bp").wrapping_add_signed(row.bp.1.into())),
        _ => return None,
    };
    Some((cfa, ip, sp, bp))
}

#[test]
fn every_row_of_every_version_steps_as_the_kernel_does() {
    let base = 0x10_0000u64;
    // Memory whose words are addresses in it: any of them may be read as a pointer.
    let words: Vec<u64> = (0..0x200)
        .map(|i| base + 0x400 + (i * 37 % 0x80) * 8)
        .collect();
    let data = bytes(&words);
    let memory = Pieces::new(vec![(Addr(base), &data)]);
    let word = |at: u64| words[((at - base) / 8) as usize];
    let value = |name: &str| match name {
        "sp" => base + 0x200,
        "bp" => base + 0x280,
        "ax" => base + 0x300,
        "dx" => base + 0x308,
        "di" => base + 0x310,
        "r10" => base + 0x318,
        "r13" => base + 0x320,
        _ => panic!("{name}"),
    };
    let mut regs = Regs::default();
    for reg in Reg::all() {
        let known = ["sp", "bp", "ax", "dx", "di", "r10", "r13"];
        let name = reg.name64();
        let name = name
            .strip_prefix('r')
            .filter(|n| !n.starts_with('1'))
            .unwrap_or(name);
        regs.set(
            reg,
            if known.contains(&name) {
                value(name)
            } else {
                0
            },
        );
    }
    let mut steps = 0;
    for version in VERSIONS {
        for base in [
            "sp",
            "bp",
            "sp_indirect",
            "bp_indirect",
            "ax",
            "dx",
            "di",
            "r10",
            "r13",
        ] {
            for (bp, kind, signal) in [
                ("undefined", "call", false),
                ("prev_sp", "call", false),
                ("bp", "call", true),
                ("undefined", "regs", true),
                ("prev_sp", "regs", false),
                ("undefined", "partial", true),
                ("prev_sp", "partial", false),
            ] {
                let row = Row {
                    sp: (base, 16),
                    bp: (bp, -16),
                    kind,
                    signal,
                };
                let Some(raw) = encode(version, &row) else {
                    continue;
                };
                let decoder = match version {
                    Version::V1b => OrcVersion::V1b,
                    Version::V2 => OrcVersion::V2,
                    Version::V3 => OrcVersion::V3,
                    Version::V4 => OrcVersion::V4,
                };
                for (meaning, inner) in [(SpIndirect::Inner, true), (SpIndirect::Outer, false)] {
                    let row_read = fixtrace::low::formats::rule::Row::from_orc(
                        &OrcEntry::decode(&raw, decoder),
                        meaning,
                    );
                    let fixtrace::low::formats::rule::Row::Step(rule) = row_read else {
                        panic!("{version:?} {row:?}: {row_read:?}")
                    };
                    assert_eq!(rule.signal, signal, "{version:?} {row:?}");
                    let stepped = apply(&rule, &regs, &memory).expect("all is readable");
                    let wanted = expected(&row, inner, word, value).expect("a step");
                    let got = (
                        stepped.cfa.0,
                        stepped.regs.ip,
                        stepped.regs.get(Reg::SP).expect("known"),
                        stepped.regs.get(Reg::BP).expect("known"),
                    );
                    assert_eq!(got, wanted, "{version:?} {row:?}");
                    // ORC notes no other register of a caller; an exception saves all or leaves them.
                    assert_eq!(stepped.regs.get(Reg::AX).is_some(), kind != "call");
                    steps += 1;
                }
            }
        }
    }
    // 8 bases before version 4, 9 in it; v1 ties the signal to the type.
    assert_eq!(steps, 2 * (8 * 4 + 8 * 7 + 8 * 7 + 9 * 7));
}

#[test]
fn a_stack_walks_through_an_exception_to_its_end_in_every_version() {
    for version in VERSIONS {
        let storage = Storage::new();
        let functions = [
            function("inner", call(16)),
            function("handler", call(8)),
            function("entry", REGS),
            function("outer", call(24)),
            function("thread", END),
        ];
        let kernel = kernel(vmlinux(version, &functions, &[]), &storage);
        let sp = HIGH - 0x200;
        let interrupted = HIGH - 0x100;
        let mut words = vec![0, at(1, 5), at(2, 9)];
        words.extend(pt_regs(at(3, 0), 0x10, interrupted));
        let memory = [(sp, bytes(&words)), (interrupted, bytes(&[1, 2, at(4, 5)]))];
        let (frames, stop) = simple(&kernel, start(at(0, 3), sp), &memory, on_task());
        assert_eq!(
            frames,
            [
                (Pc::Exact(Addr(at(0, 3))), Trust::Registers),
                (Pc::Return(Addr(at(1, 5))), Trust::Orc),
                (Pc::Return(Addr(at(2, 9))), Trust::Orc),
                // The first byte of a function, where a return address would belong to the one before.
                (Pc::Exact(Addr(at(3, 0))), Trust::SavedRegisters),
                (Pc::Return(Addr(at(4, 5))), Trust::Orc),
            ],
            "{version:?}"
        );
        assert_eq!(stop, Stop::End, "{version:?}");
    }
}

fn two() -> [Function; 3] {
    [
        function("inner", call(8)),
        function("outer", call(8)),
        function("thread", END),
    ]
}

#[test]
fn threads_may_share_an_unwinder() {
    fn shared<T: Send + Sync>() {}
    shared::<Unwinder<'_, '_>>();
    shared::<Kernel<'_>>();
    shared::<fixtrace::low::world::dump::World>();
}

#[test]
fn user_mode_ends_a_stack_and_gives_its_registers() {
    let storage = Storage::new();
    let functions = [function("entry", REGS)];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let sp = HIGH - 168;
    let memory = [(sp, bytes(&pt_regs(0x40_1000, 0x33, 0x7ffe_0000)))];
    let memory = Pieces::new(memory.iter().map(|(a, b)| (Addr(*a), &b[..])).collect());
    let unwinder = Unwinder::new(&kernel);
    let mut cache = Cache::default();
    let mut walk = unwinder.walk(start(at(0, 3), sp), &memory, on_task(), &mut cache);
    assert_eq!(walk.by_ref().count(), 1);
    assert_eq!(walk.stop(), Some(Stop::UserMode));
    let regs = walk.user_regs().expect("user mode has registers");
    assert_eq!((regs.ip, regs.get(Reg::SP)), (0x40_1000, Some(0x7ffe_0000)));
}

/// `call` of function `to` at the first byte of function `from`.
fn calling(name: &'static str, from: usize, to: usize, row: Row) -> Function {
    let rel = at(to as u64, 0).wrapping_sub(at(from as u64, 5)) as u32;
    let code = [&[0xe8][..], &rel.to_le_bytes()].concat();
    Function {
        name,
        row: Some(row),
        code,
    }
}

#[test]
fn where_no_row_leads_on_a_call_of_the_function_itself_does() {
    let storage = Storage::new();
    let unknown = Row {
        sp: ("undefined", 0),
        kind: "undefined",
        ..call(0)
    };
    let by_bp = Row {
        sp: ("bp", 16),
        ..call(0)
    };
    let functions = [
        function("handover", unknown),
        calling("panics", 1, 0, by_bp),
        calling("other", 2, 3, call(8)),
        calling("calls", 3, 1, call(16)),
        function("thread", END),
    ];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let sp = HIGH - 0x100;
    // A call of another function, code behind no call, then the calls: where RBP was is not known after the first.
    let words = [
        7,
        at(2, 5),
        at(1, 9),
        at(1, 5),
        at(2, 5),
        at(3, 5),
        9,
        at(4, 5),
    ];
    let memory = [(sp, bytes(&words))];
    let (frames, stop) = simple(&kernel, start(at(0, 3), sp), &memory, on_task());
    assert_eq!(
        frames,
        [
            (Pc::Exact(Addr(at(0, 3))), Trust::Registers),
            (Pc::Return(Addr(at(1, 5))), Trust::Scanned),
            (Pc::Return(Addr(at(3, 5))), Trust::Scanned),
            (Pc::Return(Addr(at(4, 5))), Trust::Orc),
        ]
    );
    assert_eq!(stop, Stop::End);
    // Nothing calls it: nothing is guessed.
    let memory = [(sp, bytes(&[7, at(2, 5), at(1, 9), 0]))];
    let (frames, stop) = simple(&kernel, start(at(0, 3), sp), &memory, on_task());
    assert_eq!(frames.len(), 1);
    assert_eq!(stop, Stop::NoRule(Addr(at(0, 3))));
}

#[test]
fn every_other_reason_to_stop() {
    let storage = Storage::new();
    let gap = Function {
        name: "gap",
        row: None,
        code: Vec::new(),
    };
    let by_r10 = Row {
        sp: ("r10", 0),
        ..call(0)
    };
    let functions = [
        function("inner", call(8)),
        function("by_r10", by_r10),
        gap,
        function("backwards", call(-64)),
        function(
            "away",
            Row {
                sp: ("sp_indirect", 0),
                ..call(0)
            },
        ),
        function("spin", call(16)),
    ];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let sp = HIGH - 0x100;
    let run = |ip: u64, words: &[u64], context| {
        simple(
            &kernel,
            start(ip, sp),
            &[(sp - 72, bytes(&[at(0, 1); 9])), (sp, bytes(words))],
            context,
        )
        .1
    };
    assert_eq!(run(at(2, 1), &[], on_task()), Stop::NoRule(Addr(at(2, 1))));
    assert_eq!(run(0x1234, &[0x99], on_task()), Stop::NotText(Addr(0x1234)));
    assert_eq!(
        run(at(1, 1), &[], on_task()),
        Stop::UnknownRegister(Reg::R10)
    );
    assert_eq!(
        run(at(3, 1), &[], on_task()),
        Stop::WrongDirection {
            from: Addr(sp),
            to: Addr(sp - 64)
        }
    );
    assert!(matches!(
        run(at(0, 1), &[], on_task()),
        Stop::Unreadable { at, .. } if at == Addr(sp)
    ));
    // To a place that is no stack.
    let away = [sp + 0x20, 0, 0, at(0, 1)];
    assert_eq!(
        run(at(4, 1), &[0xdead_0000, 0], on_task()).name(),
        "unreadable"
    );
    let elsewhere = [(sp, bytes(&[0x5000])), (0x4ff8, bytes(&[at(0, 1), 0]))];
    let (_, stop) = simple(&kernel, start(at(4, 1), sp), &elsewhere, on_task());
    assert_eq!(stop, Stop::OffStack(Addr(0x5000)));
    // From the NMI stack to the task's and back.
    let nmi = [stack(StackKind::Nmi, 0x5000, 0x6000)];
    let context = Context {
        cpu: &nmi,
        ..on_task()
    };
    let ring = [
        (sp, bytes(&[0x5100])),
        (0x50f8, bytes(&[at(4, 1), sp + 0x40])),
        (sp + 0x38, bytes(&[at(0, 1)])),
    ];
    let (_, stop) = simple(&kernel, start(at(4, 1), sp), &ring, context);
    assert_eq!(stop, Stop::Recursion(StackKind::Task));
    let _ = away;
    let unwinder = Unwinder::new(&kernel).max_frames(10);
    let long = bytes(&[at(5, 1); 0x20]);
    let pieces = Pieces::new(vec![(Addr(sp), &long)]);
    let (frames, stop) = walk(&unwinder, start(at(5, 1), sp), &pieces, on_task());
    assert_eq!((frames.len(), stop), (10, Stop::Budget));
    let nothing = Start {
        regs: Regs::default(),
        exact: true,
    };
    let (frames, stop) = walk(&unwinder, nothing, &pieces, on_task());
    assert_eq!((frames.len(), stop), (0, Stop::NoRegisters));
}

#[test]
fn a_call_of_nothing_is_left_by_its_return_address() {
    let storage = Storage::new();
    let mut functions = two();
    // call *%rax, which ends at offset 5
    functions[1].code = vec![0x90, 0x90, 0x90, 0xff, 0xd0];
    let kernel = kernel(vmlinux(Version::V4, &functions, &[]), &storage);
    let sp = HIGH - 0x100;
    for bad in [0, 0xdead_beef_0000, 0xffff_ffff_c000_0000] {
        let memory = [(sp, bytes(&[at(1, 5), at(2, 1)]))];
        let pieces = Pieces::new(memory.iter().map(|(a, b)| (Addr(*a), &b[..])).collect());
        let unwinder = Unwinder::new(&kernel);
        let (frames, stop) = walk(&unwinder, start(bad, sp), &pieces, on_task());
        assert_eq!(stop, Stop::End);
        assert_eq!(frames[0].notes.iter().next(), Some(Note::BadCall));
        assert_eq!(
            (frames[1].pc, frames[1].trust),
            (Pc::Return(Addr(at(1, 5))), Trust::Recovered)
        );
    }
    // Where no call ends, nothing is made up.
    let (frames, stop) = simple(
        &kernel,
        start(0, sp),
        &[(sp, bytes(&[at(1, 9)]))],
        on_task(),
    );
    assert_eq!((frames.len(), stop), (1, Stop::NotText(Addr(0))));
}

#[test]
fn bpf_code_has_a_frame_pointer_and_other_unknown_code_may_have() {
    let storage = Storage::new();
    let mut functions = two();
    functions[1].code = vec![0xe8, 0, 0, 0, 0];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let (sp, bp) = (HIGH - 0x100, HIGH - 0x80);
    let jit = 0xffff_ffff_c010_0000;
    let mut begin = start(jit + 0x10, sp);
    begin.regs.set(Reg::BP, bp);
    begin.exact = false;
    let memory = bytes(&[0x1111, at(1, 5), at(2, 1)]);
    let pieces = Pieces::new(vec![(Addr(bp), &memory)]);
    let generated = [Generated {
        start: Addr(jit),
        end: Addr(jit + 0x100),
        name: "bpf_prog_0123456789abcdef_f".to_owned(),
        kind: Generator::Bpf,
        framed: None,
    }];
    for (known, note) in [(&generated[..], false), (&[], true)] {
        let unwinder = Unwinder::new(&kernel).generated(known);
        let (frames, stop) = walk(&unwinder, begin, &pieces, on_task());
        assert_eq!(stop, Stop::End);
        assert_eq!(
            (frames[1].pc, frames[1].trust),
            (Pc::Return(Addr(at(1, 5))), Trust::FramePointer)
        );
        assert_eq!(frames[0].notes.iter().any(|n| n == Note::NoRow), note);
    }
    // RBP below the stack pointer, or off the stack, is no frame pointer.
    for bp in [sp - 8, HIGH + 8, bp + 1] {
        begin.regs.set(Reg::BP, bp);
        let unwinder = Unwinder::new(&kernel);
        let (frames, _) = walk(&unwinder, begin, &pieces, on_task());
        assert_eq!(frames.len(), 1, "{bp:#x}");
    }
}

#[test]
fn a_tracers_return_address_is_given_back_or_the_frame_is_marked() {
    let storage = Storage::new();
    let functions = [
        function("traced", call(8)),
        function("caller", call(8)),
        function("thread", END),
        function("return_to_handler", END),
    ];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let sp = HIGH - 0x100;
    let memory = bytes(&[at(3, 0), at(2, 1)]);
    let pieces = Pieces::new(vec![(Addr(sp), &memory)]);
    let unwinder = Unwinder::new(&kernel);
    let notes = [Hijacked {
        slot: Some(Addr(sp)),
        ret: Addr(at(1, 5)),
        by: Tracer::FunctionGraph,
    }];
    let with = Context {
        hijacked: &notes,
        ..on_task()
    };
    let (frames, stop) = walk(&unwinder, start(at(0, 1), sp), &pieces, with);
    assert_eq!(stop, Stop::End);
    assert_eq!(
        (frames[1].pc, frames[1].trust),
        (Pc::Return(Addr(at(1, 5))), Trust::Recovered)
    );
    assert_eq!(frames.len(), 3);
    let (frames, stop) = walk(&unwinder, start(at(0, 1), sp), &pieces, on_task());
    assert_eq!(stop, Stop::Hijacked(Tracer::FunctionGraph));
    assert_eq!(frames[1].pc, Pc::Exact(Addr(at(3, 0))));
    assert_eq!(
        frames[1].notes.iter().next(),
        Some(Note::Trampoline {
            by: Tracer::FunctionGraph
        })
    );
}

#[test]
fn ftrace_trampolines_have_the_rows_of_what_they_are_copies_of() {
    let storage = Storage::new();
    let functions = [
        function("probe", call(8)),
        function("ftrace_caller", call(0x28)),
        function("thread", END),
    ];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let copy = 0xffff_ffff_c020_0000;
    let generated = [Generated {
        start: Addr(copy),
        end: Addr(copy + 0x80),
        name: "ftrace".to_owned(),
        kind: Generator::FtraceCaller,
        framed: None,
    }];
    let sp = HIGH - 0x100;
    let memory = bytes(&[copy + 0x31, 1, 2, 3, 4, at(2, 9)]);
    let pieces = Pieces::new(vec![(Addr(sp), &memory)]);
    let unwinder = Unwinder::new(&kernel).generated(&generated);
    let (frames, stop) = walk(&unwinder, start(at(0, 1), sp), &pieces, on_task());
    let pcs: Vec<u64> = frames.iter().map(|f| f.pc.raw().0).collect();
    assert_eq!(pcs, [at(0, 1), copy + 0x31, at(2, 9)]);
    assert_eq!((frames[2].trust, stop), (Trust::Orc, Stop::End));
}

#[test]
fn an_overflowed_stack_is_walked_from_its_guard_page() {
    let storage = Storage::new();
    let functions = [function("deep", call(0x108)), function("thread", END)];
    let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
    let sp = LOW - 0x80;
    let memory = bytes(&[at(1, 1)]);
    let pieces = Pieces::new(vec![(Addr(sp + 0x100), &memory)]);
    let unwinder = Unwinder::new(&kernel);
    let (frames, stop) = walk(&unwinder, start(at(0, 1), sp), &pieces, on_task());
    assert_eq!(stop, Stop::End);
    assert_eq!(frames[0].notes.iter().next(), Some(Note::GuardPage));
    assert_eq!(frames[1].stack, Some(task_stack()));
}

/// A `.debug_frame` that gives each function `CFA = RSP + offset` and the return address below it.
fn debug_frame(functions: &[(u64, u8)]) -> Vec<u8> {
    let entry = |body: Vec<u8>| {
        let mut body = body;
        while body.len() % 8 != 4 {
            body.push(0);
        }
        [(body.len() as u32).to_le_bytes().to_vec(), body].concat()
    };
    // CIE: version 1, no augmentation, code 1, data -8, RA 16; CFA = RSP+8, RA at CFA-8.
    let mut out = entry(vec![
        0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
    ]);
    for (at, offset) in functions {
        let mut body = vec![0; 4];
        body.extend(at.to_le_bytes());
        body.extend(SIZE.to_le_bytes());
        body.extend([0x0e, *offset]);
        out.extend(entry(body));
    }
    out
}

#[test]
fn two_tables_agree_or_the_call_before_the_return_address_decides() {
    let storage = Storage::new();
    let mut functions = two();
    functions[1].code = vec![0xe8, 0, 0, 0, 0];
    for (offset, trust, note) in [(8, Trust::OrcCfi, false), (24, Trust::Orc, true)] {
        let mut frame = loaded(
            ".debug_frame",
            false,
            0,
            &debug_frame(&[(at(0, 0), offset)]),
        );
        frame.flags = 0;
        let kernel = kernel(vmlinux(Version::V3, &functions, &[frame]), &storage);
        let sp = HIGH - 0x100;
        let memory = bytes(&[at(1, 5), at(2, 1), 0x42]);
        let pieces = Pieces::new(vec![(Addr(sp), &memory)]);
        let unwinder = Unwinder::new(&kernel);
        let (frames, _) = walk(&unwinder, start(at(0, 1), sp), &pieces, on_task());
        assert_eq!(
            (frames[1].pc.raw(), frames[1].trust),
            (Addr(at(1, 5)), trust)
        );
        let disagree = Note::Disagree {
            used: Addr(sp + 8),
            orc: true,
            other: Addr(sp + 24),
        };
        assert_eq!(frames[0].notes.iter().any(|n| n == disagree), note);
    }
    // ORC's row is wrong here: its return address follows no call, CFI's does.
    let mut frame = loaded(".debug_frame", false, 0, &debug_frame(&[(at(0, 0), 16)]));
    frame.flags = 0;
    let kernel = kernel(vmlinux(Version::V3, &functions, &[frame]), &storage);
    let sp = HIGH - 0x100;
    let memory = bytes(&[at(1, 9), at(1, 5), at(2, 1)]);
    let pieces = Pieces::new(vec![(Addr(sp), &memory)]);
    let (frames, _) = walk(
        &Unwinder::new(&kernel),
        start(at(0, 1), sp),
        &pieces,
        on_task(),
    );
    assert_eq!(
        (frames[1].pc.raw(), frames[1].trust),
        (Addr(at(1, 5)), Trust::Cfi)
    );
    // One table alone.
    let orc = Unwinder::new(&kernel).witness(Witness {
        orc: true,
        cfi: false,
    });
    let (frames, _) = walk(&orc, start(at(0, 1), sp), &pieces, on_task());
    assert_eq!(
        (frames[1].pc.raw(), frames[1].trust),
        (Addr(at(1, 9)), Trust::Orc)
    );
    let cfi = Unwinder::new(&kernel).witness(Witness {
        orc: false,
        cfi: true,
    });
    let (frames, stop) = walk(&cfi, start(at(0, 1), sp), &pieces, on_task());
    assert_eq!(
        (frames[1].pc.raw(), frames[1].trust),
        (Addr(at(1, 5)), Trust::Cfi)
    );
    assert_eq!(stop, Stop::NoRule(Addr(at(1, 5))));
}

#[test]
fn cfi_takes_over_where_objtool_left_a_gap() {
    let storage = Storage::new();
    let mut functions = two();
    functions[0].row = None;
    let mut frame = loaded(".debug_frame", false, 0, &debug_frame(&[(at(0, 0), 16)]));
    frame.flags = 0;
    let kernel = kernel(vmlinux(Version::V4, &functions, &[frame]), &storage);
    let sp = HIGH - 0x100;
    let memory = bytes(&[0, at(1, 5), at(2, 1)]);
    let (frames, stop) = simple(&kernel, start(at(0, 1), sp), &[(sp, memory)], on_task());
    assert_eq!(frames[1], (Pc::Return(Addr(at(1, 5))), Trust::Cfi));
    assert_eq!(stop, Stop::End);
}

#[test]
fn the_engine_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Unwinder<'_, '_>>();
    shared::<Stop>();
}

fn words() -> impl Strategy<Value = Vec<u64>> {
    let near = (0u64..0x400).prop_map(|o| LOW + 0x3c00 + o);
    let code = (0u64..0x700).prop_map(|o| TEXT + o);
    prop::collection::vec(prop_oneof![4 => near, 4 => code, 1 => any::<u64>()], 128)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_stack_ends_for_a_reason(
        words in words(),
        ip in 0u64..0x800,
        sp in 0u64..0x420,
        cut in 0usize..1024,
        known in any::<bool>(),
    ) {
        let storage = Storage::new();
        let functions = [
            function("a", call(8)),
            function("b", call(24)),
            function("c", Row { sp: ("bp", 16), bp: ("prev_sp", -16), ..call(0) }),
            function("d", REGS),
            function("e", Row { kind: "partial", ..REGS }),
            function("f", Row { sp: ("sp_indirect", 8), ..call(0) }),
            function("return_to_handler", END),
        ];
        let kernel = kernel(vmlinux(Version::V3, &functions, &[]), &storage);
        let data = bytes(&words);
        let base = LOW + 0x3c00;
        let memory = Pieces::new(vec![(Addr(base), &data[..cut])]);
        let nmi = [stack(StackKind::Nmi, base - 0x1000, base)];
        let context = if known { Context { cpu: &nmi, ..on_task() } } else { Context::default() };
        let mut begin = start(TEXT + ip, base + sp);
        begin.regs.set(Reg::BP, base + sp + 8);
        let unwinder = Unwinder::new(&kernel).max_frames(500);
        let (frames, stop) = walk(&unwinder, begin, &memory, context);
        prop_assert!(frames.len() <= 500);
        // Known stacks leave no way in a circle: the budget is for unknown ones.
        prop_assert!(!known || stop != Stop::Budget);
        let _ = unwind::MAX_FRAMES;
    }
}
