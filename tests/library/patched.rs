//! Every form that kernels give code, on a little kernel: explained where its tables list the place, and nowhere else.
//! The bytes are those that arch/x86/kernel/{alternative,static_call,ftrace,callthunks}.c emit, Linux 5.10-7.3.

use std::path::Path;

use crate::common::elf::{self, TEXT, loaded, symtab};
use fixtrace::low::base::addr::{Address, LinkAddr, Slide};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::products::oops::code::patched::{Compared, Patch, compare};

const THUNK_RAX: u64 = TEXT;
const THUNK_R11: u64 = TEXT + 0x20;
const RETURN: u64 = TEXT + 0x40;
const SRSO: u64 = TEXT + 0x60;
const FENTRY: u64 = TEXT + 0x80;
const STATIC: u64 = TEXT + 0xa0;
const CALL_THUNK: u64 = TEXT + 0xc0;
/// A function with NOPs before it.
const FUNCTION: u64 = TEXT + 0x120;
/// Where the code under test is.
const HERE: u64 = TEXT + 0x200;
/// Code made at run time.
const OUTSIDE: u64 = TEXT + 0x0800_0000;
const RODATA: u64 = TEXT + 0x4000;
const END: u64 = RODATA + 0x1000;
/// `sarq $5, %gs:…(%rip)`, of data that is linked at 0x40.
const COUNTER: u64 = RODATA;
const PREAMBLE: u64 = RODATA + 0x20;
const CALLER: u64 = RODATA + 0x40;

/// `opcode` and the distance from behind it, `before` bytes behind `at`, to `to`.
fn far(opcode: &[u8], at: u64, to: u64) -> Vec<u8> {
    let end = at + opcode.len() as u64 + 4;
    [opcode, &(to.wrapping_sub(end) as u32).to_le_bytes()].concat()
}

fn call(to: u64) -> Vec<u8> {
    far(&[0xe8], HERE, to)
}

fn jump(to: u64) -> Vec<u8> {
    far(&[0xe9], HERE, to)
}

fn counter(at: u64) -> Vec<u8> {
    let distance = 0x40u64.wrapping_sub(at + 9) as u32;
    [&[0x65, 0x48, 0xc1, 0x3d][..], &distance.to_le_bytes(), &[5]].concat()
}

