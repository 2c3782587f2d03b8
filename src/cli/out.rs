//! The product's way out: a file or standard output, with colour or without.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstyle::{AnsiColor, Style as Ansi};
use fixtrace::low::products::report::human::Style;

use super::args::{Color, Output};
use super::exit::Failure;

/// Opens what `out` names. Standard output is line-buffered on request only, by flushing.
pub fn writer(out: &Output) -> Result<Box<dyn Write>, Failure> {
    match &out.output {
        Some(path) => {
            let file = File::create(path)
                .map_err(|e| Failure::new(format!("{}: {e}", path.display()), "check -o"))?;
            Ok(Box::new(BufWriter::new(file)))
        }
        None => Ok(standard()),
    }
}

/// Standard output.
pub fn standard() -> Box<dyn Write> {
    Box::new(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
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
