use super::*;
use proptest::prelude::*;

/// Registers by name and value, all others being unknown.
fn registers(values: &[(&str, u64)]) -> Regs {
    let mut regs = Regs::default();
    for (name, value) in values {
        regs.set(Reg::from_name(name).expect("a register"), *value);
    }
    regs
}

fn context(regs: &Regs, trap: Trap, cr2: Option<u64>) -> Context<'_> {
    Context {
        regs,
        gs_base: None,
        fs_base: None,
        cr2,
        trap,
        user_mode: false,
        la57: false,
    }
}

/// What is said of `code` at `0xffffffff81000000`.
fn words(code: &[u8], values: &[(&str, u64)], trap: Trap, cr2: Option<u64>) -> Vec<String> {
    let regs = registers(values);
    fault(code, 0xffff_ffff_8100_0000, &context(&regs, trap, cr2))
        .map_or_else(Vec::new, |f| f.words)
}

fn page_fault(code: &[u8], values: &[(&str, u64)], cr2: u64) -> Vec<String> {
    words(code, values, Trap::PageFault, Some(cr2))
}

/// mov 0x10(%rax),%rcx
const LOAD: [u8; 4] = [0x48, 0x8b, 0x48, 0x10];

#[test]
fn a_member_of_a_null_pointer() {
    assert_eq!(
        page_fault(&LOAD, &[("rax", 0)], 0x10),
        [
            "mov reads 8 bytes at 0x10(%rax), which is 0x10",
            "CR2 is that address",
            "rax is 0: a member at offset 0x10 of a NULL pointer"
        ]
    );
    // movl $1,0x8
    assert_eq!(
        page_fault(&[0xc7, 4, 0x25, 8, 0, 0, 0, 1, 0, 0, 0], &[], 8),
        [
            "movl writes 4 bytes at 0x8",
            "CR2 is that address",
            "0x8 is a constant in the instruction: a member at offset 0x8 of a NULL pointer"
        ]
    );
    // mov -0x8(%rax),%rcx
    assert_eq!(
        page_fault(&[0x48, 0x8b, 0x48, 0xf8], &[("rax", 0)], u64::MAX - 7)[2],
        "rax is 0: 0x8 bytes before a NULL pointer"
    );
}

#[test]
fn registers_explain_the_address() {
    assert_eq!(
        page_fault(&LOAD, &[("rax", 0x4d)], 0x5d)[2],
        "rax is 0x4d, a small number, not a pointer"
    );
    assert_eq!(
        page_fault(&LOAD, &[("rax", -14i64 as u64)], 2)[2],
        "rax is 0xfffffffffffffff2, -14, as an error pointer -EFAULT"
    );
    assert_eq!(
        page_fault(
            &LOAD,
            &[("rax", 0xffff_8880_0000_0000)],
            0xffff_8880_0000_0010
        )[2],
        "0xffff888000000010 is in the kernel half"
    );
    assert_eq!(
        page_fault(&LOAD, &[("rax", 0x7f00_0000_1000)], 0x7f00_0000_1010)[2],
        "0x7f0000001010 is a user-space address"
    );
    assert_eq!(
        words(
            &LOAD,
            &[("rax", 0xdead_0000_0000_0100)],
            Trap::GeneralProtection,
            None
        ),
        [
            "mov reads 8 bytes at 0x10(%rax), which is 0xdead000000000110",
            "rax is 0xdead000000000100, LIST_POISON1: its list entry was deleted"
        ]
    );
    // movabs 0xdead4ead00000100,%eax
    assert_eq!(
        words(
            &[0xa1, 0, 1, 0, 0, 0xad, 0x4e, 0xad, 0xde],
            &[],
            Trap::GeneralProtection,
            None
        )[1],
        "0xdead4ead00000100 is a constant in the instruction, SPINLOCK_MAGIC (0xdead4ead) in its upper half, as a debugged spin lock has"
    );
    // An index of 0 explains nothing: mov (%rax,%rcx,8),%rcx
    assert_eq!(
        page_fault(
            &[0x48, 0x8b, 0x0c, 0xc8],
            &[("rax", 0xffff_c900_0000_0000), ("rcx", 0)],
            0xffff_c900_0000_0000
        )[2],
        "0xffffc90000000000 is in the kernel half"
    );
}

