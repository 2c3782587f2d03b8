//! Comparing an image with its index.

pub use super::random::Random;
use fixtrace::low::base::addr::{Address, LinkAddr, Pc};
use fixtrace::low::engine::attribute::{Attribution, attribute, attribute_called};
use fixtrace::low::engine::remark::{Remark, Undecided};
use fixtrace::low::formats::image::symtab::SymbolId;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Located;

/// CRC-32 as zlib has it, bit by bit: not the code under test.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| {
            (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg())
        })
    })
}

/// Makes the checksums of a changed index right again: those of its sections, then the header's.
pub fn repair(index: &mut [u8]) {
    let number = |b: &[u8], at: usize| {
        b.get(at..at + 8)
            .map_or(0, |w| u64::from_le_bytes(w.try_into().unwrap()) as usize)
    };
    let count = (number(index, 12) & 0xffff_ffff).min(64);
    for row in 0..count {
        let at = 80 + row * 24;
        if index.len() < at + 24 {
            return;
        }
        let (offset, len) = (number(index, at + 8), number(index, at + 16));
        if let Some(section) = index.get(offset..offset.saturating_add(len)) {
            let sum = crc32(section);
            index[at + 4..at + 8].copy_from_slice(&sum.to_le_bytes());
        }
    }
    let head = [&index[..76], &index[80..80 + count * 24]].concat();
    index[76..80].copy_from_slice(&crc32(&head).to_le_bytes());
}

/// Every text address of `image`, and some around it.
pub fn text(image: &Image<'_>) -> Vec<LinkAddr> {
    let sections = image
        .text_sections()
        .filter_map(|s| Some((s.addr?, s.size)));
    sections
        .flat_map(|(at, size)| (-2..size.min(1 << 16) as i64 + 2).map(move |o| at.offset(o)))
        .collect()
}

/// What both say of `pc`.
pub fn both<'d>(
    image: &Image<'d>,
    index: &Image<'d>,
    pc: Pc<LinkAddr>,
) -> (Attribution<'d>, Attribution<'d>) {
    (attribute(image, pc), attribute(index, pc))
}

/// What `image` says of `pc`, called from before `ret`.
pub fn called<'d>(image: &Image<'d>, pc: Pc<LinkAddr>, ret: LinkAddr) -> Attribution<'static> {
    across(image, pc, image, ret)
}

/// The same, called from another image.
pub fn across<'d>(
    image: &Image<'d>,
    pc: Pc<LinkAddr>,
    caller: &Image<'d>,
    ret: LinkAddr,
) -> Attribution<'static> {
    attribute_called(image, pc, Located::linked(caller, ret), &[image]).into_owned()
}

/// What both say of `pc`, called from before `ret` of another image.
pub fn both_across<'d>(
    (image, index): (&Image<'d>, &Image<'d>),
    pc: Pc<LinkAddr>,
    (caller, caller_index): (&Image<'d>, &Image<'d>),
    ret: LinkAddr,
) -> (Attribution<'static>, Attribution<'static>) {
    (
        across(image, pc, caller, ret),
        across(index, pc, caller_index, ret),
    )
}

/// Asserts that both say the same of `at`, as an exact and as a return PC.
pub fn same_answer<'d>(image: &Image<'d>, index: &Image<'d>, at: LinkAddr) {
    for pc in [Pc::Exact(at), Pc::Return(at)] {
        let (a, b) = both(image, index, pc);
        assert_eq!(a, b, "{}: {pc:?}", image.path().display());
    }
}

/// Asserts that both say the same of `pc` called from before `ret`, or that the index says why it cannot.
/// Tells whether it could.
pub fn same_with_caller<'d>(
    image: &Image<'d>,
    index: &Image<'d>,
    pc: Pc<LinkAddr>,
    ret: LinkAddr,
) -> bool {
    let (a, mut b) = (called(image, pc, ret), called(index, pc, ret));
    let not_held = |r: &Remark<'_>| matches!(r, Remark::CallUndecided(Undecided::NotHeld(_)));
    let missing = b.remarks.iter().position(not_held);
    match missing {
        None => assert_eq!(a, b, "{pc:?} from {ret}"),
        Some(remark) => {
            b.remarks.remove(remark);
            assert_eq!(attribute(index, pc), b, "{pc:?} from {ret}");
            // Nothing is lost but the witness that would have said nothing or that the two disagree.
            assert_eq!(a.candidates, b.candidates, "{pc:?} from {ret}");
        }
    }
    missing.is_none()
}

