//! The product's way out: a file or standard output, with colour or without.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style as Ansi};
use fixtrace::low::base::error::{Error, ErrorKind};
use fixtrace::low::base::file_id::{FileId, dir_of};
use fixtrace::low::base::output;
use fixtrace::low::products::report::human::Style;

use super::args::{Color, Output};
use super::exit::Failure;

/// Opens what `out` names, which may be none of `inputs`. Standard output is line-buffered on request only, by flushing.
pub fn writer(out: &Output, inputs: &[FileId]) -> Result<Box<dyn Write>, Failure> {
    match &out.output {
        Some(path) => {
            let file = output::stream(path, inputs).map_err(|e| failure(&e))?;
            Ok(Box::new(BufWriter::new(file)))
        }
        None => {
            output::check_standard(inputs).map_err(|e| failure(&e))?;
            Ok(standard())
        }
    }
}

/// Refuses what `path` names, if it is no place for a product: before the work, not behind it.
pub fn check(path: Option<&Path>, inputs: &[FileId]) -> Result<(), Failure> {
    let checked = path.map(|path| output::check(path, inputs)).transpose();
    checked.map_err(|e| failure(&e))?;
    Ok(())
}

/// Refuses two products in one file.
pub fn apart(one: Option<&Path>, other: Option<&Path>) -> Result<(), Failure> {
    // Before there is a file, its name in its directory tells.
    let place = |path: &Path| {
        let dir = dir_of(path).canonicalize().ok()?;
        Some(dir.join(path.file_name()?))
    };
    let (Some(one), Some(other)) = (one, other) else {
        return Ok(());
    };
    let known = FileId::at(one).is_some_and(|id| FileId::at(other) == Some(id));
    match known || place(one).is_some_and(|at| place(other) == Some(at)) {
        false => Ok(()),
        true => Err(Failure::new(
            format!("{}: two products cannot be one file", one.display()),
            "name another file for one of them",
        )),
    }
}

/// A product that cannot be written, and what to do about it.
pub fn failure(e: &Error) -> Failure {
    let hint = match e.kind() {
        ErrorKind::NoOutput => "name a file, or leave the option out and redirect standard output",
        ErrorKind::Contradiction => "name another file",
        _ => "name a file that can be written",
    };
    Failure::new(e.to_string(), hint)
}

/// Standard output.
pub fn standard() -> Box<dyn Write> {
    Box::new(BufWriter::with_capacity(
        1 << 16,
        Standard(io::stdout().lock()),
    ))
}

/// What standard output is called.
const STANDARD: &str = "standard output";

/// Standard output, whose errors say so.
struct Standard(StdoutLock<'static>);

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.0.write(bytes);
        done.map_err(|e| output::unwritten(&STANDARD, bytes, &e))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(standard_failed)
    }
}

/// An error of standard output.
pub fn standard_failed(e: io::Error) -> io::Error {
    output::unwritten(&STANDARD, &[], &e)
}

/// Whether the product goes to a terminal.
pub fn is_terminal(out: &Output) -> bool {
    out.output.is_none() && io::stdout().is_terminal()
}

/// The styles to use.
pub fn style(out: &Output) -> Style {
    let wanted = match out.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            is_terminal(out)
                && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
        }
    };
    if !wanted {
        return Style::default();
    }
    let escape =
        |style: Ansi| -> &'static str { Box::leak(style.render().to_string().into_boxed_str()) };
    Style {
        function: escape(Ansi::new().bold()),
        doubt: escape(AnsiColor::Yellow.on_default().bold()),
        bad: escape(AnsiColor::Red.on_default().bold()),
        label: escape(Ansi::new().dimmed()),
        reset: escape_reset(),
    }
}

fn escape_reset() -> &'static str {
    "\u{1b}[0m"
}
