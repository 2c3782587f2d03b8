use super::*;
use proptest::prelude::*;

/// The operands of an instruction at 0x1000: text, access, size.
fn operands(code: &[u8]) -> Vec<(String, Access, u32)> {
    let effect = effect(code, 0x1000).expect("an instruction");
    let shown = |m: &Memory| (m.text(), m.access, m.size);
    effect.memory.iter().map(shown).collect()
}

fn one(text: &str, access: Access, size: u32) -> Vec<(String, Access, u32)> {
    vec![(text.to_owned(), access, size)]
}

fn two(first: (&str, Access, u32), second: (&str, Access, u32)) -> Vec<(String, Access, u32)> {
    let owned = |(t, a, s): (&str, Access, u32)| (t.to_owned(), a, s);
    vec![owned(first), owned(second)]
}

#[test]
fn explicit_operands_are_read_or_written() {
    use Access::*;
    assert_eq!(
        operands(&[0x48, 0x8b, 0x44, 0xc8, 0x10]),
        one("0x10(%rax,%rcx,8)", Read, 8)
    );
    assert_eq!(operands(&[0x88, 0x07]), one("(%rdi)", Write, 1));
    assert_eq!(
        operands(&[0x66, 0x89, 0x43, 0xf8]),
        one("-0x8(%rbx)", Write, 2)
    );
    assert_eq!(operands(&[0xff, 0x00]), one("(%rax)", ReadWrite, 4));
    assert_eq!(
        operands(&[0xf0, 0x0f, 0xb1, 0x17]),
        one("(%rdi)", ReadWrite, 4)
    );
    assert_eq!(
        operands(&[0x8b, 0x05, 0, 1, 0, 0]),
        one("0x100(%rip)", Read, 4)
    );
    assert_eq!(
        operands(&[0x65, 0x48, 0x8b, 4, 0x25, 0x28, 0, 0, 0]),
        one("%gs:0x28", Read, 8)
    );
    assert_eq!(operands(&[0x67, 0x8b, 0x00]), one("(%eax)", Read, 4));
}

#[test]
fn implicit_operands_count() {
    use Access::*;
    assert_eq!(operands(&[0x50]), one("-0x8(%rsp)", Write, 8));
    assert_eq!(operands(&[0x58]), one("(%rsp)", Read, 8));
    assert_eq!(operands(&[0xc3]), one("(%rsp)", Target, 8));
    assert_eq!(operands(&[0xc9]), one("(%rbp)", Read, 8));
    assert_eq!(operands(&[0xe8, 0, 0, 0, 0]), one("-0x8(%rsp)", Write, 8));
    assert_eq!(operands(&[0xf3, 0x48, 0xab]), one("(%rdi)", Write, 8));
    assert_eq!(
        operands(&[0xf3, 0xa4]),
        two(("(%rsi)", Read, 1), ("(%rdi)", Write, 1))
    );
    assert_eq!(
        operands(&[0xa6]),
        two(("(%rsi)", Read, 1), ("(%rdi)", Read, 1))
    );
    assert_eq!(operands(&[0xac]), one("(%rsi)", Read, 1));
    assert_eq!(operands(&[0xae]), one("(%rdi)", Read, 1));
    assert_eq!(
        operands(&[0xff, 0x13]),
        two(("(%rbx)", Target, 8), ("-0x8(%rsp)", Write, 8))
    );
    assert_eq!(
        operands(&[0xff, 0x33]),
        two(("(%rbx)", Read, 8), ("-0x8(%rsp)", Write, 8))
    );
    assert_eq!(
        operands(&[0x8f, 0x03]),
        two(("(%rsp)", Read, 8), ("(%rbx)", Write, 8))
    );
    assert_eq!(operands(&[0xff, 0x23]), one("(%rbx)", Target, 8));
}

#[test]
fn some_instructions_only_look_like_accesses() {
    use Access::*;
    assert_eq!(
        operands(&[0x48, 0x8d, 0x47, 8]),
        one("0x8(%rdi)", Address, 0)
    );
    assert_eq!(operands(&[0x0f, 0x18, 0x0f]), one("(%rdi)", Address, 0));
    assert_eq!(operands(&[0x0f, 0x01, 0x3f]), one("(%rdi)", Address, 0));
    assert_eq!(operands(&[0x0f, 0x1f, 0x40, 0]), []);
    assert_eq!(operands(&[0x0f, 0x0b]), []);
}

#[test]
fn a_bit_far_away_is_where_it_is() {
    // bts %rax,(%rdi)
    let bts = effect(&[0x48, 0x0f, 0xab, 0x07], 0).expect("an instruction");
    let mut regs = Regs::default();
    regs.set(Reg::DI, 0x1000);
    regs.set(Reg::AX, 130);
    assert_eq!(bts.memory[0].address(&regs, None, None), Some(0x1010));
    regs.set(Reg::AX, u64::MAX);
    assert_eq!(bts.memory[0].address(&regs, None, None), Some(0xff8));
}

#[test]
fn addresses_need_all_their_parts() {
    let gs = effect(&[0x65, 0x8b, 0x03], 0)
        .expect("an instruction")
        .memory[0];
    let mut regs = Regs::default();
    assert_eq!(gs.address(&regs, None, Some(8)), None);
    regs.set(Reg::BX, 0x10);
    assert_eq!(gs.address(&regs, None, None), None);
    assert_eq!(gs.address(&regs, None, Some(8)), Some(0x18));
    let narrow = effect(&[0x67, 0x8b, 0x43, 0xf0], 0)
        .expect("an instruction")
        .memory[0];
    regs.set(Reg::BX, 0);
    assert_eq!(narrow.address(&regs, None, None), Some(0xffff_fff0));
    let rip = effect(&[0x8b, 0x05, 0, 1, 0, 0], 0x1000)
        .expect("an instruction")
        .memory[0];
    assert_eq!(rip.address(&regs, None, None), Some(0x1106));
}

proptest! {
    #[test]
    fn arbitrary_bytes_have_effects_or_not(
        code in prop::collection::vec(any::<u8>(), 0..20),
        at: u64,
        values in prop::collection::vec(any::<u64>(), 16),
    ) {
        let mut regs = Regs::default();
        Reg::all().zip(values).for_each(|(r, v)| regs.set(r, v));
        if let Some(effect) = effect(&code, at) {
            prop_assert!(effect.len >= 1 && effect.len <= code.len());
            for memory in effect.memory {
                prop_assert!(memory.address(&regs, Some(at), Some(at)).is_some());
                prop_assert!(!memory.text().is_empty());
            }
        }
    }
}
