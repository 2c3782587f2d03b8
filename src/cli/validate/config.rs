//! `--config`: what a tree asks of its builds, in a TOML file.
//!
//! ```toml
//! fail-on = "warning"
//! sample = 16
//! checks = ["orc", "extable"]
//!
//! [[allow]]
//! check = "orc-gap"
//! function = "bad_get_user*"
//! reason = "assembler without annotations"
//! ```

use std::path::Path;

use clap::ValueEnum;
use fixtrace::low::base::nearest::nearest;
use fixtrace::low::products::validate::{Allow, catalog};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::args::{Checks, FailOn};
use crate::cli::exit::Failure;

/// Bytes that such a file may have.
const MAX: u64 = 1 << 24;

/// What a file asks for.
#[derive(Default)]
pub struct Config {
    /// What fails.
    pub fail_on: Option<FailOn>,
    /// How often debug information is asked.
    pub sample: Option<u32>,
    /// Families to run.
    pub checks: Vec<Checks>,
    /// What is allowed.
    pub allow: Vec<Allow>,
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Config, Failure> {
    let bad = |what: String| Failure::new(format!("{}: {what}", path.display()), "check --config");
    let meta = std::fs::metadata(path).map_err(|e| bad(e.to_string()))?;
    if meta.len() > MAX {
        return Err(bad("too long for a configuration".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let on_line = |at: usize, what: &str| {
        let line = text.get(..at).map_or(0, |t| t.matches('\n').count()) + 1;
        bad(format!("line {line}: {what}"))
    };
    let table = DeTable::parse(&text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        on_line(at, &e.message().replace('\n', ", "))
    })?;
    parse(table.get_ref()).map_err(|(at, what)| on_line(at, &what))
}

/// Where something is wrong, and what.
type Wrong = (usize, String);

fn parse(table: &DeTable<'_>) -> Result<Config, Wrong> {
    let mut config = Config::default();
    for (key, value) in table {
        let at = key.span().start;
        match key.get_ref().as_ref() {
            "fail-on" => config.fail_on = Some(choice(value)?),
            "sample" => config.sample = Some(number(value)?),
            "checks" => {
                let all = array(value)?;
                config.checks = all.iter().map(choice).collect::<Result<_, _>>()?;
            }
            "allow" => {
                config.allow = array(value)?.iter().map(allow).collect::<Result<_, _>>()?;
            }
            other => {
                return Err(unknown(
                    at,
                    other,
                    &["fail-on", "sample", "checks", "allow"],
                ));
            }
        }
    }
    Ok(config)
}

fn allow(value: &Spanned<DeValue<'_>>) -> Result<Allow, Wrong> {
    let DeValue::Table(table) = value.get_ref() else {
        return Err(wrong(value, "a table is expected: [[allow]]"));
    };
    let (mut id, mut function, mut reason) = (None, None, None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "check" => {
                let name = string(value)?;
                known(&name).map_err(|what| wrong(value, &what))?;
                id = Some(name);
            }
            "function" => function = Some(string(value)?),
            "reason" => reason = Some(string(value)?),
            other => {
                let at = key.span().start;
                return Err(unknown(at, other, &["check", "function", "reason"]));
            }
        }
    }
    let id = id.ok_or_else(|| wrong(value, "[[allow]] names no check"))?;
    Ok(Allow {
        id,
        function,
        reason,
    })
}

/// Whether a check is called `id`; else what might have been meant.
pub fn known(id: &str) -> Result<(), String> {
    if catalog::find(id).is_some() {
        return Ok(());
    }
    let near = nearest(id, catalog::all().map(|c| c.id));
    let near = match near.is_empty() {
        true => "fixtrace explain lists all".to_owned(),
        false => format!("did you mean {}?", near.join(", ")),
    };
    Err(format!("no check is called {id:?}; {near}"))
}

fn wrong(value: &Spanned<DeValue<'_>>, what: &str) -> Wrong {
    (value.span().start, what.to_owned())
}

fn unknown(at: usize, key: &str, keys: &[&str]) -> Wrong {
    let what = format!("unknown key {key:?}; there are {}", keys.join(", "));
    (at, what)
}

fn string(value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err(wrong(value, "a string is expected")),
    }
}

fn array<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Result<&'t [Spanned<DeValue<'i>>], Wrong> {
    match value.get_ref() {
        DeValue::Array(all) => Ok(all),
        _ => Err(wrong(value, "an array is expected")),
    }
}

fn number(value: &Spanned<DeValue<'_>>) -> Result<u32, Wrong> {
    let read = match value.get_ref() {
        DeValue::Integer(n) => u32::from_str_radix(n.as_str(), n.radix()).ok(),
        _ => None,
    };
    let read = read.filter(|n| *n > 0);
    read.ok_or_else(|| wrong(value, "a number from 1 on is expected"))
}

/// One of the values that the command line takes.
fn choice<T: ValueEnum>(value: &Spanned<DeValue<'_>>) -> Result<T, Wrong> {
    let text = string(value)?;
    T::from_str(&text, false).map_err(|_| {
        let all = T::value_variants().iter().filter_map(T::to_possible_value);
        let all: Vec<String> = all.map(|v| v.get_name().to_owned()).collect();
        wrong(value, &format!("{text:?} is none of {}", all.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let table = DeTable::parse(text).expect("TOML");
        match parse(table.get_ref()) {
            Ok(_) => panic!("no error"),
            Err((_, what)) => what,
        }
    }

    #[test]
    fn what_a_file_says_is_read() {
        let text = "fail-on = 'never'\nsample = 8\nchecks = ['orc', 'lines']\n";
        let table = DeTable::parse(text).expect("TOML");
        let Ok(config) = parse(table.get_ref()) else {
            panic!("no configuration");
        };
        assert_eq!(config.fail_on, Some(FailOn::Never));
        assert_eq!(config.sample, Some(8));
        assert_eq!(config.checks, [Checks::Orc, Checks::Lines]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(error("sample = 0").contains("from 1"));
        assert!(error("fail-on = 'fatal'").contains("error, warning, note, never"));
        assert!(error("failon = 1").contains("fail-on"));
        assert!(error("[[allow]]\nreason = 'x'").contains("names no check"));
        assert!(error("[[allow]]\ncheck = 'no-such'").contains("no check is called"));
    }
}
