//! The tables of an image as rows. Addresses are those that `lookup` takes, and functions those that it names.

use std::ops::Range;

use fixtrace::low::base::addr::{LinkAddr, Pc};
use fixtrace::low::base::text::shortened;
use fixtrace::low::engine::attribute::{Attribution, attribute};
use fixtrace::low::formats::extable::walk::Exit;
use fixtrace::low::formats::image::ImageKind;
use fixtrace::low::formats::orc::{NoOrc, OrcReg};
use fixtrace::low::products::report::human::named;
use fixtrace::low::products::report::json::{Value, json};
use fixtrace::low::world::kernel::Placed;

use crate::cli::args::Table;
use crate::cli::exit::Failure;

/// Rows of a table: a JSON object each, whose keys are the columns.
pub type Rows = Vec<Vec<(&'static str, Value)>>;

/// What there is to print of a table.
#[derive(Default)]
pub struct Shown {
    /// Totals over the image, before the rows.
    pub totals: Vec<(&'static str, Value)>,
    /// The rows.
    pub rows: Rows,
    /// Why there are none, where that is worth a word.
    pub missing: Option<String>,
}

/// The rows of `table` that have to do with addresses in `wanted`.
pub fn table(
    table: Table,
    placed: &Placed<'_>,
    wanted: &Range<LinkAddr>,
) -> Result<Shown, Failure> {
    let rows = match table {
        Table::Orc => return orc(placed, wanted),
        Table::Extable => extable(placed, wanted),
        Table::Fixups => {
            let (totals, rows) = (counts(placed), fixups(placed, wanted));
            return Ok(Shown {
                totals,
                rows,
                ..Shown::default()
            });
        }
        Table::Symbols => symbols(placed, wanted),
        Table::Sections => sections(placed, wanted),
    };
    Ok(Shown {
        rows,
        ..Shown::default()
    })
}

/// An address as `lookup` takes it: where it runs; of a module that runs nobody knows where, where it is linked.
fn addr(placed: &Placed<'_>, at: LinkAddr) -> Value {
    json!(placed.slide.unwrap_or_default().runtime(at).to_string())
}

/// The nearest symbol, as others print it.
fn nearest(placed: &Placed<'_>, at: LinkAddr) -> Value {
    let symbols = placed.image.symbols();
    match symbols.nearest(at) {
        Some(id) => {
            let offset = at.0.wrapping_sub(symbols.get(id).addr.0);
            json!(format!("{}+{offset:#x}", symbols.name(id)))
        }
        None => Value::Null,
    }
}

/// The function that `lookup` names for an address, when that is certain.
fn function(found: &Attribution<'_>) -> Value {
    json!(found.function.as_ref().map(named))
}

fn orc(placed: &Placed<'_>, wanted: &Range<LinkAddr>) -> Result<Shown, Failure> {
    let image = &placed.image;
    let Some(orc) = image.orc()? else {
        let why = NoOrc::of(image);
        let what = format!("{}: no ORC table: {why}", image.path().display());
        // What has no code lacks nothing.
        return match why {
            NoOrc::NoCode => Ok(Shown {
                missing: Some(what),
                ..Shown::default()
            }),
            _ => Err(Failure {
                hint: why.hint().map(str::to_owned),
                ..Failure::alone(what)
            }),
        };
    };
    let rows = orc.iter().filter(|(at, _)| wanted.contains(at));
    let rows = rows.map(|(at, e)| {
        vec![
            ("address", addr(placed, at)),
            ("symbol", nearest(placed, at)),
            ("cfa", json!(base(e.sp_reg, e.sp_offset))),
            ("bp", json!(base(e.bp_reg, e.bp_offset))),
            ("type", json!(format!("{:?}", e.kind))),
            ("signal", json!(e.signal)),
        ]
    });
    Ok(Shown {
        rows: rows.collect(),
        ..Shown::default()
    })
}

fn base(reg: OrcReg, offset: i16) -> String {
    match reg {
        OrcReg::Undefined => "-".to_owned(),
        OrcReg::PrevSp => format!("cfa{offset:+}"),
        OrcReg::BpIndirect => format!("*(bp{offset:+})"),
        OrcReg::SpIndirect => format!("*(sp){offset:+}"),
        OrcReg::Unknown(n) => format!("register {n}?"),
        other => format!("{}{offset:+}", format!("{other:?}").to_lowercase()),
    }
}

fn extable(placed: &Placed<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let image = &placed.image;
    let table = image.extable();
    let rows = table.entries().iter().zip(image.fixups().rows());
    rows.filter(|(e, _)| wanted.contains(&e.insn) || wanted.contains(&e.fixup))
        .map(|(e, row)| {
            let handler = table.handler(image, e);
            vec![
                ("instruction", addr(placed, e.insn)),
                ("function", nearest(placed, e.insn)),
                ("origin", function(&attribute(image, Pc::Exact(e.insn)))),
                ("fixup", addr(placed, e.fixup)),
                ("fixup_symbol", nearest(placed, e.fixup)),
                ("landing", json!(row.landing.name())),
                ("handler", json!(handler.name())),
                ("effect", json!(handler.effect(image.bits()))),
            ]
        })
        .collect()
}

fn counts(placed: &Placed<'_>) -> Vec<(&'static str, Value)> {
    let image = &placed.image;
    let c = image.fixups().counts(image.extable().entries());
    vec![
        ("layout", json!(image.extable().layout().map(|l| l.name()))),
        ("entries", json!(c.entries)),
        ("in_function", json!(c.in_function)),
        ("anonymous", json!(c.anonymous)),
        ("anonymous_landings", json!(c.anonymous_landings)),
        ("shared_landings", json!(c.shared_landings)),
        ("cross_function", json!(c.cross_function)),
        ("cold", json!(c.cold)),
        ("retry", json!(c.retry)),
        ("transfer", json!(c.transfer)),
        ("outside_text", json!(c.outside_text)),
    ]
}

fn fixups(placed: &Placed<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let image = &placed.image;
    let covers = |code: &[(LinkAddr, u8)]| {
        let end = |at: LinkAddr, len: u8| at.0.saturating_add(len.into());
        code.iter()
            .any(|(at, len)| *at < wanted.end && end(*at, *len) > wanted.start.0)
    };
    let blocks = image.fixups().blocks().iter();
    let blocks = blocks.filter(|b| wanted.contains(&b.landing) || covers(&b.code));
    blocks
        .map(|b| {
            let found = attribute(image, Pc::Exact(b.landing));
            // A landing in a function is that function's, also where its code goes on to what is no function's.
            let outside = || attribute(image, Pc::Exact(b.code.first()?.0)).fixup;
            let fixup = found.fixup.clone().or_else(outside);
            let origins = fixup.iter().flat_map(|f| &f.origins);
            let mut origins: Vec<_> = origins.map(|o| named(&o.function)).collect();
            origins.sort_unstable();
            origins.dedup();
            let bytes = b.code.iter().map(|(_, len)| u32::from(*len)).sum::<u32>();
            let exits = b.exits.iter().map(|e| exit(placed, e));
            vec![
                ("landing", addr(placed, b.landing)),
                ("symbol", nearest(placed, b.landing)),
                ("function", function(&found)),
                ("bytes", json!(bytes)),
                ("entries", json!(b.rows.len())),
                ("origins", json!(origins)),
                ("exits", json!(exits.collect::<Vec<_>>())),
            ]
        })
        .collect()
}

/// An exit: where in which function the block rejoins it, else how it is left.
fn exit(placed: &Placed<'_>, exit: &Exit) -> Value {
    let symbols = placed.image.symbols();
    match exit {
        Exit::Resume(at) | Exit::TailCall(at) => match symbols.function(*at) {
            Some(id) => {
                let offset = at.0.wrapping_sub(symbols.get(id).addr.0);
                json!(format!("{}+{offset:#x}", symbols.name(id)))
            }
            None => nearest(placed, *at),
        },
        other => json!(other.name()),
    }
}

fn symbols(placed: &Placed<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let all = placed.image.symbols().iter().map(|(_, s)| s);
    all.filter(|s| {
        wanted.contains(&s.addr)
            || (s.addr <= wanted.start && s.addr.0.saturating_add(s.extent) > wanted.start.0)
    })
    .map(|s| {
        vec![
            ("address", addr(placed, s.addr)),
            ("size", json!(s.size.map(|n| format!("{n:#x}")))),
            ("extent", json!(format!("{:#x}", s.extent))),
            ("kind", json!(if s.function { "function" } else { "label" })),
            ("bind", json!(if s.global { "global" } else { "local" })),
            ("name", json!(shortened(s.name))),
        ]
    })
    .collect()
}

fn sections(placed: &Placed<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let image = &placed.image;
    let all = *wanted == (LinkAddr(0)..LinkAddr(u64::MAX));
    let shown = image
        .sections()
        .iter()
        .skip(1)
        .filter(|s| all || s.contains(wanted.start));
    // The loader places a module's data apart from its code, nobody knows where.
    let known = image.kind() != ImageKind::Module || placed.slide.is_none();
    shown
        .map(|s| {
            let at = s.addr.filter(|_| known || s.is_text());
            vec![
                ("name", json!(s.name)),
                ("address", at.map_or(Value::Null, |a| addr(placed, a))),
                ("offset", json!(format!("{:#x}", s.offset))),
                ("size", json!(format!("{:#x}", s.size))),
                ("entsize", json!(s.entsize)),
                ("text", json!(s.is_text())),
            ]
        })
        .collect()
}