/// A kernel with `linked` at [`HERE`], and tables that list places.
fn kernel(linked: &[u8], tables: &[(&'static str, u64)]) -> Vec<u8> {
    let mut text = vec![0xcc; 0x400];
    for at in [0x110..0x120, 0x1e0..0x200] {
        text[at].fill(0x90);
    }
    let here = (HERE - TEXT) as usize;
    text[here..here + linked.len()].copy_from_slice(linked);
    text[here + linked.len()] = 0xc3;
    let mut rodata = vec![0; 0x1000];
    rodata[..9].copy_from_slice(&counter(COUNTER));
    let preamble = [
        0xf3, 0x0f, 0x1e, 0xfa, 0x2d, 0x78, 0x56, 0x34, 0x12, 0x2e, 0x0f, 0x85, 3, 0, 0, 0, 0x0f,
        0x1f, 0x40, 0xd6,
    ];
    rodata[0x20..0x34].copy_from_slice(&preamble);
    let caller = [
        0xb8, 0x78, 0x56, 0x34, 0x12, 0x4d, 0x8d, 0x5b, 0xf0, 0x0f, 0x1f, 0x44, 0, 0,
    ];
    rodata[0x40..0x4e].copy_from_slice(&caller);
    let mut sections = vec![
        loaded(".text", true, TEXT, &text),
        loaded(".rodata", false, RODATA, &rodata),
        loaded("__ex_table", false, TEXT + 0x5800, &[]),
        loaded(".data..percpu", false, 0, &[0; 0x80]),
    ];
    for ((section, place), n) in tables.iter().zip(0..) {
        let at = TEXT + 0x6000 + 0x100 * n;
        let distance = place.wrapping_sub(at) as u32;
        sections.push(loaded(section, false, at, &distance.to_le_bytes()));
    }
    let code = |name, at, size| (name, at, size, 1, 0x12);
    let data = |name, at| (name, at, 0, 2, 0x10);
    let symbols = [
        code("__x86_indirect_thunk_rax", THUNK_RAX, 16),
        code("__x86_indirect_thunk_r11", THUNK_R11, 16),
        code("__x86_return_thunk", RETURN, 16),
        code("srso_return_thunk", SRSO, 16),
        code("__fentry__", FENTRY, 5),
        code("__SCT__op", STATIC, 8),
        code("__x86_indirect_call_thunk_rax", CALL_THUNK, 16),
        code("__pfx_function", FUNCTION - 16, 16),
        code("function", FUNCTION, 16),
        code("here", HERE, linked.len() as u64 + 1),
        data("skl_call_thunk_template", COUNTER),
        data("skl_call_thunk_tail", COUNTER + 9),
        data("fineibt_preamble_start", PREAMBLE),
        data("fineibt_preamble_end", PREAMBLE + 20),
        data("fineibt_caller_start", CALLER),
        data("fineibt_caller_end", CALLER + 14),
    ];
    let strtab = sections.len() as u32 + 2;
    sections.extend(symtab(&symbols, strtab));
    elf::write(2, &sections)
}

/// `ran` at `at` of the kernel `file`, held against it.
fn compared(file: &[u8], at: u64, ran: &[u8], slide: Option<Slide>) -> Compared {
    let storage = Storage::new();
    let file = storage.own(file.to_vec());
    let image = ElfImage::parse(file, Path::new("vmlinux"), &storage).expect("a kernel");
    compare(&image, LinkAddr(at), ran, slide).expect("code")
}

/// Whether `ran` is explained by `patch` alone.
fn by(found: &Compared, patch: Patch) -> bool {
    found.unexplained.is_empty() && found.explained.iter().all(|(_, p)| *p == patch)
}

/// A kind of patch, the table that lists its places, what is linked at [`HERE`], and the forms that it gets.
type Case = (Patch, &'static str, Vec<u8>, Vec<Vec<u8>>);

fn forms() -> Vec<Case> {
    let thunk = call(THUNK_RAX);
    let r11 = far(&[0x2e, 0xe8], HERE, THUNK_R11);
    let branch = far(&[0x0f, 0x84], HERE, THUNK_RAX);
    vec![
        (
            Patch::Retpoline,
            ".retpoline_sites",
            thunk,
            vec![
                vec![0xff, 0xd0, 0x0f, 0x1f, 0x00],
                vec![0xff, 0xd0, 0x90, 0x90, 0x90],
                vec![0x2e, 0x2e, 0x2e, 0xff, 0xd0],
                vec![0x0f, 0xae, 0xe8, 0xff, 0xd0],
                call(CALL_THUNK),
                call(OUTSIDE),
            ],
        ),
        (
            Patch::Retpoline,
            ".retpoline_sites",
            jump(THUNK_RAX),
            vec![
                vec![0xff, 0xe0, 0xcc, 0xcc, 0xcc],
                vec![0xff, 0xe0, 0xcc, 0x66, 0x90],
                vec![0x0f, 0xae, 0xe8, 0xff, 0xe0],
                jump(OUTSIDE),
            ],
        ),
        (
            Patch::Retpoline,
            ".retpoline_sites",
            r11,
            vec![
                vec![0x41, 0xff, 0xd3, 0x0f, 0x1f, 0x00],
                vec![0x2e, 0x2e, 0x2e, 0x41, 0xff, 0xd3],
                vec![0x0f, 0xae, 0xe8, 0x41, 0xff, 0xd3],
                far(&[0x2e, 0xe8], HERE, OUTSIDE),
            ],
        ),
        (
            Patch::Retpoline,
            ".retpoline_sites",
            branch,
            vec![
                vec![0x75, 4, 0xff, 0xe0, 0xcc, 0x90],
                vec![0x75, 4, 0xff, 0xe0, 0xcc, 0xcc],
                far(&[0x0f, 0x84], HERE, OUTSIDE),
            ],
        ),
        (
            Patch::ReturnThunk,
            ".return_sites",
            jump(RETURN),
            vec![vec![0xc3, 0xcc, 0xcc, 0xcc, 0xcc], jump(SRSO)],
        ),
        (
            Patch::CallDepth,
            ".call_sites",
            call(FUNCTION),
            vec![call(FUNCTION - 9)],
        ),
        (
            Patch::Ibt,
            ".ibt_endbr_seal",
            vec![0xf3, 0x0f, 0x1e, 0xfa],
            vec![vec![0x66, 0x0f, 0x1f, 0x00], vec![0x0f, 0x1f, 0x40, 0xd6]],
        ),
        (
            Patch::LockPrefix,
            ".smp_locks",
            vec![0xf0, 0x48, 0x0f, 0xb1, 0x0f],
            vec![vec![0x3e, 0x48, 0x0f, 0xb1, 0x0f]],
        ),
    ]
}

#[test]
fn each_form_is_explained_where_a_table_lists_the_place_and_nowhere_else() {
    for (patch, section, linked, all) in forms() {
        let listed = kernel(&linked, &[(section, HERE)]);
        let other = kernel(&linked, &[(section, FUNCTION)]);
        let bare = kernel(&linked, &[]);
        for ran in all {
            let what = format!("{patch:?}: {linked:02x?} as {ran:02x?}");
            let found = compared(&listed, HERE, &ran, None);
            assert!(by(&found, patch) && !found.by_shape, "{what}: {found:?}");
            let found = compared(&other, HERE, &ran, None);
            assert!(!found.unexplained.is_empty(), "unlisted {what}: {found:?}");
            let found = compared(&bare, HERE, &ran, None);
            assert!(
                by(&found, patch) && found.by_shape,
                "by shape {what}: {found:?}"
            );
        }
    }
}

#[test]
fn forms_are_known_by_what_is_shown_of_them() {
    for (patch, section, linked, all) in forms() {
        let file = kernel(&linked, &[(section, HERE)]);
        for ran in all {
            for n in 1..ran.len() {
                let (head, tail) = ran.split_at(n);
                let found = compared(&file, HERE, head, None);
                assert!(
                    by(&found, patch),
                    "{patch:?} {ran:02x?} up to {n}: {found:?}"
                );
                let found = compared(&file, HERE + n as u64, tail, None);
                assert!(
                    by(&found, patch),
                    "{patch:?} {ran:02x?} from {n}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_bit_that_flipped_is_no_patch() {
    let (mut changed, mut noticed) = (0, 0);
    for (_, section, linked, all) in forms() {
        let file = kernel(&linked, &[(section, HERE)]);
        for ran in all {
            // The opcode's byte; distances of code made at run time may be any.
            let mut ran = ran.clone();
            ran[0] ^= 0x10;
            changed += 1;
            noticed += usize::from(!compared(&file, HERE, &ran, None).unexplained.is_empty());
        }
    }
    assert_eq!(noticed, changed);
}

#[test]
fn calls_are_counted_in_the_padding_before_a_function() {
    let file = kernel(&[0x90], &[]);
    for slide in [None, Some(Slide(0)), Some(Slide(0x1200_0000))] {
        let at = FUNCTION - 9;
        let by = slide.map_or(0, |s| s.0);
        let mut ran = counter(at + by);
        ran.push(0xcc);
        let found = compared(&file, at, &ran, slide);
        assert!(by_only(&found, Patch::CallDepth), "{slide:?}: {found:?}");
        // Alone it tells where the kernel was.
        let found = compared(&file, at, &ran, None);
        assert_eq!(found.slide.unwrap_or_default(), Slide(by));
        ran[3] ^= 1;
        assert!(!compared(&file, at, &ran, slide).unexplained.is_empty());
    }
}

fn by_only(found: &Compared, patch: Patch) -> bool {
    by(found, patch) && !found.explained.is_empty()
}

#[test]
fn types_of_functions_are_checked_by_the_kernels_own_templates() {
    // movl $hash, %eax among NOPs; endbr64
    let hash = [0x44, 0x33, 0x22, 0x11];
    let preamble = [&[0xb8][..], &hash, &[0x90; 11], &[0xf3, 0x0f, 0x1e, 0xfa]].concat();
    let file = kernel(&preamble, &[(".cfi_sites", HERE)]);
    let fine = [
        &[0xf3, 0x0f, 0x1e, 0xfa, 0x2d][..],
        &[9, 8, 7, 6],
        &[0x2e, 0x0f, 0x85, 3, 0, 0, 0, 0x0f, 0x1f, 0x40, 0xd6],
    ]
    .concat();
    let other = [&[0xb8, 1, 2, 3, 4][..], &preamble[5..]].concat();
    let sealed = [&other[..16], &[0x0f, 0x1f, 0x40, 0xd6]].concat();
    for ran in [fine, other, sealed] {
        let found = compared(&file, HERE, &ran, None);
        assert!(by_only(&found, Patch::Ibt), "{ran:02x?}: {found:?}");
        let mut odd = ran.clone();
        odd[9] ^= 0x80;
        assert!(!compared(&file, HERE, &odd, None).unexplained.is_empty());
    }
    // movl $-hash, %r10d; addl -15(%r11), %r10d; je; ud2; cs call
    let check = [
        0x41, 0xba, 1, 2, 3, 4, 0x45, 0x03, 0x53, 0xf1, 0x74, 2, 0x0f, 0x0b,
    ];
    let linked = [&check[..], &far(&[0x2e, 0xe8], HERE + 14, THUNK_R11)].concat();
    let file = kernel(
        &linked,
        &[(".retpoline_sites", HERE + 14), (".cfi_sites", FUNCTION)],
    );
    let fine = [
        0xb8, 4, 3, 2, 1, 0x4d, 0x8d, 0x5b, 0xf0, 0x0f, 0x1f, 0x44, 0, 0,
    ];
    let mut off = check;
    off[..2].copy_from_slice(&[0xeb, 12]);
    let mut other = check;
    other[2..6].copy_from_slice(&[9; 4]);
    for ran in [fine, off, other] {
        let found = compared(&file, HERE, &ran, None);
        assert!(by_only(&found, Patch::Ibt), "{ran:02x?}: {found:?}");
        let mut odd = ran;
        odd[10] ^= 0x80;
        assert!(!compared(&file, HERE, &odd, None).unexplained.is_empty());
    }
}

#[test]
fn a_static_call_is_a_call_of_its_function_or_nothing() {
    let file = kernel(&call(STATIC), &[]);
    for ran in [
        call(FUNCTION),
        call(FUNCTION - 9),
        call(OUTSIDE),
        vec![0x0f, 0x1f, 0x44, 0, 0],
        vec![0x2e, 0x2e, 0x2e, 0x31, 0xc0],
        vec![0x67, 0x48, 0x0f, 0xb9, 0x3a],
        vec![0x3e, 0x3e, 0xc6, 0x07, 0x00],
    ] {
        let found = compared(&file, HERE, &ran, None);
        assert!(by_only(&found, Patch::StaticCall), "{ran:02x?}: {found:?}");
    }
    let inside = compared(&file, HERE, &call(FUNCTION + 3), None);
    assert!(!inside.unexplained.is_empty());
    // The trampoline itself.
    for ran in [
        far(&[0xe9], STATIC, FUNCTION),
        vec![0xc3, 0xcc, 0xcc, 0xcc, 0xcc],
    ] {
        let found = compared(&file, STATIC, &ran, None);
        assert!(found.unexplained.is_empty(), "{ran:02x?}: {found:?}");
    }
}

#[test]
fn fields_tell_the_slide_at_every_residue_and_one_that_disagrees_refutes_it() {
    // mov $RODATA, %rsi; mov $END, %rdi; cmp $RODATA+8, %rax
    let field = |at: u64, by: u64| ((at + by) as u32).to_le_bytes();
    let code = |a: u64, b: u64, c: u64| {
        [
            &[0x48, 0xc7, 0xc6][..],
            &field(RODATA, a),
            &[0x48, 0xc7, 0xc7],
            &field(END, b),
            &[0x48, 0x3d],
            &field(RODATA + 8, c),
        ]
        .concat()
    };
    let file = kernel(&code(0, 0, 0), &[]);
    for n in 1..512u64 {
        let by = n << 21;
        let found = compared(&file, HERE, &code(by, by, by), None);
        assert_eq!(
            (found.slide, found.unexplained.len()),
            (Some(Slide(by)), 0),
            "{by:#x}"
        );
        // A number that is compared with need not be an address.
        let found = compared(&file, HERE, &code(by, by, 0), None);
        assert_eq!(
            (found.slide, found.unexplained.len()),
            (Some(Slide(by)), 0),
            "{by:#x}"
        );
        // All addresses move alike.
        let torn = compared(&file, HERE, &code(by, by ^ (1 << 21), by), None);
        assert!(torn.torn && torn.slide.is_none() && !torn.unexplained.is_empty());
        let torn = compared(&file, HERE, &code(by, 0, by), None);
        assert!(torn.torn && torn.slide.is_none());
        // By no multiple of what a kernel is aligned to.
        let odd = compared(&file, HERE, &code(by + 0x1000, by + 0x1000, 0), None);
        assert_eq!(odd.slide, None);
        assert!(!odd.unexplained.is_empty());
    }
    // Where the kernel was is known: no field may say otherwise.
    let known = Some(Slide(0x0120_0000));
    let found = compared(&file, HERE, &code(0x0120_0000, 0x0140_0000, 0), known);
    assert!(!found.unexplained.is_empty());
    let cut = &code(0x0120_0000, 0x0120_0000, 0)[5..12];
    let found = compared(&file, HERE + 5, cut, known);
    assert!(by_only(&found, Patch::Kaslr), "{found:?}");
    let end = LinkAddr(HERE).offset(5).0;
    let alone = compared(&file, end, &cut[..4], None);
    assert!(
        alone.unexplained.is_empty() && alone.slide.is_none(),
        "{alone:?}"
    );
}