#[test]
fn cr2_is_compared_with_the_operand() {
    assert_eq!(
        page_fault(
            &LOAD,
            &[("rax", 0xffff_8880_0000_0fec)],
            0xffff_8880_0000_1000
        )[1],
        "CR2 is 0xffff888000001000, 0x4 bytes further on: the access reaches the page that begins there"
    );
    assert_eq!(
        page_fault(&LOAD, &[("rax", 0x5000)], 0x123),
        [
            "mov reads 8 bytes at 0x10(%rax), which is 0x5010",
            "CR2 is 0x123, but the operand is at 0x5010: the registers were changed since, or this is not the instruction that faulted"
        ]
    );
    assert_eq!(
        page_fault(&LOAD, &[], 0x123),
        ["mov reads 8 bytes at 0x10(%rax), of which the log does not give the address"]
    );
    // rep stos %rax,(%rdi)
    assert_eq!(
        page_fault(
            &[0xf3, 0x48, 0xab],
            &[("rdi", 0xffff_8880_0000_0000), ("rcx", 0x1000)],
            0xffff_8880_0000_2040
        )[..2],
        [
            "rep stos writes 8 bytes at (%rdi), which is 0xffff888000000000, 0x1000 times (rcx)",
            "CR2 is 0xffff888000002040, 0x2040 bytes further on, within what is accessed"
        ]
    );
}

#[test]
fn of_several_operands_that_with_cr2_counts() {
    // movsb: the source is fine, the destination is not.
    let regs = registers(&[("rsi", 0xffff_8880_0000_0000), ("rdi", 0), ("rcx", 8)]);
    let found = fault(&[0xf3, 0xa4], 0, &context(&regs, Trap::PageFault, Some(0))).expect("words");
    let operand = found.operand.expect("an operand");
    assert_eq!(
        (operand.text.as_str(), operand.access),
        ("(%rdi)", Access::Write)
    );
    assert_eq!(found.others[0].text, "(%rsi)");
    assert_eq!(found.cr2, Some(Agreement::Equal));
    // call *0x18(%rax), where the stack is bad
    let regs = registers(&[
        ("rax", 0xffff_8880_0000_0000),
        ("rsp", 0xffff_c900_0000_0000),
    ]);
    let context = context(&regs, Trap::PageFault, Some(0xffff_c8ff_ffff_fff8));
    let found = fault(&[0xff, 0x50, 0x18], 0, &context).expect("words");
    assert_eq!(found.operand.expect("an operand").text, "-0x8(%rsp)");
}

#[test]
fn jumps_to_where_no_code_is() {
    let regs = Regs::default();
    let at = |rip: u64, code: &[u8], cr2: u64| {
        let context = context(&regs, Trap::PageFault, Some(cr2));
        fault(code, rip, &context)
            .map(|f| f.words)
            .unwrap_or_default()
    };
    assert_eq!(
        at(0, &[], 0),
        ["called or jumped through a NULL pointer: RIP is 0"]
    );
    assert_eq!(
        at(0x10, &[], 0x10),
        ["called, jumped or returned to 0x10, a small number, not a pointer"]
    );
    assert_eq!(
        at(0x40_1000, &[0x90], 0x40_1000),
        ["the kernel called, jumped or returned to 0x401000, a user-space address"]
    );
    assert_eq!(
        at(0xffff_8880_0000_0000, &[0x90], 0xffff_8880_0000_0000),
        ["the page of RIP, 0xffff888000000000, is not there or cannot be executed"]
    );
    assert_eq!(
        at(0xffff_ffff_c000_0ffe, &LOAD, 0xffff_ffff_c000_1000),
        [
            "the instruction at RIP goes on in the page at 0xffffffffc0001000, which cannot be executed"
        ]
    );
    let poison = fault(
        &[],
        0x6b6b_6b6b_6b6b_6b6b,
        &context(&regs, Trap::GeneralProtection, None),
    );
    assert_eq!(
        poison.expect("words").words,
        [
            "called, jumped or returned to 0x6b6b6b6b6b6b6b6b, the byte 0x6b repeated, POISON_FREE: read from a freed slab object"
        ]
    );
}

