//! Four real Debian kernels judge the tables, the fixup map and attribution. Run with `--ignored`, after
//! `testdata/fetch-kernels.sh`; a missing kernel fails a test. Expected values are in `testdata/truth/`, made by
//! `truth.py` and `callsites.sh` with readelf, objdump, nm and addr2line.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::kernels::{VERSIONS, file, find_module, release, vmlinux};
use crate::common::testdata;
use fixtrace::low::base::addr::{Address, LinkAddr, Pc, Slide};
use fixtrace::low::engine::attribute::{
    Attribution, Basis, Certainty, attribute, attribute_called,
};
use fixtrace::low::engine::query::{Query, resolve};
use fixtrace::low::formats::cfi::{Cfi, Scratch};
use fixtrace::low::formats::extable::fixup::Landing;
use fixtrace::low::formats::extable::walk::Exit;
use fixtrace::low::formats::image::{ElfImage, Storage, names, note};
use fixtrace::low::formats::insn::{self, Flow};
use fixtrace::low::formats::lines::Lines;
use fixtrace::low::formats::orc::{Hints, OrcEntry, OrcTable, OrcVersion, Rung};
use fixtrace::low::formats::rule::{Base, Cfa, Row, Shape};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;
use fixtrace::low::world::kernel::Located;

fn truth(name: &str) -> String {
    std::fs::read_to_string(testdata("truth").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn truth_json(version: &str) -> serde_json::Value {
    serde_json::from_str(&truth(&format!("{version}.json"))).expect("JSON")
}

/// Rows of a truth table, without its header.
fn table(name: &str) -> Vec<Vec<String>> {
    truth(name)
        .lines()
        .skip(1)
        .map(|l| l.split('\t').map(str::to_owned).collect())
        .collect()
}

fn hex(text: &str) -> LinkAddr {
    LinkAddr(u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{text}")))
}

fn at(image: &Image<'_>, addr: u64) -> Vec<String> {
    names(&attribute(image, Pc::Exact(LinkAddr(addr))))
}

fn names(a: &Attribution<'_>) -> Vec<String> {
    let mut names: Vec<String> = a.candidates.iter().map(|f| f.name.to_string()).collect();
    names.sort_unstable();
    names
}

/// A function without `.cold`: the name under which its parent is attributed.
fn parent(name: &str) -> &str {
    names::cold_base(name).unwrap_or(name)
}

const COPY_USER: [&str; 4] = [
    "__copy_user_nocache",
    "copy_user_enhanced_fast_string",
    "copy_user_generic_string",
    "copy_user_generic_unrolled",
];

fn sized(verb: &str, sizes: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = sizes.iter().map(|s| format!("__{verb}_user_{s}")).collect();
    all.sort_unstable();
    all
}

fn get_user_8() -> Vec<String> {
    sized(
        "get",
        &[
            "1",
            "2",
            "4",
            "8",
            "nocheck_1",
            "nocheck_2",
            "nocheck_4",
            "nocheck_8",
        ],
    )
}

#[test]
#[ignore = "needs the real kernels"]
fn build_ids_and_releases_are_those_of_the_files() {
    for (version, release) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        assert_eq!(image.release(), Some(release));
        assert_eq!(
            note::hex(image.build_id().expect("build-id")),
            truth_json(version)["build_id"].as_str().unwrap()
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn orc_tables_have_the_rows_that_readelf_shows() {
    for (version, wanted, rung) in [
        ("5.10", OrcVersion::V1b, Rung::Btf),
        ("6.1", OrcVersion::V1b, Rung::Btf),
        ("6.12", OrcVersion::V3, Rung::Header),
        ("7.2", OrcVersion::V4, Rung::Header),
    ] {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let orc = image.orc().expect("readable").expect("present");
        let truth = &truth_json(version)["orc"];
        assert_eq!((orc.version(), orc.rung()), (wanted, rung), "{version}");
        assert_eq!(
            orc.len() as u64,
            truth["rows"].as_u64().unwrap(),
            "{version}"
        );
        assert!(orc.findings().is_empty(), "{version}: {:?}", orc.findings());
        let raw = |row: usize| {
            let (at, _) = orc.row(row).expect("row");
            (format!("{:x}", at.0), note::hex(orc.raw(row).expect("row")))
        };
        for sample in truth["sample"].as_array().unwrap() {
            let row = sample[0].as_u64().unwrap() as usize;
            let wanted = (
                sample[1].as_str().unwrap().to_owned(),
                sample[2].as_str().unwrap().to_owned(),
            );
            assert_eq!(raw(row), wanted, "{version} row {row}");
        }
        let last = truth["last"].as_array().unwrap();
        for (back, row) in last.iter().rev().enumerate() {
            assert_eq!(
                raw(orc.len() - 1 - back).1,
                row[1].as_str().unwrap(),
                "{version}"
            );
        }
        assert!(
            orc.iter()
                .all(|(_, e)| !matches!(e.kind, fixtrace::low::formats::orc::OrcKind::Unknown(_))),
            "{version}"
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn orc_lookup_equals_a_scan_at_every_row_and_beside_it() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let orc = image.orc().expect("readable").expect("present");
        // The addresses as the file has them, read here and not by the library.
        let ips = image.section(".orc_unwind_ip").expect("section");
        let base = ips.addr.expect("loaded").0;
        let addresses: Vec<u64> = (0u64..)
            .zip(ips.data.as_chunks::<4>().0)
            .map(|(i, b)| (base + i * 4).wrapping_add_signed(i32::from_le_bytes(*b).into()))
            .collect();
        assert!(addresses.is_sorted());
        let mut upto = 0;
        let mut asked = 0u64;
        let mut queries: Vec<u64> = addresses.iter().flat_map(|a| [a - 1, *a, a + 1]).collect();
        queries.sort_unstable();
        for q in queries {
            while upto < addresses.len() && addresses[upto] <= q {
                upto += 1;
            }
            assert_eq!(
                orc.find(LinkAddr(q)).map(|(row, _)| row),
                upto.checked_sub(1),
                "{version} {q:#x}"
            );
            asked += 1;
        }
        assert_eq!(asked, orc.len() as u64 * 3);
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn a_table_without_header_or_with_an_unknown_hash_gives_the_same_rows() {
    for (version, wanted) in [("6.12", OrcVersion::V3), ("7.2", OrcVersion::V4)] {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let whole = image.orc().expect("readable").expect("present");
        let ips = image.section(".orc_unwind_ip").expect("section");
        let rows = image.section(".orc_unwind").expect("section").data;
        let expected: Vec<(LinkAddr, OrcEntry)> = whole.iter().collect();
        let parse = |hints| {
            OrcTable::parse(ips.addr.expect("loaded"), ips.data, rows, hints, false)
                .expect("parses")
        };
        let none = parse(Hints::default());
        assert_eq!((none.version(), none.rung()), (wanted, Rung::Rows));
        assert!(none.iter().eq(expected.iter().copied()));
        let altered = [0x5a; 20];
        let unknown = parse(Hints {
            header: Some(&altered),
            ..Hints::default()
        });
        assert_eq!(unknown.findings().len(), 1, "{:?}", unknown.findings());
        assert!(unknown.iter().eq(expected.iter().copied()));
        let released = parse(Hints {
            release: Some(release(version)),
            ..Hints::default()
        });
        assert_eq!(
            (released.version(), released.rung()),
            (wanted, Rung::Release)
        );
        let lying = parse(Hints {
            release: Some("5.10.0"),
            ..Hints::default()
        });
        assert_eq!((lying.version(), lying.findings().len()), (wanted, 1));
        assert!(lying.iter().eq(expected));
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn extable_counts_and_histograms_are_those_of_an_independent_reader() {
    for ((version, _), entries) in VERSIONS.into_iter().zip([477, 532, 630, 746]) {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let table = image.extable();
        assert_eq!(table.entries().len(), entries, "{version}");
        assert!(
            table.findings().is_empty(),
            "{version}: {:?}",
            table.findings()
        );
        let mut histogram: BTreeMap<String, u64> = BTreeMap::new();
        for e in table.entries() {
            let key = match table.handler(&image, e) {
                fixtrace::low::formats::extable::entry::Handler::Typed { data, .. } => {
                    (data & 0xff).to_string()
                }
                handler => handler.name().into_owned(),
            };
            *histogram.entry(key).or_default() += 1;
        }
        let wanted: BTreeMap<String, u64> =
            serde_json::from_value(truth_json(version)["extable"]["histogram"].clone())
                .expect("histogram");
        assert_eq!(histogram, wanted, "{version}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn every_faulting_instruction_belongs_to_the_function_that_nm_says() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let rows = table(&format!("{version}.extable.tsv"));
        assert_eq!(rows.len(), image.extable().entries().len());
        let mut outside = 0;
        for (row, e) in rows.iter().zip(image.extable().entries()) {
            assert_eq!((e.insn, e.fixup), (hex(&row[0]), hex(&row[1])), "{version}");
            let found = at(&image, e.insn.0);
            if row[3] == "-" {
                // The instruction in the copy_user tail, which no function covers.
                assert!(found.len() >= 4, "{version} {}: {found:?}", e.insn);
                outside += 1;
            } else {
                assert_eq!(found, [parent(&row[3])], "{version} {}", e.insn);
            }
        }
        assert_eq!(
            outside,
            if matches!(version, "5.10" | "6.1") {
                1
            } else {
                0
            },
            "{version}"
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn anonymous_landings_of_5_10_are_all_found() {
    let storage = Storage::new();
    let image = vmlinux("5.10", &storage);
    let counts = image.fixups().counts(image.extable().entries());
    assert_eq!(
        (counts.entries, counts.anonymous, counts.anonymous_landings),
        (477, 214, 162)
    );
    assert_eq!(
        (
            counts.cross_function,
            counts.cold,
            counts.retry,
            counts.shared_landings
        ),
        (0, 0, 0, 3)
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn every_byte_of_fixup_text_in_5_10_has_exactly_one_origin() {
    let storage = Storage::new();
    let image = vmlinux("5.10", &storage);
    let (mut bytes, mut walked) = (BTreeSet::new(), BTreeSet::new());
    for row in table("5.10.fixups.tsv").iter().filter(|r| r[1] == "fixup") {
        let landing = hex(&row[0]);
        let block = image
            .fixups()
            .blocks()
            .iter()
            .find(|b| b.landing == landing)
            .expect("a block per landing");
        let wanted: Vec<String> = row[3].split(',').map(str::to_owned).collect();
        for insn in row[4].split(',') {
            let (start, len) = insn.split_once(':').expect("address:length");
            let start = hex(start);
            // Those behind the end of .fixup belong to the tail, which is shared.
            if start >= hex("ffffffff81c01dce") || start < hex("ffffffff81c017c5") {
                continue;
            }
            assert!(
                block.code.contains(&(start, len.parse().unwrap())),
                "{landing}: {start}"
            );
            walked.insert(start);
            for byte in 0..len.parse().unwrap() {
                let a = attribute(&image, Pc::Exact(start.offset(byte)));
                assert_eq!(
                    (a.basis, a.certainty),
                    (Basis::Fixup, Certainty::Exact),
                    "{start}+{byte}"
                );
                assert_eq!(names(&a), wanted, "{start}+{byte}");
                assert!(!a.fixup.expect("fixup").origins.is_empty());
                bytes.insert(start.offset(byte));
            }
        }
        let exits: BTreeSet<LinkAddr> = block
            .exits
            .iter()
            .filter_map(|e| match e {
                Exit::Resume(a) | Exit::TailCall(a) => Some(*a),
                _ => None,
            })
            .collect();
        let wanted_exit = row[5].split(' ').nth(1).map(hex).expect("an exit");
        let name = row[5].split(' ').next().expect("a kind");
        match name {
            "jmp" => assert!(
                exits.contains(&wanted_exit),
                "{landing} leaves to {exits:?}, not {wanted_exit}"
            ),
            _ => assert!(
                block.exits.contains(&Exit::Return),
                "{landing}: {:?}",
                block.exits
            ),
        }
    }
    // From __static_call_text_end to __indirect_thunk_start, every byte that objdump decodes.
    assert_eq!(walked.len(), 423);
    let (first, last) = (bytes.first().unwrap(), bytes.last().unwrap());
    assert_eq!(
        (*first, *last),
        (hex("ffffffff81c017c5"), hex("ffffffff81c01dcd"))
    );
    assert_eq!(
        bytes.len() as u64,
        last.since(*first).unwrap() + 1,
        "no byte between is left out"
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn shared_tails_of_5_10_list_all_their_origins() {
    let storage = Storage::new();
    let image = vmlinux("5.10", &storage);
    let put = sized("put", &["1", "2", "4", "8"]);
    for row in table("5.10.fixups.tsv").iter().filter(|r| r[1] != "fixup") {
        let wanted: Vec<String> = row[3].split(',').map(str::to_owned).collect();
        let family = [
            COPY_USER.map(str::to_owned).to_vec(),
            get_user_8(),
            put.clone(),
        ];
        assert!(family.contains(&wanted), "{wanted:?}");
        for insn in row[4].split(',') {
            let (start, len) = insn.split_once(':').expect("address:length");
            for byte in 0..len.parse().unwrap() {
                let a = attribute(&image, Pc::Exact(hex(start).offset(byte)));
                assert_eq!(
                    (a.certainty, a.function.is_none()),
                    (Certainty::Ambiguous, true)
                );
                assert_eq!(names(&a), wanted, "{start}");
            }
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn the_copy_user_tail_of_6_1_has_five_origins() {
    let storage = Storage::new();
    let image = vmlinux("6.1", &storage);
    let counts = image.fixups().counts(image.extable().entries());
    assert_eq!((counts.anonymous, counts.anonymous_landings), (19, 4));
    let mut five = COPY_USER.map(str::to_owned).to_vec();
    five.insert(4, "copy_user_short_string".to_owned());
    five.sort_unstable();
    // Behind copy_user_enhanced_fast_string: the landing of the tail's own faulting instruction.
    assert_eq!(at(&image, 0xffff_ffff_819b_8e19), five);
    let short = image.fixups().blocks().iter().find(|b| {
        b.home
            .is_some_and(|h| image.symbols().name(h) == "copy_user_short_string")
    });
    assert!(
        short.is_some(),
        "copy_user_short_string reaches the tail from a landing of its own"
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn handle_exception_of_6_12_and_7_2_has_eight_origins() {
    for version in ["6.12", "7.2"] {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let symbol = |name| {
            image
                .symbols()
                .named(name)
                .next()
                .map(|id| image.symbols().range(id))
                .expect("symbol")
        };
        let (start, end) = symbol("__get_user_handle_exception");
        for byte in 0..end.since(start).unwrap() {
            let a = attribute(&image, Pc::Exact(start.offset(byte as i64)));
            assert_eq!(
                (a.basis, a.certainty),
                (Basis::Fixup, Certainty::Ambiguous),
                "{version} +{byte}"
            );
            assert_eq!(names(&a), get_user_8(), "{version}");
            assert_eq!(
                a.nearest.expect("symbol").name,
                "__get_user_handle_exception"
            );
        }
        let put: Vec<String> = get_user_8()
            .iter()
            .map(|n| n.replace("get", "put"))
            .collect();
        assert_eq!(at(&image, symbol("__put_user_handle_exception").0.0), put);
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn a_caller_makes_every_shared_tail_exact() {
    let tails = |version: &str| -> [(&str, u64); 2] {
        match version {
            "5.10" => [
                ("__get", 0xffff_ffff_8153_97d3),
                ("__put", 0xffff_ffff_8153_bcf0),
            ],
            "6.1" => [
                ("__get", 0xffff_ffff_819b_9820),
                ("__put", 0xffff_ffff_819b_c000),
            ],
            "6.12" => [
                ("__get", 0xffff_ffff_81c5_f010),
                ("__put", 0xffff_ffff_81c6_1920),
            ],
            _ => [
                ("__get", 0xffff_ffff_8223_2640),
                ("__put", 0xffff_ffff_8223_5c30),
            ],
        }
    };
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let mut seen = BTreeSet::new();
        for row in table(&format!("{version}.callsites.tsv")) {
            let (ret, callee) = (hex(&row[0]), row[1].as_str());
            let Some((_, tail)) = tails(version)
                .into_iter()
                .find(|(family, _)| callee.starts_with(family))
            else {
                continue;
            };
            let pc = Pc::Exact(LinkAddr(tail));
            let images = [&image];
            let a = attribute_called(&image, pc, Located::linked(&image, ret), &images);
            // In 5.10 and 6.1 __put_user_nocheck_N is a label inside __put_user_N.
            let label =
                callee.starts_with("__put_user_nocheck") && matches!(version, "5.10" | "6.1");
            let wanted = if label {
                callee.replace("nocheck_", "")
            } else {
                callee.to_owned()
            };
            assert_eq!(
                (a.certainty, names(&a)),
                (Certainty::Exact, vec![wanted]),
                "{version} {ret}: {:?}",
                a.remarks
            );
            let evidence = &a.fixup.expect("fixup").origins[0].evidence;
            assert!(evidence.contains(&fixtrace::low::engine::attribute::Evidence::CallSite));
            seen.insert(callee.to_owned());
        }
        assert!(seen.len() >= 14, "{version}: {seen:?}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn call_sites_narrow_the_copy_user_tail() {
    let storage = Storage::new();
    let image = vmlinux("5.10", &storage);
    let tail = Pc::Exact(LinkAddr(0xffff_ffff_8153_8e19));
    let (mut nocache, mut alternative) = (0, 0);
    for row in table("5.10.callsites.tsv") {
        let images = [&image];
        let ret = Located::linked(&image, hex(&row[0]));
        let a = attribute_called(&image, tail, ret, &images);
        match row[1].as_str() {
            "__copy_user_nocache" => {
                assert_eq!(
                    (a.certainty, names(&a)),
                    (Certainty::Exact, vec!["__copy_user_nocache".to_owned()])
                );
                nocache += 1;
            }
            // ALTERNATIVE_2 among the other three (arch/x86/include/asm/uaccess_64.h, 5.10).
            "copy_user_generic_unrolled" => {
                assert_eq!(names(&a), COPY_USER[1..], "{}: {:?}", row[0], a.remarks);
                alternative += 1;
            }
            _ => {}
        }
    }
    assert!(nocache > 0 && alternative > 20, "{nocache} {alternative}");
}

#[test]
#[ignore = "needs the real kernels"]
fn nothing_else_in_the_text_jumps_into_fixup_code() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let map = image.fixups();
        let mut edges = 0;
        for (id, symbol) in image.symbols().iter().filter(|(_, s)| s.function) {
            let (start, end) = image.symbols().range(id);
            for (place, i) in insn::sweep(&image, start, end) {
                let (Flow::Jump(t) | Flow::Branch(t) | Flow::Call(t)) = i.flow else {
                    continue;
                };
                let inside = |place| map.blocks_at(place);
                if inside(t).is_empty() || !inside(place).is_empty() {
                    continue;
                }
                edges += 1;
                let origins = names(&attribute(&image, Pc::Exact(t)));
                assert!(
                    origins.iter().any(|o| o == parent(symbol.name)),
                    "{version}: {}+{:#x} goes to {t}, of {origins:?}",
                    symbol.name,
                    place.0 - start.0
                );
            }
        }
        // In 5.10 and 6.1 the address checks of get_user and put_user jump to the tails, too.
        assert_eq!(
            edges > 0,
            matches!(version, "5.10" | "6.1"),
            "{version}: {edges}"
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn modules_land_where_an_independent_reader_says() {
    for (version, release) in VERSIONS {
        let rows = table(&format!("{version}.modules.tsv"));
        let mut modules: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for row in rows {
            modules.entry(row[0].clone()).or_default().push(row);
        }
        let dir = file(version, &format!("lib/modules/{release}"));
        for (name, rows) in modules {
            let storage = Storage::new();
            let path =
                find_module(&dir, &name).unwrap_or_else(|| panic!("{version}: no module {name}"));
            let image = Image::open(&path, &storage).expect("module");
            assert_eq!(
                image.extable().entries().len(),
                rows.len(),
                "{version} {name}"
            );
            assert!(
                image.extable().findings().is_empty(),
                "{version} {name}: {:?}",
                image.extable().findings()
            );
            let place = |section: &str, offset: &str| {
                let section = image
                    .section(section)
                    .and_then(|s| s.addr)
                    .expect("loaded section");
                section.offset(i64::from_str_radix(offset, 16).expect("hex"))
            };
            let mut wanted: Vec<_> = rows
                .iter()
                .map(|r| (place(&r[2], &r[3]), place(&r[5], &r[6]), r[4].clone()))
                .collect();
            wanted.sort();
            for ((insn, fixup, function), e) in wanted.iter().zip(image.extable().entries()) {
                assert_eq!((e.insn, e.fixup), (*insn, *fixup), "{version} {name}");
                assert_eq!(
                    at(&image, insn.0),
                    [parent(function)],
                    "{version} {name} {insn}"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn kvm_fixups_of_5_10_are_all_attributed() {
    let dir = file("5.10", &format!("lib/modules/{}", release("5.10")));
    for (name, entries, anonymous) in [("kvm", 23, 14), ("kvm-amd", 18, 8), ("kvm-intel", 653, 269)]
    {
        let storage = Storage::new();
        let image =
            Image::open(&find_module(&dir, name).expect("module"), &storage).expect("module");
        let counts = image.fixups().counts(image.extable().entries());
        assert_eq!(
            (counts.entries, counts.anonymous),
            (entries, anonymous),
            "{name}"
        );
        let mut pushing = 0;
        for (e, row) in image.extable().entries().iter().zip(image.fixups().rows()) {
            if row.landing != Landing::Anonymous {
                continue;
            }
            let a = attribute(&image, Pc::Exact(e.fixup));
            let owner = image.symbols().name(row.owner.expect("owned"));
            assert_eq!(a.basis, Basis::Fixup, "{name} {}", e.fixup);
            assert!(
                names(&a).iter().any(|n| n == parent(owner)),
                "{name} {}: {:?} lacks {owner}",
                e.fixup,
                names(&a)
            );
            let shared = names(&a).len() > 1;
            assert_eq!(
                a.certainty,
                if shared {
                    Certainty::Ambiguous
                } else {
                    Certainty::Exact
                }
            );
            if shared {
                // kvm_fastop_exception, of the division stubs.
                assert!(
                    name == "kvm" && names(&a).iter().all(|n| n.contains("div_")),
                    "{name}: {:?}",
                    names(&a)
                );
                assert_eq!(names(&a).len(), 8);
            }
            let block = &image.fixups().blocks()[row.block.expect("walked") as usize];
            // PUSH imm8, PUSH reg: the stack changes inside the fixup.
            pushing += usize::from(image.code(block.landing)[..2] == [0x6a, 0x01]);
        }
        // Those of VMREAD push their arguments, then rejoin before the call of vmread_error.
        assert_eq!(pushing > 200, name == "kvm-intel", "{name}: {pushing}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn cold_landings_of_kvm_intel_6_1_belong_to_their_parents() {
    let dir = file("6.1", &format!("lib/modules/{}", release("6.1")));
    let storage = Storage::new();
    let image =
        Image::open(&find_module(&dir, "kvm-intel").expect("module"), &storage).expect("module");
    assert_eq!(image.fixups().counts(image.extable().entries()).cold, 23);
    for (e, row) in image.extable().entries().iter().zip(image.fixups().rows()) {
        if row.landing == Landing::Cold {
            let a = attribute(&image, Pc::Exact(e.fixup));
            assert_eq!((a.basis, a.certainty), (Basis::Cold, Certainty::Exact));
            assert_eq!(
                names(&a),
                [parent(image.symbols().name(row.owner.expect("owned")))]
            );
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn retries_and_transfers_keep_their_function() {
    let storage = Storage::new();
    let image = vmlinux("7.2", &storage);
    let counts = image.fixups().counts(image.extable().entries());
    assert_eq!((counts.retry, counts.transfer), (61, 1));
    for (e, row) in image.extable().entries().iter().zip(image.fixups().rows()) {
        if matches!(row.landing, Landing::Retry | Landing::Transfer) {
            let a = attribute(&image, Pc::Exact(e.fixup));
            assert_eq!(
                (a.basis, a.certainty),
                (Basis::Symbol, Certainty::Exact),
                "{}",
                e.fixup
            );
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn names_that_several_functions_have_are_told_apart_by_size() {
    let storage = Storage::new();
    let mut kernel = Kernel::new();
    kernel.add(vmlinux("6.12", &storage), Some(Slide(0)));
    let image = &kernel.images()[0].image;
    let mut by_name: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for (_, s) in image.symbols().iter().filter(|(_, s)| s.function) {
        by_name
            .entry(s.name)
            .or_default()
            .push((s.addr.0, s.extent));
    }
    let mut decided = 0;
    for (name, places) in by_name.into_iter().filter(|(_, p)| p.len() > 1).take(500) {
        let ask = |text: &str| match Query::parse(text) {
            Some(Query::Symbol(q)) => resolve(&kernel, &q)
                .iter()
                .map(|m| m.located.link.0)
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ask(name).len(), places.len(), "{name}");
        for (addr, extent) in &places {
            let same: Vec<u64> = places
                .iter()
                .filter(|(_, e)| e == extent)
                .map(|(a, _)| *a)
                .collect();
            let found = ask(&format!("{name}+0x0/{extent:#x}"));
            assert!(
                found.contains(addr) && same.iter().all(|a| found.contains(a)),
                "{name}"
            );
            decided += usize::from(found == [*addr]);
        }
    }
    assert!(decided > 100, "{decided}");
}

#[test]
#[ignore = "needs the real kernels"]
fn source_lines_name_the_inlined_function_that_addr2line_names() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let lines = Lines::of(&image).expect("DWARF").expect("present");
        let (mut same, mut assembler) = (0, 0);
        for row in table(&format!("{version}.extable.tsv")) {
            let chain = lines.at(hex(&row[0])).collect::<Vec<_>>();
            match chain.first().and_then(|i| i.function.clone()) {
                Some(name) => {
                    assert_eq!(name, row[4], "{version} {}", row[0]);
                    same += 1;
                }
                // DWARF of assembler has lines, but no functions; addr2line takes the symbol.
                None => assembler += 1,
            }
        }
        assert!(same > assembler * 2, "{version}: {same} {assembler}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn a_module_finds_its_lines_in_its_separate_debug_file() {
    for (version, release) in VERSIONS {
        let storage = Storage::new();
        let dir = file(version, &format!("lib/modules/{release}"));
        let debug = file(version, &format!("debug/lib/modules/{release}"));
        let mut image = ElfImage::open(&find_module(&dir, "kvm-intel").expect("module"), &storage)
            .expect("module");
        let separate = ElfImage::open(&find_module(&debug, "kvm-intel").expect("debug"), &storage)
            .expect("debug");
        let other =
            ElfImage::open(&find_module(&debug, "kvm").expect("debug"), &storage).expect("debug");
        assert!(
            image.use_debug_file(other).is_err(),
            "another module's debug file is refused"
        );
        image.use_debug_file(separate).expect("of the same build");
        let image = Image::new(image);
        let lines = Lines::of(&image).expect("DWARF").expect("present");
        let mut named = 0;
        for (e, row) in image.extable().entries().iter().zip(image.fixups().rows()) {
            let chain = lines.at(e.insn).collect::<Vec<_>>();
            let Some(physical) = chain.last().and_then(|i| i.function.as_deref()) else {
                continue;
            };
            let symbol = image.symbols().name(row.owner.expect("owned"));
            let plain = names::clone_base(parent(symbol)).unwrap_or(parent(symbol));
            assert_eq!(physical, plain, "{version} {}", e.insn);
            assert!(
                chain.iter().all(|i| i.line.is_some()),
                "{version} {}: {chain:?}",
                e.insn
            );
            named += 1;
        }
        assert!(
            named * 10 >= image.extable().entries().len() * 9,
            "{version}: {named}"
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn orc_of_modules_is_relocated_and_sorted() {
    for (version, release) in VERSIONS {
        let storage = Storage::new();
        let dir = file(version, &format!("lib/modules/{release}"));
        let image = Image::open(&find_module(&dir, "kvm-intel").expect("module"), &storage)
            .expect("module");
        let orc = image.orc().expect("readable").expect("present");
        assert!(
            orc.len() > 1000 && orc.findings().is_empty(),
            "{version}: {:?}",
            orc.findings()
        );
        let mut functions = 0;
        for (_, s) in image
            .symbols()
            .iter()
            .filter(|(_, s)| s.function && !s.name.starts_with("__pfx_"))
        {
            // At a function's first byte the return address is all that was pushed: CFA = SP+8.
            let Some((_, row)) = orc.find(s.addr) else {
                continue;
            };
            functions += usize::from(
                row.sp_reg == fixtrace::low::formats::orc::OrcReg::Sp && row.sp_offset == 8,
            );
        }
        let all = image
            .symbols()
            .iter()
            .filter(|(_, s)| s.function && !s.name.contains(".cold"))
            .count();
        assert!(functions * 10 > all * 4, "{version}: {functions} of {all}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn the_vdso_has_a_table_of_its_own_form() {
    for (version, release, insn, fixup) in [
        ("6.1", "6.1.0-50-cloud-amd64", 0xc8a, 0xcac),
        ("6.12", "6.12.107+deb13-cloud-amd64", 0x159e, 0x15c0),
        ("7.2", "7.2.13+deb14-cloud-amd64", 0x166a, 0x168c),
    ] {
        let storage = Storage::new();
        let path = file(
            version,
            &format!("debug/lib/modules/{release}/vdso/vdso64.so"),
        );
        let image = Image::open(&path, &storage).expect("vDSO");
        assert_eq!(image.kind(), fixtrace::low::formats::image::ImageKind::Vdso);
        let [entry] = image.extable().entries() else {
            panic!("{version}: {:?}", image.extable())
        };
        // readelf -x __ex_table, added to the section's address by hand.
        assert_eq!(
            (entry.insn, entry.fixup),
            (LinkAddr(insn), LinkAddr(fixup)),
            "{version}"
        );
        assert_eq!(at(&image, insn), ["__vdso_sgx_enter_enclave"]);
        assert_eq!(at(&image, fixup), ["__vdso_sgx_enter_enclave"]);
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn orc_and_dwarf_describe_the_same_frames() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let orc = image.orc().expect("readable").expect("present");
        let cfi = Cfi::of(&image).expect("CFI");
        let mut scratch = Scratch::default();
        assert!(cfi.len() > 40_000, "{version}: {}", cfi.len());
        let (mut same, mut pushed, mut odd) = (0, 0, Vec::new());
        for (at, entry) in orc.iter().step_by(5) {
            let (Row::Step(by_orc), Some(Row::Step(by_cfi))) = (
                Row::from_orc(&entry, orc.sp_indirect()),
                cfi.row(at, &mut scratch),
            ) else {
                continue;
            };
            match (by_orc.cfa, by_cfi.cfa) {
                _ if by_orc.shape != Shape::Call => {}
                (a, b) if a == b => same += 1,
                // Pushes and stack switches of inline assembler, which the compiler does not see.
                (Cfa::Register(Base::Sp, a), Cfa::Register(Base::Sp, b)) if a > b => pushed += 1,
                (Cfa::Indirect { .. }, _) => pushed += 1,
                _ => odd.push(at),
            }
        }
        assert!(
            same > 50_000 && pushed * 300 < same,
            "{version}: {same} {pushed}"
        );
        // Prologues that realign the stack are told in two ways.
        assert!(odd.len() * 2000 < same, "{version}: {same} {odd:?}");
        // No description covers .fixup: ORC alone unwinds out of it.
        if version == "5.10" {
            let blocks = image.fixups().blocks().iter().filter(|b| b.home.is_none());
            assert!(
                blocks
                    .into_iter()
                    .all(|b| cfi.row(b.landing, &mut scratch).is_none()
                        || b.landing < hex("ffffffff81c00000"))
            );
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn cpu_feature_stubs_belong_to_the_function_that_jumps_to_them() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let mut stubs = 0;
        for (id, symbol) in image.symbols().iter().filter(|(_, s)| s.function) {
            let (start, end) = image.symbols().range(id);
            for (_, i) in insn::sweep(&image, start, end) {
                let (Flow::Jump(t) | Flow::Branch(t)) = i.flow else {
                    continue;
                };
                if image
                    .text_section(t)
                    .is_none_or(|s| s.name != ".altinstr_aux")
                {
                    continue;
                }
                let a = attribute(&image, Pc::Exact(t));
                assert_eq!(a.basis, Basis::Anonymous, "{version} {t}");
                // A hot and a cold part of one function count as one.
                assert_eq!(
                    names(&a),
                    [parent(symbol.name)],
                    "{version} {t}: {:?}",
                    a.remarks
                );
                stubs += 1;
            }
        }
        assert!(stubs > 50, "{version}: {stubs}");
    }
}
