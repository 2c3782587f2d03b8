//! The stack of a CPU, out of bytes of one's own.
use fixtrace::{Addr, Regs, Result, Session, Unreadable, from_fn};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";
const BYTES: &[u8] = include_bytes!("stack.bin");

pub fn main() -> Result<()> {
    let session = Session::builder().vmlinux(VMLINUX).open()?;
    let memory = from_fn(|at: Addr, buf: &mut [u8]| {
        let from = at.0.wrapping_sub(0xffff_c900_0016_7e40) as usize;
        let bytes = BYTES.get(from..).and_then(|b| b.get(..buf.len()));
        buf.copy_from_slice(bytes.ok_or(Unreadable::NotMapped)?);
        Ok(())
    });
    let regs = Regs::at(0xffff_ffff_81c0_1c8f, 0xffff_c900_0016_7e78);
    println!("{}", session.unwind(&regs, &memory));
    Ok(())
}
