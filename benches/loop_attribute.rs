//! Nanoseconds that an address takes, asked for one by one: see `embed.py`.

use std::time::{Duration, Instant};

use fixtrace::{Addr, Pc, Session};

fn main() -> fixtrace::Result<()> {
    let mut args = std::env::args().skip(1);
    let vmlinux = args.next().expect("an image");
    let count: u64 = args.next().and_then(|n| n.parse().ok()).expect("a number");
    let mut options = Session::builder().vmlinux(vmlinux);
    options.lines = false;
    let session = options.open()?;
    let (begin, end) = (0xffff_ffff_8100_0000, 0xffff_ffff_81c0_2000);
    let ask = || {
        let start = Instant::now();
        for n in 0..count {
            let pc = Pc::Exact(Addr(begin + (end - begin) * n / count));
            std::hint::black_box(session.attribute(pc));
        }
        start.elapsed()
    };
    ask();
    let least = (0..5).map(|_| ask()).min().unwrap_or(Duration::ZERO);
    println!("{}", least.as_nanos() / u128::from(count));
    Ok(())
}
