//! All that can be asked of an image or a dump, and what must be true of the answers whatever the input.

use std::collections::HashSet;
use std::path::Path;

use fixtrace::low::base::addr::{Addr, Address, LinkAddr, Pc};
use fixtrace::low::base::error::{Error, Finding};
use fixtrace::low::engine::attribute::{Attribution, Certainty, attribute, attribute_called};
use fixtrace::low::formats::image::sites::{Between, Site};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::lines::Inline;
use fixtrace::low::formats::orc::OrcTable;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Located;
use fixtrace::low::world::memory::{Dump, Memory, Paged};

/// Places asked of, at most.
const PLACES: usize = 64;

/// What a name is shown as that is no text; nothing is found by it.
pub const INVALID: &str = "<invalid name>";

/// What images are called here.
pub const NAME: &str = "vmlinux";

/// An error names the file, and says something else, too.
pub fn told(e: &Error, name: &str) {
    let text = e.to_string();
    let rest = text.strip_prefix(name).expect("the file is named");
    assert!(rest.len() > 3, "{text}");
}

/// Findings say something, and are not more than the input has reason for.
pub fn sensible(findings: &[Finding], input: usize) {
    assert!(findings.iter().all(|f| !f.message.is_empty()));
    assert!(
        findings.len() <= 64 + 2 * input,
        "{} findings in {input} bytes",
        findings.len()
    );
}

/// Parses `bytes`; what is refused is refused in words.
pub fn parsed<'d>(bytes: &'d [u8], storage: &'d Storage) -> Option<ElfImage<'d>> {
    let image = ElfImage::parse(bytes, Path::new(NAME), storage);
    image.inspect_err(|e| told(e, NAME)).ok()
}

/// Places of `image` where something begins, ends or is told: bounded, spread, each once.
pub fn places(image: &Image<'_>) -> Vec<LinkAddr> {
    let mut all = vec![LinkAddr(0), LinkAddr(u64::MAX)];
    for e in spread(image.extable().entries(), 12) {
        all.extend([e.insn, e.fixup, e.fixup.offset(1), e.insn.offset(-1)]);
    }
    for s in image.text_sections().take(6) {
        let at = s.addr.unwrap_or_default();
        let size = s.size.cast_signed();
        all.extend([
            at,
            at.offset(size / 2),
            at.offset(size.wrapping_sub(1)),
            at.offset(size),
        ]);
        all.extend((0..8).map(|n| at.offset(size / 8 * n + n)));
    }
    let symbols: Vec<_> = image.symbols().iter().take(2000).collect();
    for (_, s) in spread(&symbols, 8) {
        all.extend([s.addr, s.addr.offset(s.size.unwrap_or(1).cast_signed())]);
    }
    let mut seen = HashSet::new();
    all.retain(|at| seen.insert(*at));
    all.truncate(PLACES);
    all
}

/// About `most` of `all`, from all over it.
pub fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    all.iter().step_by((all.len() / most).max(1)).take(most + 1)
}

/// What an attribution must be.
pub fn consistent(a: &Attribution<'_>) {
    match a.certainty {
        Certainty::Exact => {
            assert_eq!(a.candidates.len(), 1);
            assert_eq!(a.function.as_ref(), a.candidates.first());
        }
        _ => assert!(a.function.is_none()),
    }
    assert!(a.candidates.is_sorted_by_key(|f| f.addr));
    if let Some(fixup) = &a.fixup {
        assert!(fixup.origins.iter().all(|o| !o.handler.is_empty()));
    }
}