/// Asserts that the symbols of both are the same, and found the same.
pub fn same_symbols<'d>(image: &Image<'d>, index: &Image<'d>) {
    let (a, b) = (image.symbols(), index.symbols());
    assert_eq!(a.source(), b.source());
    assert_eq!(a.len(), b.len());
    let plain = |t: &Image<'d>, id: SymbolId| {
        let s = t.symbols().get(id);
        let at = (s.addr, s.size, s.extent, s.global, s.function);
        (s.name, at, t.symbols().range(id))
    };
    for ((i, _), (j, _)) in a.iter().zip(b.iter()) {
        assert_eq!(i, j);
        assert_eq!(plain(image, i), plain(index, i));
        assert_eq!(a.cold_parent(i), b.cold_parent(i), "{}", a.name(i));
        let named: Vec<_> = a.named(a.name(i)).collect();
        assert_eq!(
            named,
            b.named(a.name(i)).collect::<Vec<_>>(),
            "{}",
            a.name(i)
        );
    }
    assert_eq!(b.named("no such symbol").count(), 0);
}

/// Asserts that all rows of all tables are the same.
pub fn same_tables<'d>(image: &Image<'d>, index: &Image<'d>) {
    assert_eq!(image.name(), index.name());
    assert_eq!(image.kind(), index.kind());
    assert_eq!(image.bits(), index.bits());
    assert_eq!(image.build_id(), index.build_id());
    assert_eq!(image.release(), index.release());
    assert_eq!(image.debuglink(), index.debuglink());
    assert_eq!(image.modinfo("vermagic"), index.modinfo("vermagic"));
    match (image.orc(), index.orc()) {
        (Ok(Some(a)), Ok(Some(b))) => {
            assert_eq!((a.version(), a.rung()), (b.version(), b.rung()));
            assert!(a.iter().eq(b.iter()));
            assert!((0..=a.len()).all(|row| a.raw(row) == b.raw(row)));
        }
        (a, b) => {
            let none = |t: Result<Option<_>, _>| t.ok().flatten().is_none();
            assert!(none(a) && none(b));
        }
    }
    assert_eq!(image.extable().layout(), index.extable().layout());
    assert_eq!(image.extable().entries(), index.extable().entries());
    let (a, b) = (image.fixups(), index.fixups());
    assert_eq!(format!("{:?}", a.rows()), format!("{:?}", b.rows()));
    assert_eq!(format!("{:?}", a.blocks()), format!("{:?}", b.blocks()));
    let entries = image.extable().entries();
    assert_eq!(a.counts(entries), b.counts(entries));
}

/// Asks an index everything; nothing may panic, whatever it holds.
pub fn exercise(index: &Image<'_>, random: &mut Random) {
    let symbols = index.symbols();
    let mut places = vec![LinkAddr(0), LinkAddr(u64::MAX)];
    for s in index.sections().iter().take(40) {
        let at = s.addr.unwrap_or_default();
        let inside = random.below(s.size.max(1)) as i64;
        places.extend([at, at.offset(inside), at.offset(s.size as i64)]);
    }
    for (id, s) in symbols.iter().take(64) {
        places.push(s.addr);
        symbols.cold_parent(id);
        assert!(symbols.named(s.name).count() <= symbols.len());
    }
    if let Ok(Some(orc)) = index.orc() {
        places.extend(orc.iter().take(50).map(|(at, _)| at));
        places.iter().for_each(|at| {
            orc.find(*at);
        });
    }
    let entries = index.extable().entries();
    places.extend(entries.iter().take(20).flat_map(|e| [e.insn, e.fixup]));
    let blocks = index.fixups().blocks();
    places.extend(blocks.iter().take(20).map(|b| b.landing));
    index.fixups().counts(entries);
    index.alternatives().covering(places[2 % places.len()]);
    for (i, at) in places.iter().enumerate() {
        index.code(*at);
        index.bytes(*at);
        attribute(index, Pc::Exact(*at));
        called(index, Pc::Return(*at), places[(i * 7 + 3) % places.len()]);
    }
    index.release();
    index.build_id();
    index.debuglink();
}