#[test]
fn divisions() {
    let de = Trap::DivideError;
    // div %ecx
    let div = [0xf7, 0xf1];
    assert_eq!(
        words(
            &div,
            &[("rcx", 0xf_0000_0000), ("rax", 1), ("rdx", 0)],
            de,
            None
        ),
        ["div divides by ecx, which is 0"]
    );
    assert_eq!(
        words(&div, &[("rcx", 2), ("rax", 1), ("rdx", 2)], de, None),
        ["div by ecx (0x2): the quotient does not fit 32 bits"]
    );
    assert_eq!(
        words(&div, &[("rcx", 2), ("rax", 1), ("rdx", 0)], de, None),
        [
            "div by ecx (0x2) would not fault: the registers were changed since, or this is not the instruction that faulted"
        ]
    );
    // idiv %rcx: the smallest number by -1
    assert_eq!(
        words(
            &[0x48, 0xf7, 0xf9],
            &[("rcx", u64::MAX), ("rax", 1 << 63), ("rdx", u64::MAX)],
            de,
            None
        ),
        ["idiv by rcx (0xffffffffffffffff): the quotient does not fit 64 bits"]
    );
    // div %ah
    assert_eq!(
        words(&[0xf6, 0xf4], &[("rax", 0x00ff)], de, None),
        ["div divides by bits 8-15 of rax, which is 0"]
    );
    // divl (%rax)
    assert_eq!(
        words(&[0xf7, 0x30], &[("rax", 0xffff_8880_0000_0000)], de, None)[1],
        "divl: the divisor, in memory, is 0, or the quotient does not fit 32 bits"
    );
}

#[test]
fn instructions_that_fault_by_what_they_are() {
    let gp = Trap::GeneralProtection;
    let said = |code: &[u8], trap| {
        words(
            code,
            &[("rcx", 0xc000_0101), ("rax", 1), ("rdx", 2)],
            trap,
            None,
        )
    };
    assert_eq!(
        said(&[0x0f, 0x0b], Trap::InvalidOpcode),
        ["ud2: a BUG() or WARN(), or a place that the compiler took for unreachable"]
    );
    assert_eq!(
        said(&[0x67, 0x48, 0x0f, 0xb9, 0x3a], Trap::InvalidOpcode),
        ["ud1: a WARN(), or a check that the compiler put in"]
    );
    assert_eq!(
        said(&[0xcc], Trap::Unknown),
        ["int3: a breakpoint, or filling between functions"]
    );
    assert_eq!(said(&[0xf4], Trap::Unknown), ["hlt waits for an interrupt"]);
    assert_eq!(
        said(&[0x0f, 0x30], gp),
        [
            "wrmsr writes 0x200000001 to MSR 0xc0000101 (base of GS): this CPU does not have it, or refuses the value"
        ]
    );
    assert_eq!(
        said(&[0x0f, 0x32], Trap::Unknown),
        ["rdmsr reads MSR 0xc0000101 (base of GS)"]
    );
    assert_eq!(
        words(&[0x0f, 0x32], &[("rcx", 0x1234)], gp, None),
        ["rdmsr reads MSR 0x1234, which this CPU does not have"]
    );
    // movaps %xmm0,(%rdi)
    assert_eq!(
        words(
            &[0x0f, 0x29, 0x07],
            &[("rdi", 0xffff_8880_0000_0008)],
            gp,
            None
        )[2],
        "its address must be a multiple of 16, and is not"
    );
    // jmp *%rax
    assert_eq!(
        words(
            &[0xff, 0xe0],
            &[("rax", u64::from_le_bytes(*b"/dev/sda"))],
            gp,
            None
        ),
        [
            "jmp goes to where rax points, and rax is 0x6164732f7665642f, text: its bytes are \"/dev/sda\""
        ]
    );
    assert_eq!(
        words(&[0x48, 0x8d, 0x07], &[("rdi", 0)], gp, None),
        ["lea uses the address (%rdi) and accesses nothing"]
    );
    assert_eq!(
        words(&[0x0f, 0x01, 0xd0], &[], Trap::InvalidOpcode, None),
        ["xgetbv is refused: this CPU does not have it, or it is not enabled"]
    );
}