/// Rows are in order, and each is found by its address: the last of an address, as the kernel has it.
pub fn orc(orc: &OrcTable<'_>) {
    let rows: Vec<_> = orc.iter().collect();
    assert_eq!(rows.len(), orc.len());
    assert!(rows.is_sorted_by_key(|(at, _)| *at));
    let numbers: Vec<usize> = (0..rows.len()).collect();
    for n in spread(&numbers, 24) {
        let (at, _) = rows[*n];
        for asked in [at, at.offset(1), at.offset(-1)] {
            let wanted = rows.partition_point(|(start, _)| *start <= asked);
            // The last address has no next.
            let within = asked.0.wrapping_sub(at.0) <= 1 || asked < at;
            let found = orc.find(asked);
            if within && asked.0 != u64::MAX {
                assert_eq!(
                    found.map(|(row, _)| row),
                    wanted.checked_sub(1),
                    "{asked} of {} rows",
                    rows.len()
                );
            }
        }
        assert_eq!(orc.row(*n), Some(rows[*n]));
    }
}

/// The chain of calls at `at`, in words of its own.
pub fn chain(image: &Image<'_>, at: LinkAddr) -> Vec<String> {
    let lines = image.lines().ok().flatten();
    let chain = lines.into_iter().flat_map(|lines| lines.at(at));
    chain.map(|call: Inline<'_>| format!("{call:?}")).collect()
}

/// Asks everything of `image`, which has `len` bytes.
pub fn image(image: &Image<'_>, len: usize) {
    let findings = [
        image.findings(),
        image.extable().findings(),
        image.fixups().findings(),
    ];
    findings.iter().for_each(|all| sensible(all, len));
    match image.orc() {
        Ok(Some(table)) => orc(table),
        Ok(None) => {}
        Err(e) => told(&e, NAME),
    }
    let entries = image.extable().entries();
    assert!(entries.len() <= len / 8 && entries.is_sorted_by_key(|e| e.insn));
    let counts = image.fixups().counts(entries);
    assert_eq!(counts.entries, entries.len());
    assert_eq!(image.fixups().rows().len(), entries.len());
    let walked: usize = image.fixups().blocks().iter().map(|b| b.code.len()).sum();
    assert!(walked <= 2 << 20, "{walked} instructions of fixup code");
    let places = places(image);
    for (n, at) in places.iter().enumerate() {
        let a = attribute(image, Pc::Exact(*at));
        consistent(&a);
        if n % 8 == 0 {
            assert_eq!(a, attribute(image, Pc::Exact(*at)), "the same again");
        }
        consistent(&attribute(image, Pc::Return(*at)));
        let ret = Located::linked(image, places[(n * 7 + 3) % places.len()]);
        consistent(&attribute_called(image, Pc::Return(*at), ret, &[image]));
        patched(image, *at);
        if let Some(id) = image.symbols().nearest(*at) {
            assert!(image.symbols().get(id).addr <= *at);
        }
        if let Some(id) = image.symbols().function(*at) {
            let (start, end) = image.symbols().range(id);
            assert!(start <= *at && *at < end, "{start} {at} {end}");
        }
    }
    for e in spread(entries, 12) {
        let handler = image.extable().handler(image, e);
        assert!(handler.effect(image.bits()).is_none_or(|e| !e.is_empty()));
        let _ = handler.name();
    }
    let symbols = image.symbols();
    assert!(symbols.len() <= len / 16 + 1);
    let mut before = LinkAddr(0);
    for (n, (id, symbol)) in symbols.iter().enumerate() {
        assert!(symbol.addr >= before, "by address");
        before = symbol.addr;
        if n < 32 {
            let _ = symbols.cold_parent(id);
            let named = symbols.named(symbol.name).any(|named| named == id);
            assert!(named || symbol.name == INVALID, "{:?}", symbol.name);
            let _ = image.called(symbol.name).len();
        }
    }
    let _ = (
        image.release(),
        image.build_id(),
        image.debuglink(),
        image.data_symbol("orc_fp_entry"),
        image.modinfo("vermagic"),
        image.setting("CONFIG_UNWINDER_ORC"),
    );
}

/// Asks which tables of patched places list `at`.
fn patched(image: &Image<'_>, at: LinkAddr) {
    let behind = at.offset(64);
    for site in [
        Site::Retpoline,
        Site::Return,
        Site::Call,
        Site::Endbr,
        Site::Cfi,
        Site::Lock,
        Site::Mcount,
        Site::StaticCall,
    ] {
        let listed = image.listed_in(site, at, behind);
        let inside = |all: &[LinkAddr]| all.is_sorted() && all.iter().all(|l| *l >= at);
        assert!(behind < at || listed.is_none_or(inside));
        if let (Some(all), Some(one)) = (listed, image.lists(site, at)) {
            assert!(behind < at || all.contains(&at) == one);
        }
    }
    let _ = (image.jump_label(at), image.paravirtual(at));
    let _ = image.runtime_constant(at, behind);
    let _ = image.jump_labels_in(at, behind).map(|all| all.len());
    let _ = image.static_calls_in(at, behind).map(|all| all.len());
    let _ = image.between(Between::Mcount);
    for a in image.alternatives().covering(at) {
        let _ = format!("{a:?}");
    }
    assert!(image.code(at).len() <= 1 << 30 && image.bytes(at).len() <= 1 << 30);
}

/// Asks everything of a dump of `len` bytes.
pub fn dump(dump: &Dump<'_>, len: usize) {
    sensible(dump.findings(), len);
    let mut end = 0;
    let mut held = 0u64;
    for (n, (start, size)) in dump.ranges().enumerate() {
        assert!(n <= 8 * len, "{n} ranges of {len} bytes");
        assert!(size > 0 && start >= end, "{start:#x} after {end:#x}");
        end = start.saturating_add(size);
        held = held.saturating_add(size);
        if n < 16 {
            halves(dump, start, size);
        }
    }
    assert!(
        held <= (len as u64).saturating_mul(8 * 4096),
        "{held:#x} held"
    );
    for at in (0..16).map(|n| n * 0xff8).chain([0x10_0000, u64::MAX - 5]) {
        halves(dump, at, 5000);
    }
    let cpus = dump.prstatus().count() + dump.cpu_states().count();
    assert!(cpus <= len);
    let paged = Paged::new(dump, 0x1000, 4, 0);
    let _ = paged.u64(Addr(0xffff_ffff_8100_0ffc));
    let kernel = (Addr(0xffff_ffff_8000_0000), Addr(0xffff_ffff_c000_0000));
    let mut last = kernel.0;
    for mapped in paged.mapped(kernel.0, kernel.1).take(50) {
        assert!(mapped.at >= last || mapped.at < kernel.0);
        last = mapped.at;
        assert!(mapped.size.is_power_of_two());
    }
    let five = Paged::new(dump, 0x2000, 5, 0);
    let _ = five.u64(Addr(0xff11_0000_0010_0000));
    let _ = dump.by_headers().u32(Addr(0xffff_8880_0000_0000));
    if held < 1 << 20 {
        let _ = dump.find_vmcoreinfo();
        assert!(dump.find_banner(None).len() <= 64);
    }
    let _ = (
        dump.release(),
        dump.phys_base(),
        dump.dump_level(),
        dump.kind(),
    );
    let missed: usize = dump.missed().counts().iter().map(|(_, n)| n).sum();
    assert!(missed <= 1 << 20);
}

/// Bytes read at once are those read in two pieces.
fn halves(dump: &Dump<'_>, at: u64, len: u64) {
    let len = len.min(5000) as usize;
    let mut whole = vec![0; len];
    let read = dump.read_physical(at, &mut whole);
    let (mut one, mut two) = (vec![0; len / 2], vec![0; len - len / 2]);
    let first = dump.read_physical(at, &mut one);
    let second = dump.read_physical(at.wrapping_add(one.len() as u64), &mut two);
    if read.is_ok() {
        assert_eq!((first, second), (Ok(()), Ok(())), "{at:#x}");
        assert!(whole == [one, two].concat(), "{at:#x}");
    }
}
