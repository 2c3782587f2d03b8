//! Can this call lead to that function? Small kernels, each asked as a log is (its code as it was linked), as a dump is
//! (its code as memory has it), and through an index.

#[cfg(feature = "json")]
mod recorded;

use std::path::Path;

use crate::common::elf::{Section, loaded, symtab, write};
use crate::common::index::{called, same_with_caller};
use fixtrace::low::base::addr::{LinkAddr, Pc, Slide};
use fixtrace::low::engine::attribute::attribute;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::code::CodeSource;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index;
use fixtrace::low::world::kernel::Kernel;
use fixtrace::low::world::memory::Pieces;
use fixtrace::low::world::reach::{Call, DEPTH, Edge, Reach, Unread, call_before};

const TEXT: u64 = 0xffff_ffff_8100_0000;
const REPLACEMENTS: u64 = 0xffff_ffff_8180_0000;
const TABLE: u64 = 0xffff_ffff_8200_0000;
const SITES: u64 = 0xffff_ffff_8210_0000;

/// Bytes from one function to the next.
const SLOT: u64 = 64;

/// Where a kernel of ours runs.
const SLIDE: Slide = Slide(0x1e00_0000);

/// An instruction. Names are of functions.
#[derive(Clone, Copy)]
enum Asm {
    Call(&'static str),
    /// Of the instruction so many bytes before the function.
    CallBefore(&'static str, i64),
    Jump(&'static str),
    Branch(&'static str),
    Bytes(&'static [u8]),
}

use Asm::{Branch, Bytes, Call as To, CallBefore, Jump};

const RET: Asm = Bytes(&[0xc3]);
const NOP: Asm = Bytes(&[0x0f, 0x1f, 0x44, 0x00, 0x00]);
/// `mov (%rdi),%eax`, which may fault.
const LOAD: Asm = Bytes(&[0x8b, 0x07]);
const CALL_RAX: Asm = Bytes(&[0xff, 0xd0]);
const JUMP_RAX: Asm = Bytes(&[0xff, 0xe0]);

/// Every name that a return goes by in some kernel: arch/x86/lib/retpoline.S, arch/x86/kernel/callthunks.c.
const RETURN_THUNKS: [&str; 13] = [
    "__x86_return_thunk",
    "__pi___x86_return_thunk",
    "zen_untrain_ret",
    "retbleed_return_thunk",
    "srso_return_thunk",
    "srso_safe_ret",
    "srso_alias_return_thunk",
    "srso_alias_safe_ret",
    "srso_safe_ret_alias",
    "__x86_return_skl",
    "call_depth_return_thunk",
    "its_return_thunk",
    "__pi_its_return_thunk",
];

/// A kernel. Behind its own functions it has `wanted` and `other`, whose loads share a fixup.
#[derive(Default)]
struct Made {
    functions: Vec<(&'static str, Vec<Asm>)>,
    /// What alternatives may put at the beginning of a function.
    alternatives: Vec<(&'static str, Vec<Asm>)>,
    /// What memory has at the beginning of a function instead.
    patched: Vec<(&'static str, Vec<Asm>)>,
}

/// What is said of the call in `caller`.
#[derive(PartialEq, Debug)]
struct Said {
    log: Edge<'static>,
    dump: Edge<'static>,
}

impl Made {
    /// `caller` and what it comes to.
    fn new(functions: &[(&'static str, &[Asm])]) -> Self {
        let fixed: [(_, &[Asm]); 3] = [
            ("wanted", &[LOAD, RET]),
            ("other", &[LOAD, RET]),
            // Its label covers nothing.
            (".fixup", &[RET]),
        ];
        let all = functions.iter().chain(&fixed);
        Made {
            functions: all.map(|(name, code)| (*name, code.to_vec())).collect(),
            ..Made::default()
        }
    }

    fn alternative(mut self, at: &'static str, code: &[Asm]) -> Self {
        self.alternatives.push((at, code.to_vec()));
        self
    }

    fn patched(mut self, at: &'static str, code: &[Asm]) -> Self {
        self.patched.push((at, code.to_vec()));
        self
    }

    /// Where the function `name` is linked.
    fn at(&self, name: &str) -> u64 {
        let slot = self.functions.iter().position(|(n, _)| *n == name);
        TEXT + SLOT * slot.unwrap_or_else(|| panic!("no {name}")) as u64
    }

    /// `code`, which is at `at`.
    fn assembled(&self, code: &[Asm], at: u64) -> Vec<u8> {
        let mut out = Vec::new();
        for insn in code {
            let (opcode, target): (&[u8], u64) = match insn {
                Bytes(bytes) => {
                    out.extend(*bytes);
                    continue;
                }
                To(name) => (&[0xe8], self.at(name)),
                CallBefore(name, bytes) => (&[0xe8], self.at(name).wrapping_add_signed(-bytes)),
                Jump(name) => (&[0xe9], self.at(name)),
                Branch(name) => (&[0x0f, 0x84], self.at(name)),
            };
            out.extend(opcode);
            let end = at + out.len() as u64 + 4;
            out.extend((target.wrapping_sub(end) as u32).to_le_bytes());
        }
        out
    }

    /// The text as it was linked.
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (name, code) in &self.functions {
            let code = self.assembled(code, self.at(name));
            assert!(code.len() < SLOT as usize);
            text.extend(code);
            text.resize(text.len().next_multiple_of(SLOT as usize), 0xcc);
        }
        text
    }

    /// The text as memory has it.
    fn memory(&self) -> Vec<u8> {
        let mut text = self.text();
        for (name, code) in &self.patched {
            let (start, code) = (self.at(name), self.assembled(code, self.at(name)));
            let start = (start - TEXT) as usize;
            text[start..start + code.len()].copy_from_slice(&code);
        }
        text
    }

    fn file(&self) -> Vec<u8> {
        let (mut replacements, mut sites) = (Vec::new(), Vec::new());
        for (name, code) in &self.alternatives {
            let replacement = REPLACEMENTS + replacements.len() as u64;
            let code = self.assembled(code, replacement);
            let entry = SITES + sites.len() as u64;
            for (field, target) in [(0, self.at(name)), (4, replacement)] {
                sites.extend((target.wrapping_sub(entry + field) as u32).to_le_bytes());
            }
            sites.extend([0, 0, 0, 0, code.len() as u8, code.len() as u8]);
            replacements.extend(code);
        }
        let mut rows = Vec::new();
        for name in ["wanted", "other"] {
            for target in [self.at(name), self.at(".fixup")] {
                let field = TABLE + rows.len() as u64;
                rows.extend((target.wrapping_sub(field) as u32).to_le_bytes());
            }
            rows.extend(3u32.to_le_bytes());
        }
        let mut symbols: Vec<_> = self
            .functions
            .iter()
            .map(|(name, code)| {
                let at = self.at(name);
                let size = self.assembled(code, at).len() as u64;
                // Labels have no size.
                let label = name.starts_with('.') || name.starts_with("__x86_indirect_");
                match label {
                    true => (*name, at, 0, 1, 0x10),
                    false => (*name, at, size, 1, 0x12),
                }
            })
            .collect();
        symbols.push(("__pfx_wanted", self.at("wanted") - 16, 16, 1, 0x12));
        let mut sections: Vec<Section> = vec![
            loaded(".text", true, TEXT, &self.text()),
            loaded("__ex_table", false, TABLE, &rows),
        ];
        if !sites.is_empty() {
            sections.push(loaded(
                ".altinstr_replacement",
                true,
                REPLACEMENTS,
                &replacements,
            ));
            sections.push(loaded(".altinstructions", false, SITES, &sites));
        }
        let strings = sections.len() as u32 + 2;
        sections.extend(symtab(&symbols, strings));
        write(2, &sections)
    }

    /// How the first instruction of `caller`, which memory has `len` bytes long, leads to `wanted`. An index says the same
    /// as its image, or does not hold a call that leads to no owner of a fixup.
    fn said(&self, len: u64) -> Said {
        let bytes = self.file();
        let storage = Storage::new();
        let open = || {
            let image = ElfImage::parse(&bytes, Path::new("made"), &storage).expect("opens");
            assert!(image.findings().is_empty(), "{:?}", image.findings());
            Image::new(image)
        };
        let stored = index::write(&open(), &index::Options::default()).expect("an index");
        let stored = index::open_bytes(&stored, Path::new("made.fxi"), &storage);
        let index = stored.expect("an index");
        let ret = LinkAddr(self.at("caller") + len);
        let confirmed = self.attributed(&open(), &index, ret);

        let (kernel, index) = (placed(open()), placed(index));
        let text = self.memory();
        let memory = Pieces::new(vec![(SLIDE.runtime(LinkAddr(TEXT)), &text[..])]);
        let wanted = LinkAddr(self.at("wanted"));
        let ask = |kernel, code| edge(kernel, code, ret, wanted);
        let said = Said {
            log: ask(&kernel, CodeSource::linked(&kernel)).expect("the image"),
            dump: ask(&kernel, CodeSource::in_memory(&kernel, &memory)).expect("the image"),
        };
        match ask(&index, CodeSource::linked(&index)) {
            Some(indexed) => assert_eq!(indexed, said.log),
            None => assert!(!said.log.confirms(), "not held: {:?}", said.log),
        }
        assert_eq!(confirmed, said.log.confirms(), "{said:?}");
        said
    }

    /// Whether the call before `ret` tells that the fixup ran for `wanted`; an index says the same.
    fn attributed<'d>(&self, image: &Image<'d>, index: &Image<'d>, ret: LinkAddr) -> bool {
        let fixup = Pc::Exact(LinkAddr(self.at(".fixup")));
        assert_eq!(attribute(image, fixup).candidates.len(), 2);
        same_with_caller(image, index, fixup, ret);
        let found = called(image, fixup, ret).function;
        found.is_some_and(|f| f.name == "wanted")
    }

    /// What is said of a call of the function `name`, which does not go on to `wanted`.
    fn elsewhere(&self, name: &'static str, missing: bool) -> Edge<'static> {
        Edge::Elsewhere {
            at: Some(SLIDE.runtime(LinkAddr(self.at(name)))),
            called: Some(name.into()),
            missing,
        }
    }
}

fn placed(image: Image<'_>) -> Kernel<'_> {
    let mut kernel = Kernel::new();
    kernel.add(image, Some(SLIDE));
    kernel
}

/// How the call before `ret` leads to `wanted`; `None` where an index does not hold it.
fn edge<'k, 'd>(
    kernel: &'k Kernel<'d>,
    code: CodeSource<'_, 'k, 'd>,
    ret: LinkAddr,
    wanted: LinkAddr,
) -> Option<Edge<'static>> {
    let vmlinux = kernel.vmlinux().expect("a vmlinux");
    let (ret, wanted) = (vmlinux.at(ret), vec![vmlinux.at(wanted)]);
    let call = call_before(code, ret);
    if call == Call::Unread(Unread::NotHeld) {
        return None;
    }
    let edge = Reach::default().edge(code, &call, wanted.clone());
    assert_eq!(Reach::default().between(code, ret, wanted), edge);
    Some(edge.into_owned())
}

/// That a log and a dump say this.
fn both(edge: Edge<'static>) -> Said {
    Said {
        log: edge.clone(),
        dump: edge,
    }
}

#[test]
fn a_call_that_names_the_function_leads_there() {
    let made = Made::new(&[("caller", &[To("wanted"), RET])]);
    assert_eq!(made.said(5), both(Edge::Direct));
}

#[test]
fn a_callee_that_returns_leads_to_no_other_function() {
    let made = Made::new(&[("caller", &[To("callee"), RET]), ("callee", &[RET])]);
    assert_eq!(made.said(5), both(made.elsewhere("callee", false)));
}

#[test]
fn a_jump_to_any_return_thunk_is_a_return() {
    for thunk in RETURN_THUNKS {
        for leave in [Jump(thunk), Branch(thunk)] {
            let made = Made::new(&[
                ("caller", &[To("callee"), RET]),
                ("callee", &[leave, RET]),
                // What some do on the way.
                (thunk, &[JUMP_RAX]),
            ]);
            let expected = both(made.elsewhere("callee", false));
            assert_eq!(made.said(5), expected, "{thunk}");
        }
    }
}

#[test]
fn behind_live_return_thunks_a_missing_frame_is_noticed() {
    // Linked with one thunk; `apply_returns()` (arch/x86/kernel/alternative.c) puts RET there, or another.
    let linked = Jump("__x86_return_thunk");
    let live = RETURN_THUNKS.into_iter().map(Jump).chain([RET, linked]);
    for leave in live {
        let mut functions: Vec<(_, &[Asm])> = vec![
            ("caller", &[To("lost"), RET]),
            ("lost", &[To("wanted"), Jump("__x86_return_thunk")]),
        ];
        let thunks = RETURN_THUNKS.iter();
        functions.extend(thunks.map(|thunk| (*thunk, &[RET][..])));
        let made = Made::new(&functions).patched("lost", &[To("wanted"), leave]);
        assert_eq!(made.said(5), both(made.elsewhere("lost", true)));
    }
}

#[test]
fn a_frame_between_two_is_missing_where_the_callee_calls_the_function_inside() {
    let made = Made::new(&[
        ("caller", &[To("lost"), RET]),
        ("lost", &[NOP, To("wanted"), RET]),
    ]);
    assert_eq!(made.said(5), both(made.elsewhere("lost", true)));
}

#[test]
fn a_call_of_one_owner_of_a_fixup_is_none_of_the_other() {
    let made = Made::new(&[("caller", &[To("other"), RET])]);
    assert_eq!(made.said(5), both(made.elsewhere("other", false)));
}

#[test]
fn jumps_are_followed_through_as_many_functions_as_the_depth_has() {
    let names = ["a", "b", "c", "d", "e"];
    for count in 1..=names.len() {
        for jump in [Jump as fn(&'static str) -> Asm, Branch] {
            let onwards = names[1..count].iter().chain([&"wanted"]);
            let bodies: Vec<[Asm; 2]> = onwards.map(|to| [jump(to), RET]).collect();
            let mut functions: Vec<(_, &[Asm])> = vec![("caller", &[To("a"), RET])];
            functions.extend(names.iter().zip(&bodies).map(|(n, b)| (*n, &b[..])));
            let made = Made::new(&functions);
            // The last of them is the one that is come to.
            let expected = match count < DEPTH {
                true => Edge::Tail,
                false => made.elsewhere("a", false),
            };
            assert_eq!(made.said(5), both(expected), "{count}");
        }
    }
}

#[test]
fn a_short_jump_is_a_jump() {
    // jmp .+64
    let made = Made::new(&[
        ("caller", &[To("callee"), RET]),
        ("callee", &[Bytes(&[0xeb, 0x3e])]),
    ]);
    assert_eq!(made.at("callee") + 64, made.at("wanted"));
    assert_eq!(made.said(5), both(Edge::Tail));
}

#[test]
fn jumps_in_a_circle_lead_nowhere() {
    let made = Made::new(&[
        ("caller", &[To("a"), RET]),
        ("a", &[Jump("b")]),
        ("b", &[Branch("b"), Jump("a")]),
    ]);
    assert_eq!(made.said(5), both(made.elsewhere("a", false)));
}

#[test]
fn a_jump_through_a_register_may_lead_anywhere() {
    for leave in [JUMP_RAX, Jump("__x86_indirect_thunk_rax")] {
        let made = Made::new(&[
            ("caller", &[To("callee"), RET]),
            ("callee", &[leave]),
            ("__x86_indirect_thunk_rax", &[RET]),
        ]);
        assert_eq!(made.said(5), both(Edge::Indirect));
    }
}

#[test]
fn a_call_through_a_register_may_lead_anywhere() {
    let made = Made::new(&[("caller", &[CALL_RAX, RET])]);
    assert_eq!(made.said(2), both(Edge::Indirect));

    let thunk = [To("__x86_indirect_thunk_rax"), RET];
    let made = Made::new(&[("caller", &thunk), ("__x86_indirect_thunk_rax", &[RET])]);
    assert_eq!(made.said(5), both(Edge::Indirect));

    // Without retpolines the call is patched, and ends in the middle of what was linked.
    let patched = made.patched("caller", &[CALL_RAX, Bytes(&[0x0f, 0x1f, 0x00])]);
    assert_eq!(patched.said(2), both(Edge::Indirect));
}

#[test]
fn memory_tells_which_call_an_alternative_put_there() {
    let made = || {
        let functions: [(_, &[Asm]); 2] = [("caller", &[To("callee"), RET]), ("callee", &[RET])];
        Made::new(&functions).alternative("caller", &[To("wanted")])
    };
    let (old, new) = (made(), made().patched("caller", &[To("wanted")]));
    assert_eq!(
        old.said(5),
        Said {
            log: Edge::Direct,
            dump: old.elsewhere("callee", false)
        }
    );
    assert_eq!(new.said(5), both(Edge::Direct));
}

#[test]
fn memory_tells_which_jump_an_alternative_put_there() {
    let made = || {
        let functions: [(_, &[Asm]); 2] =
            [("caller", &[To("callee"), RET]), ("callee", &[NOP, RET])];
        Made::new(&functions).alternative("callee", &[Jump("wanted")])
    };
    let (old, new) = (made(), made().patched("callee", &[Jump("wanted")]));
    assert_eq!(
        old.said(5),
        Said {
            log: Edge::Tail,
            dump: old.elsewhere("callee", false)
        }
    );
    assert_eq!(new.said(5), both(Edge::Tail));
}

#[test]
fn a_callee_that_the_tracer_diverts_goes_on_in_no_other_function_of_its_image() {
    // `__fentry__` is a NOP in memory, or a call of the tracer. What a livepatch goes on to is of the livepatch's module.
    for entry in [&[][..], &[Bytes(&[0xf3, 0x0f, 0x1e, 0xfa])]] {
        let code = |call: Asm| [entry, &[call, RET]].concat();
        let functions: [(_, &[Asm]); 4] = [
            ("caller", &[To("callee"), RET]),
            ("callee", &code(To("__fentry__"))),
            ("__fentry__", &[RET]),
            ("ftrace_regs_caller", &[RET]),
        ];
        for call in [NOP, To("ftrace_regs_caller")] {
            let made = Made::new(&functions).patched("callee", &code(call));
            assert_eq!(made.said(5).dump, made.elsewhere("callee", false));
        }
    }
}

#[test]
fn an_alternative_through_a_register_leaves_it_open() {
    let made = Made::new(&[("caller", &[To("callee"), RET]), ("callee", &[RET])]);
    let made = made.alternative("caller", &[Bytes(&[0x0f, 0x1f, 0x00]), CALL_RAX]);
    let expected = Said {
        log: Edge::Indirect,
        dump: made.elsewhere("callee", false),
    };
    assert_eq!(made.said(5), expected);
}

#[test]
fn memory_tells_where_a_static_call_goes() {
    let made = || {
        Made::new(&[
            ("caller", &[To("__SCT__hook"), RET]),
            ("__SCT__hook", &[Jump("other")]),
        ])
    };
    let less = |dump| Said {
        log: Edge::Indirect,
        dump,
    };
    let linked = made();
    assert_eq!(linked.said(5), less(linked.elsewhere("other", false)));
    // Out of line, and in the caller.
    for (at, code) in [
        ("__SCT__hook", [Jump("wanted")]),
        ("caller", [To("wanted")]),
    ] {
        assert_eq!(made().patched(at, &code).said(5), less(Edge::Direct));
    }
    // No function is set.
    let none = made().patched("__SCT__hook", &[RET]);
    assert_eq!(none.said(5), both(Edge::Indirect));
}

#[test]
fn memory_tells_where_a_call_through_a_table_of_paravirtualisation_goes() {
    // call *0xffffffff82200000, which becomes `call wanted`, shorter.
    let table = Bytes(&[0xff, 0x14, 0x25, 0x00, 0x00, 0x20, 0x82]);
    let made = Made::new(&[("caller", &[table, RET])]).patched("caller", &[To("wanted")]);
    let expected = Said {
        log: Edge::Indirect,
        dump: Edge::Direct,
    };
    assert_eq!(made.said(5), expected);
}

#[test]
fn a_call_of_the_padding_before_a_function_is_a_call_of_it() {
    // Call depth tracking counts in the last nine bytes before the function: arch/x86/kernel/callthunks.c, 6.2-.
    let made = Made::new(&[("caller", &[To("wanted"), RET])]);
    let made = made.patched("caller", &[CallBefore("wanted", 9)]);
    assert_eq!(made.said(5), both(Edge::Direct));

    let made = Made::new(&[("caller", &[To("callee"), RET]), ("callee", &[RET])]);
    let made = made.patched("caller", &[CallBefore("wanted", 9)]);
    let expected = Said {
        log: made.elsewhere("callee", false),
        dump: Edge::Direct,
    };
    assert_eq!(made.said(5), expected);
}

#[test]
fn where_no_call_ends_there_is_none() {
    for first in [NOP, Jump("wanted")] {
        let made = Made::new(&[("caller", &[first, RET])]);
        assert_eq!(made.said(5), both(Edge::NoCall));
    }
}
