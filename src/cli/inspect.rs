//! `fixtrace inspect`

use std::io::Write;
use std::ops::Range;

use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::engine::query::{self, Query};
use fixtrace::low::formats::extable::walk::Exit as WayOut;
use fixtrace::low::products::report::json::{self, Value, json};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::{Kernel, Placed};
use fixtrace::low::world::session::{self, Wanted};
use tabled::builder::Builder;
use tabled::settings::Style;

use super::args::{Inspect, Table};
use super::exit::{Exit, Failure};
use super::{open, out};

/// Rows of a table: a JSON object each, whose keys are the columns.
type Rows = Vec<Vec<(&'static str, Value)>>;

/// Runs the verb.
pub fn run(args: &Inspect) -> Result<Exit, Failure> {
    let session = open::session(&args.images, Wanted::default())?;
    session::with(&session, |view| show(args, &view.kernel()))
}

fn show(args: &Inspect, kernel: &Kernel<'_>) -> Result<Exit, Failure> {
    let place = args
        .place
        .as_deref()
        .map(|p| range(kernel, p, args.table))
        .transpose()?;
    let mut out = out::writer(&args.out)?;
    let mut any = false;
    for placed in kernel.images() {
        let wanted = match &place {
            Some((image, range)) if std::ptr::eq(*image, &*placed.image) => range.clone(),
            Some(_) => continue,
            None => LinkAddr(0)..LinkAddr(u64::MAX),
        };
        let (totals, rows) = table(args.table, placed, &wanted)?;
        any |= !rows.is_empty();
        if kernel.images().len() > 1 && !args.json {
            writeln!(out, "{}", placed.image.name())?;
        }
        print(&mut *out, args, &placed.image, totals, rows)?;
    }
    out.flush()?;
    Ok(if any || place.is_none() {
        Exit::Done
    } else {
        Exit::Negative
    })
}

fn print(
    out: &mut dyn Write,
    args: &Inspect,
    image: &Image<'_>,
    totals: Vec<(&'static str, Value)>,
    rows: Rows,
) -> Result<(), Failure> {
    let name = args.table.schema();
    if args.json {
        let mut line = |kind: &str, fields: Vec<(&'static str, Value)>| -> Result<(), Failure> {
            let mut object = json::Map::new();
            object.insert("schema".into(), json!(format!("fixtrace.{kind}/1")));
            object.insert("image".into(), json!(image.name()));
            object.extend(fields.into_iter().map(|(k, v)| (k.to_owned(), v)));
            write!(out, "{}", json::line(&object))?;
            Ok(out.write_all(b"\n")?)
        };
        if !totals.is_empty() {
            line(&format!("{name}-counts"), totals)?;
        }
        return rows.into_iter().try_for_each(|row| line(name, row));
    }
    for (key, value) in &totals {
        writeln!(out, "{key:<20} {}", cell(value))?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    if !totals.is_empty() {
        writeln!(out)?;
    }
    let mut table = Builder::default();
    table.push_record(rows[0].iter().map(|(k, _)| k.replace('_', " ")));
    rows.iter()
        .for_each(|row| table.push_record(row.iter().map(|(_, v)| cell(v))));
    let mut table = table.build();
    Ok(writeln!(out, "{}", table.with(Style::blank()))?)
}

/// A value as a cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(s) => s.clone(),
        Value::Array(all) => all.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

impl Table {
    fn schema(self) -> &'static str {
        match self {
            Table::Orc => "orc",
            Table::Extable => "extable",
            Table::Fixups => "fixup",
            Table::Symbols => "symbol",
            Table::Sections => "section",
        }
    }
}

/// The image and link addresses that WHERE names.
fn range<'k, 'd>(
    kernel: &'k Kernel<'d>,
    text: &str,
    table: Table,
) -> Result<(&'k Image<'d>, Range<LinkAddr>), Failure> {
    if let Some((from, to)) = text.split_once("..") {
        let ((image, from), (other, to)) = (point(kernel, from)?, point(kernel, to)?);
        if !std::ptr::eq(image, other) || to.start < from.start {
            return Err(Failure::new(
                format!("{text}: no range of one image"),
                "give A..B with A before B",
            ));
        }
        return Ok((image, from.start..to.start));
    }
    let (image, mut range) = point(kernel, text)?;
    // The ORC row that covers an address begins before it.
    if table == Table::Orc
        && let Ok(Some(orc)) = image.orc()
        && let Some((at, _)) = orc.find(range.start).and_then(|(row, _)| orc.row(row))
    {
        range.start = at;
    }
    Ok((image, range))
}

fn point<'k, 'd>(
    kernel: &'k Kernel<'d>,
    text: &str,
) -> Result<(&'k Image<'d>, Range<LinkAddr>), Failure> {
    let nothing = || {
        Failure::new(
            format!("{text}: in none of the images given"),
            "give ADDR, SYMBOL, SYMBOL+OFF or A..B",
        )
    };
    match Query::parse(text) {
        Some(Query::Address(addr)) => {
            let located = kernel.locate(addr);
            let unplaced = || {
                let image = &kernel.images().first()?.image;
                Some((&**image, LinkAddr(addr.0)))
            };
            let (image, at) = located
                .map(|l| (l.image, l.link))
                .or_else(unplaced)
                .ok_or_else(nothing)?;
            Ok((image, at..LinkAddr(at.0.saturating_add(1))))
        }
        Some(Query::Symbol(q)) => {
            let matches = query::resolve(kernel, &q);
            let [one] = matches[..] else {
                let what = format!("{text}: {} symbols of that name", matches.len());
                return Err(Failure::new(what, "give an address, or SYMBOL+OFF/SIZE"));
            };
            let (image, at) = (&one.located.image, one.located.link);
            let whole = image
                .symbols()
                .nearest(at)
                .map(|id| image.symbols().get(id))
                .filter(|_| q.offset == 0);
            let len = whole.map_or(1, |s| s.size.unwrap_or(s.extent).max(1));
            Ok((image, at..at.offset(len.cast_signed())))
        }
        None => Err(nothing()),
    }
}

type Shown = (Vec<(&'static str, Value)>, Rows);

fn table(table: Table, placed: &Placed<'_>, wanted: &Range<LinkAddr>) -> Result<Shown, Failure> {
    let image = &placed.image;
    Ok(match table {
        Table::Orc => (Vec::new(), orc(image, wanted)?),
        Table::Extable => (Vec::new(), extable(image, wanted)),
        Table::Fixups => (counts(image), fixups(image, wanted)),
        Table::Symbols => (Vec::new(), symbols(image, wanted)),
        Table::Sections => (Vec::new(), sections(image, wanted)),
    })
}

fn name_of(image: &Image<'_>, at: LinkAddr) -> Value {
    match image.symbols().nearest(at) {
        Some(id) => {
            let s = image.symbols().get(id);
            json!(format!("{}+{:#x}", s.name, at.0.wrapping_sub(s.addr.0)))
        }
        None => Value::Null,
    }
}

fn addr(at: LinkAddr) -> Value {
    json!(at.to_string())
}

fn orc(image: &Image<'_>, wanted: &Range<LinkAddr>) -> Result<Rows, Failure> {
    let Some(orc) = image.orc()? else {
        return Err(Failure::new(
            format!("{}: no ORC table", image.path().display()),
            "was it stripped of .orc_unwind?",
        ));
    };
    let rows = orc.iter().filter(|(at, _)| wanted.contains(at));
    Ok(rows
        .map(|(at, e)| {
            vec![
                ("address", addr(at)),
                ("symbol", name_of(image, at)),
                ("cfa", json!(base(e.sp_reg, e.sp_offset))),
                ("bp", json!(base(e.bp_reg, e.bp_offset))),
                ("type", json!(format!("{:?}", e.kind))),
                ("signal", json!(e.signal)),
            ]
        })
        .collect())
}

fn base(reg: fixtrace::low::formats::orc::OrcReg, offset: i16) -> String {
    use fixtrace::low::formats::orc::OrcReg;
    match reg {
        OrcReg::Undefined => "-".to_owned(),
        OrcReg::PrevSp => format!("cfa{offset:+}"),
        OrcReg::BpIndirect => format!("*(bp{offset:+})"),
        OrcReg::SpIndirect => format!("*(sp){offset:+}"),
        OrcReg::Unknown(n) => format!("register {n}?"),
        other => format!("{}{offset:+}", format!("{other:?}").to_lowercase()),
    }
}

fn extable(image: &Image<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let table = image.extable();
    let rows = table.entries().iter().zip(image.fixups().rows());
    rows.filter(|(e, _)| wanted.contains(&e.insn) || wanted.contains(&e.fixup))
        .map(|(e, row)| {
            let handler = table.handler(image, e);
            vec![
                ("instruction", addr(e.insn)),
                ("function", name_of(image, e.insn)),
                ("fixup", addr(e.fixup)),
                ("fixup_symbol", name_of(image, e.fixup)),
                ("landing", json!(row.landing.name())),
                ("handler", json!(handler.name())),
                ("effect", json!(handler.effect(image.bits()))),
            ]
        })
        .collect()
}

fn counts(image: &Image<'_>) -> Vec<(&'static str, Value)> {
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

fn fixups(image: &Image<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let (map, entries) = (image.fixups(), image.extable().entries());
    let covers = |code: &[(LinkAddr, u8)]| {
        code.iter()
            .any(|(at, len)| *at < wanted.end && at.offset(i64::from(*len)) > wanted.start)
    };
    let blocks = map
        .blocks()
        .iter()
        .zip(0u32..)
        .filter(|(b, _)| wanted.contains(&b.landing) || covers(&b.code));
    blocks
        .map(|(b, number)| {
            let mut origins: Vec<String> = map
                .roots_of(&[number], entries)
                .roots
                .iter()
                .filter_map(|r| map.rows()[r.row as usize].owner)
                .map(|id| image.symbols().name(id).to_owned())
                .collect();
            origins.sort_unstable();
            origins.dedup();
            let exit = |e: &WayOut| match e {
                WayOut::Resume(a) | WayOut::TailCall(a) => name_of(image, *a),
                WayOut::Return => json!("return"),
                WayOut::Indirect => json!("indirect jump"),
                WayOut::Stop => json!("stop"),
            };
            vec![
                ("landing", addr(b.landing)),
                ("symbol", name_of(image, b.landing)),
                (
                    "bytes",
                    json!(b.code.iter().map(|(_, len)| u32::from(*len)).sum::<u32>()),
                ),
                ("entries", json!(b.rows.len())),
                ("origins", json!(origins)),
                ("exits", json!(b.exits.iter().map(exit).collect::<Vec<_>>())),
            ]
        })
        .collect()
}

fn symbols(image: &Image<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let all = image.symbols().iter().map(|(_, s)| s);
    all.filter(|s| {
        wanted.contains(&s.addr)
            || (s.addr <= wanted.start && s.addr.offset(s.extent as i64) > wanted.start)
    })
    .map(|s| {
        vec![
            ("address", addr(s.addr)),
            ("size", json!(s.size.map(|n| format!("{n:#x}")))),
            ("extent", json!(format!("{:#x}", s.extent))),
            ("kind", json!(if s.function { "function" } else { "label" })),
            ("bind", json!(if s.global { "global" } else { "local" })),
            ("name", json!(s.name)),
        ]
    })
    .collect()
}

fn sections(image: &Image<'_>, wanted: &Range<LinkAddr>) -> Rows {
    let all = *wanted == (LinkAddr(0)..LinkAddr(u64::MAX));
    let shown = image
        .sections()
        .iter()
        .skip(1)
        .filter(|s| all || s.contains(wanted.start));
    shown
        .map(|s| {
            vec![
                ("name", json!(s.name)),
                ("address", json!(s.addr.map(|a| a.to_string()))),
                ("offset", json!(format!("{:#x}", s.offset))),
                ("size", json!(format!("{:#x}", s.size))),
                ("entsize", json!(s.entsize)),
                ("text", json!(s.is_text())),
            ]
        })
        .collect()
}
