use proptest::prelude::*;

use super::*;
use crate::formats::extable::ExTable;
use crate::formats::image::made::{Made, Symbol};
use crate::formats::image::{ElfImage, Storage};
use crate::formats::orc::{OrcTable, OrcVersion};
use crate::formats::rule::{Base, Cfa, SavedBp};

/// A row of a call, as Linux 6.12 has them: the CFA from RSP (5) or RBP (4), and where RBP is, if not unchanged.
fn row(base: u8, offset: i16, bp: Option<i16>) -> [u8; 6] {
    let [a, b] = offset.to_le_bytes();
    let [c, d] = bp.unwrap_or(0).to_le_bytes();
    [a, b, c, d, base | if bp.is_some() { 0x10 } else { 0 }, 2]
}

fn sp(offset: i16) -> [u8; 6] {
    row(5, offset, None)
}

/// What contradicts in a function that consists of `code` and has rows at offsets.
fn told(code: &[u8], rows: &[(u64, [u8; 6])]) -> Vec<(u64, What)> {
    with(code, rows, |ground| {
        let all = contradictions(ground);
        all.iter().map(|c| (c.at.0, c.what)).collect()
    })
}

fn with<T>(code: &[u8], rows: &[(u64, [u8; 6])], f: impl FnOnce(&Ground<'_, '_>) -> T) -> T {
    let made = Made {
        name: "made",
        release: "6.12.0",
        text: code,
        orc: rows.iter().map(|(at, row)| (LinkAddr(*at), *row)).collect(),
        symbols: vec![Symbol {
            name: b"function",
            at: LinkAddr(0),
            size: code.len() as u64,
            // Global, a function.
            info: 0x12,
        }],
        ..Made::default()
    };
    let bytes = made.elf();
    let storage = Storage::default();
    let image = ElfImage::parse(&bytes, "made.ko".as_ref(), &storage).expect("a module");
    let hint = Some(OrcVersion::V3);
    let orc = OrcTable::of_version(&image, hint).expect("rows");
    let extable = ExTable::default();
    let ground = Ground::new(&image, orc.as_ref(), &extable, &|_| false);
    f(&ground)
}

/// push %rbx; nop; nop; pop %rbx; ret
const PLAIN: [u8; 5] = [0x53, 0x90, 0x90, 0x5b, 0xc3];

#[test]
fn a_function_that_its_rows_describe_contradicts_nothing() {
    assert_eq!(told(&PLAIN, &[(0, sp(8)), (1, sp(16)), (4, sp(8))]), []);
}

#[test]
fn a_row_that_is_wrong_is_one_contradiction() {
    let rows = [(0, sp(8)), (1, sp(24)), (4, sp(8))];
    assert_eq!(told(&PLAIN, &rows), [(1, What::Cfa(8))]);
}

#[test]
fn a_push_that_no_row_knows_is_one_contradiction() {
    // push %rbx; push %rax; nop; pop %rbx; ret
    let code = [0x53, 0x50, 0x90, 0x5b, 0xc3];
    assert_eq!(
        told(&code, &[(0, sp(8)), (1, sp(16)), (4, sp(8))]),
        [(2, What::Cfa(-8))]
    );
}

#[test]
fn a_row_that_is_missing_is_one_contradiction() {
    assert_eq!(told(&PLAIN, &[(0, sp(8))]), [(1, What::Cfa(-8))]);
}

#[test]
fn a_return_without_its_pop_is_told() {
    // push %rbx; ret
    let code = [0x53, 0xc3];
    assert_eq!(
        told(&code, &[(0, sp(8)), (1, sp(16))]),
        [(1, What::Return(-8))]
    );
}

#[test]
fn an_entry_that_is_not_a_calls_is_told() {
    assert_eq!(told(&[0xc3], &[(0, sp(16))]), [(0, What::Entry(8))]);
}

#[test]
fn rbp_is_where_it_was_pushed() {
    // push %rbp; mov $1,%ebp; pop %rbp; ret
    let code = [0x55, 0xbd, 1, 0, 0, 0, 0x5d, 0xc3];
    let rows = |bp| [(0, sp(8)), (1, row(5, 16, bp)), (7, sp(8))];
    assert_eq!(told(&code, &rows(Some(-16))), []);
    let elsewhere = SavedBp::AtCfa(-24);
    assert_eq!(told(&code, &rows(Some(-24))), [(1, What::Bp(elsewhere))]);
    // While it is still in the register, too, the row is right.
    assert_eq!(
        told(&code, &rows(None)),
        [(6, What::Bp(SavedBp::Unchanged))]
    );
}

#[test]
fn a_frame_pointer_is_followed() {
    // push %rbp; mov %rsp,%rbp; sub $32,%rsp; leave; ret
    let code = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 32, 0xc9, 0xc3];
    let rows = |base, offset| {
        [
            (0, sp(8)),
            (1, row(5, 16, Some(-16))),
            (4, row(base, offset, Some(-16))),
            (9, sp(8)),
        ]
    };
    assert_eq!(told(&code, &rows(4, 16)), []);
    assert_eq!(told(&code, &rows(4, 24)), [(4, What::Cfa(8))]);
    assert_eq!(told(&code, &rows(5, 16)), [(8, What::Cfa(-32))]);
}

