//! `fixtrace inspect`: which rows of which image, and printing them.

mod tables;

use std::io::Write;
use std::ops::Range;

use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::engine::query::{self, Query};
use fixtrace::low::products::report::json::{self, Value, json};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::{Kernel, Located};
use fixtrace::low::world::session::{self, Wanted};
use tables::{Rows, Shown, table};

use super::args::{Inspect, Table};
use super::exit::{Exit, Failure};
use super::{open, out, table as columns};

/// Runs the verb.
pub fn run(args: &Inspect) -> Result<Exit, Failure> {
    let session = open::session(&args.images, Wanted::default())?;
    let shown = session::with(&session, |view| show(args, &view.kernel()));
    // Debug information is read as it is shown.
    open::say(&args.images, session.noticed());
    shown
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
        let Shown {
            totals,
            rows,
            missing,
        } = table(args.table, placed, &wanted)?;
        any |= !rows.is_empty();
        if let Some(why) = missing {
            open::warn(&args.images, &why);
        }
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
    let head: Vec<String> = rows[0].iter().map(|(k, _)| k.replace('_', " ")).collect();
    let body = rows
        .iter()
        .map(|row| row.iter().map(|(_, v)| cell(v)).collect());
    let table = columns::table(std::iter::once(head).chain(body), None);
    Ok(write!(out, "{table}")?)
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
        let (from, to) = (point(kernel, from)?, point(kernel, to)?);
        if !std::ptr::eq(from.image, to.image) || to.range.start < from.range.start {
            return Err(Failure::new(
                format!("{text}: no range of one image"),
                "give A..B with A before B",
            ));
        }
        return Ok((from.image, from.range.start..to.range.start));
    }
    let Named { image, mut range } = point(kernel, text)?;
    // The ORC row that covers an address begins before it.
    if table == Table::Orc
        && let Ok(Some(orc)) = image.orc()
        && let Some((at, _)) = orc.find(range.start).and_then(|(row, _)| orc.row(row))
    {
        range.start = at;
    }
    Ok((image, range))
}

/// What a word names.
struct Named<'k, 'd> {
    image: &'k Image<'d>,
    range: Range<LinkAddr>,
}

fn point<'k, 'd>(kernel: &'k Kernel<'d>, text: &str) -> Result<Named<'k, 'd>, Failure> {
    let hint = "give ADDR, MODULE:ADDR, SYMBOL, SYMBOL+OFF or A..B";
    let nothing = || Failure::new(format!("{text}: in none of the images given"), hint);
    match Query::parse(text) {
        Some(Query::Address(image, addr)) => {
            let text_there = query::places(kernel, image, addr);
            // Sections of data have addresses, too.
            let data = || {
                let mut all = kernel.images().iter();
                all.find_map(|p| {
                    let link = p.slide.unwrap_or_default().link(addr);
                    let held = p.image.sections().iter().any(|s| s.contains(link));
                    held.then(|| p.at(link))
                })
            };
            let Located { image, link, .. } = match text_there[..] {
                [] => data().ok_or_else(nothing)?,
                [one] => one,
                _ => {
                    let what = format!("{text}: in {} of the modules given", text_there.len());
                    return Err(Failure::new(what, hint));
                }
            };
            let range = link..LinkAddr(link.0.saturating_add(1));
            Ok(Named { image, range })
        }
        Some(Query::Symbol(q)) => {
            let matches = query::resolve(kernel, &q);
            let [one] = matches[..] else {
                let what = format!("{text}: {} symbols of that name", matches.len());
                return Err(Failure::new(what, "give an address, or SYMBOL+OFF/SIZE"));
            };
            let (image, at) = (one.located.image, one.located.link);
            let whole = image
                .symbols()
                .nearest(at)
                .map(|id| image.symbols().get(id))
                .filter(|_| q.offset == 0);
            let len = whole.map_or(1, |s| s.size.unwrap_or(s.extent).max(1));
            let range = at..at.offset(len.cast_signed());
            Ok(Named { image, range })
        }
        None => Err(nothing()),
    }
}