#[test]
fn no_room_on_the_stack() {
    let values = [
        ("rdi", 0xffff_ce50_0044_ffb8),
        ("rsp", 0xffff_ce50_0044_ffb8),
        ("rcx", 0x20),
    ];
    let cr2 = Some(0xffff_ce50_0044_ffa8);
    assert_eq!(
        words(&[0xf3, 0x48, 0xab], &values, Trap::DoubleFault, cr2)[1],
        "CR2 is 0xffffce500044ffa8, where the CPU would push the frame of an exception (rsp is 0xffffce500044ffb8): the stack has no room left"
    );
}

#[test]
fn what_stands_before_rip() {
    let regs = Regs::default();
    let said = |code: &[u8], trap, user_mode| {
        let context = Context {
            user_mode,
            ..context(&regs, trap, None)
        };
        before(code, &context).unwrap_or_default()
    };
    assert_eq!(
        said(&[0xcc], Trap::Breakpoint, false),
        "RIP is behind an int3"
    );
    assert_eq!(said(&[0xcc], Trap::PageFault, false), "");
    assert_eq!(
        said(&[0xfb, 0xf4], Trap::Unknown, false),
        "RIP is behind sti; hlt: the CPU was idle, waiting for an interrupt"
    );
    assert_eq!(
        said(&[0x0f, 0x05], Trap::Unknown, true),
        "RIP is behind a syscall"
    );
}

/// Every fault of the real logs: the operand that is computed is where CR2 says, or the stack had no room.
#[test]
fn operands_of_real_faults_are_where_cr2_says() {
    let table = include_str!("../../../../../testdata/oops/operands.tsv");
    let hex = |s: &str| u64::from_str_radix(s, 16).expect("hex");
    let (mut page_faults, mut double_faults) = (0, 0);
    for row in table.lines() {
        let cells: Vec<&str> = row.split('\t').collect();
        let [log, trap, code, values, gs, cr2] = cells[..] else {
            panic!("{row}")
        };
        let code: Vec<u8> = (0..code.len() / 2)
            .map(|n| hex(&code[2 * n..2 * n + 2]) as u8)
            .collect();
        let mut regs = Regs::default();
        for value in values.split(' ') {
            let (name, value) = value.split_once('=').expect("a register");
            regs.set(Reg::from_name(name).expect("a register"), hex(value));
        }
        let trap = match trap {
            "#PF" => Trap::PageFault,
            _ => Trap::DoubleFault,
        };
        let context = Context {
            gs_base: Some(hex(gs)),
            ..context(&regs, trap, Some(hex(cr2)))
        };
        let found = fault(&code, 0xffff_ffff_8100_0000, &context).expect("words");
        if trap == Trap::PageFault {
            assert_eq!(
                found.operand.and_then(|o| o.address),
                Some(hex(cr2)),
                "{log}: {:?}",
                found.words
            );
            assert_eq!(found.cr2, Some(Agreement::Equal));
            page_faults += 1;
        } else {
            assert!(
                found.words[1].ends_with("the stack has no room left"),
                "{log}"
            );
            double_faults += 1;
        }
    }
    assert!(
        page_faults >= 30 && double_faults >= 1,
        "{page_faults} {double_faults}"
    );
}

proptest! {
    #[test]
    fn anything_may_be_asked(
        code in prop::collection::vec(any::<u8>(), 0..20),
        rip: u64,
        values in prop::collection::vec(prop::option::of(any::<u64>()), 16),
        bases: (Option<u64>, Option<u64>, Option<u64>),
        trap in 0usize..9,
        user_mode: bool,
        la57: bool,
    ) {
        let mut regs = Regs::default();
        for (reg, value) in Reg::all().zip(values) {
            if let Some(value) = value {
                regs.set(reg, value);
            }
        }
        let traps = [
            Trap::PageFault, Trap::GeneralProtection, Trap::DoubleFault, Trap::StackSegment,
            Trap::DivideError, Trap::InvalidOpcode, Trap::Breakpoint, Trap::Other, Trap::Unknown,
        ];
        let context = Context {
            regs: &regs,
            gs_base: bases.0,
            fs_base: bases.1,
            cr2: bases.2,
            trap: traps[trap],
            user_mode,
            la57,
        };
        if let Some(found) = fault(&code, rip, &context) {
            prop_assert!(found.operand.is_some() || !found.words.is_empty());
        }
        before(&code, &context);
    }
}