/// lea 8(%rsp),%r10; and $-32,%rsp; push -8(%r10); push %rbp; mov %rsp,%rbp; push %r10; nop; mov -8(%rbp),%r10; leave;
/// lea -8(%r10),%rsp; ret
const REALIGNED: [u8; 32] = [
    0x4c, 0x8d, 0x54, 0x24, 0x08, 0x48, 0x83, 0xe4, 0xe0, 0x41, 0xff, 0x72, 0xf8, 0x55, 0x48, 0x89,
    0xe5, 0x41, 0x52, 0x90, 0x4c, 0x8b, 0x55, 0xf8, 0xc9, 0x49, 0x8d, 0x62, 0xf8, 0xc3, 0xcc, 0xcc,
];

#[test]
fn a_stack_that_was_aligned_is_followed() {
    // R10 is 6 and *(RBP + n) is 8 before Linux 7.1; RBP at *(RBP + 0).
    let inner = |offset: i16| [offset as u8, (offset >> 8) as u8, 0, 0, 8 | 0x40, 2];
    let rows = |offset| {
        [
            (0, sp(8)),
            (5, row(6, 0, None)),
            (17, [0, 0, 0, 0, 6 | 0x40, 2]),
            (19, inner(offset)),
            (24, [0, 0, 0, 0, 6 | 0x40, 2]),
            (25, row(6, 0, None)),
            (29, sp(8)),
        ]
    };
    assert_eq!(told(&REALIGNED, &rows(-8)), []);
    assert_eq!(told(&REALIGNED, &rows(-16)), []);
    with(&REALIGNED, &[], |ground| {
        let mut seen = Vec::new();
        let rules = [
            Cfa::Indirect {
                base: Base::Bp,
                inner: -8,
                outer: 0,
            },
            Cfa::Register(Base::R10, 0),
            Cfa::Register(Base::R10, 8),
            Cfa::Register(Base::Sp, 8),
        ];
        states(
            ground,
            (LinkAddr(0), LinkAddr(32)),
            &[LinkAddr(19)],
            &mut |at, state| {
                seen.push((
                    at.0,
                    rules.map(|rule| state.eval_cfa(&rule)),
                    state.eval_bp(&SavedBp::AtBp(0)),
                ));
            },
        );
        assert_eq!(seen, [(19, [Some(0), Some(0), Some(8), None], Some(true))]);
    });
}

#[test]
fn ways_that_disagree_leave_nothing_known() {
    // test %edi,%edi; je +1; push %rax; nop; ret, by the code alone
    let code = [0x85, 0xff, 0x74, 1, 0x50, 0x90, 0xc3];
    with(&code, &[], |ground| {
        let mut seen = Vec::new();
        let wanted = [LinkAddr(4), LinkAddr(5)];
        states(
            ground,
            (LinkAddr(0), LinkAddr(7)),
            &wanted,
            &mut |_, state| {
                seen.push(state.eval_cfa(&Cfa::Register(Base::Sp, 8)));
            },
        );
        assert_eq!(seen, [Some(0), None]);
    });
}

#[test]
fn behind_ud2_rows_are_taken_on_trust_and_what_follows_is_held_against_them() {
    // push %rbx; ud2; nop; pop %rbx; ret
    let code = [0x53, 0x0f, 0x0b, 0x90, 0x5b, 0xc3];
    assert_eq!(told(&code, &[(0, sp(8)), (1, sp(16)), (5, sp(8))]), []);
    let rows = [(0, sp(8)), (1, sp(16)), (3, sp(24)), (5, sp(8))];
    assert_eq!(told(&code, &rows), [(5, What::Cfa(-8))]);
}

#[test]
fn xen_runs_what_follows_its_mark() {
    // push %rbx; ud2, "xen"; cpuid; pop %rbx; ret
    let code = [0x53, 0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2, 0x5b, 0xc3];
    assert_eq!(told(&code, &[(0, sp(8)), (1, sp(16)), (9, sp(8))]), []);
}

#[test]
fn a_stack_that_was_switched_is_followed_back() {
    // push %rbx; mov %rsp,(%rdi); mov %rdi,%rsp; nop; pop %rsp; pop %rbx; ret
    let code = [
        0x53, 0x48, 0x89, 0x27, 0x48, 0x89, 0xfc, 0x90, 0x5c, 0x5b, 0xc3,
    ];
    // *(RSP) + n is 9.
    let rows = |offset: i16| {
        [
            (0, sp(8)),
            (1, sp(16)),
            (7, row(9, offset, None)),
            (9, sp(16)),
            (10, sp(8)),
        ]
    };
    assert_eq!(told(&code, &rows(16)), []);
    assert_eq!(told(&code, &rows(24)), [(7, What::Cfa(8))]);
}

proptest! {
    #[test]
    fn arbitrary_code_ends(
        code in prop::collection::vec(any::<u8>(), 1..200),
        rows in prop::collection::vec((0u64..200, any::<[u8; 6]>()), 0..20),
    ) {
        let mut rows = rows;
        rows.sort();
        told(&code, &rows);
        told(&code, &[]);
    }
}
