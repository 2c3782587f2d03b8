//! Findings in the form that is asked for, image by image.

use std::io::Write;
use std::path::{Path, PathBuf};

use fixtrace::low::products::report::human::Style;
use fixtrace::low::products::report::human::validation::Told;
use fixtrace::low::products::report::{github, json, junit, sarif};
use fixtrace::low::products::validate::check::Check;
use fixtrace::low::products::validate::{Report, catalog};

use crate::cli::args::{Findings, Validate};
use crate::cli::exit::Failure;
use crate::cli::table::table;
use crate::cli::{inputs, open, out};

/// Where findings go.
pub struct Show<'a> {
    args: &'a Validate,
    out: Box<dyn Write>,
    style: Style,
    told: Told,
    sarif: Option<sarif::Writer>,
}

impl<'a> Show<'a> {
    /// As `args` ask for it, of the images `files`.
    pub fn new(args: &'a Validate, files: &[PathBuf]) -> Result<Self, Failure> {
        Ok(Show {
            args,
            out: out::writer(&args.out, &inputs::of_validate(args, files))?,
            style: out::style(&args.out),
            told: Told::default(),
            sarif: None,
        })
    }

    /// What comes before all images; `single` if there is only one.
    pub fn begin(&mut self, single: bool) -> Result<(), Failure> {
        self.told.list = self.args.list;
        self.told.single = single;
        let mut text = String::new();
        match self.args.form() {
            Findings::Sarif => {
                let rules: Vec<&'static Check> = catalog::all().collect();
                self.sarif = Some(sarif::Writer::new(rules, &mut text));
            }
            Findings::Junit => text.push_str(junit::HEAD),
            Findings::Text | Findings::Json | Findings::Github => {}
        }
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// One image.
    pub fn report(&mut self, report: &Report) -> Result<(), Failure> {
        let mut text = String::new();
        match self.args.form() {
            Findings::Text => self.told.report(report, self.style, &mut text),
            Findings::Json => {
                text = json::line(&json::validation::Validation::new(report));
                text.push('\n');
            }
            Findings::Sarif => {
                if let Some(sarif) = &mut self.sarif {
                    sarif.report(report, &mut text);
                }
            }
            Findings::Junit => junit::suite(report, &mut text),
            Findings::Github => {
                self.told.count(report);
                github::report(report, self.args.list, &mut text);
            }
        }
        self.out.write_all(text.as_bytes())?;
        // Thousands of images take a while: what is known is shown.
        Ok(self.out.flush()?)
    }

    /// An image that cannot be read.
    pub fn unreadable(&mut self, path: &Path, why: &Failure) -> Result<(), Failure> {
        let mut text = String::new();
        match self.args.form() {
            Findings::Sarif => {
                if let Some(sarif) = &mut self.sarif {
                    sarif.unreadable(&why.line());
                }
            }
            Findings::Junit => {
                junit::unreadable(&path.display().to_string(), &why.line(), &mut text);
            }
            Findings::Text | Findings::Json | Findings::Github => {}
        }
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// What comes behind all images.
    pub fn end(&mut self) -> Result<(), Failure> {
        let mut text = String::new();
        match self.args.form() {
            Findings::Text => {
                self.told.counts(self.style, &mut text);
                if !text.is_empty() {
                    text.push('\n');
                }
                match self.told.single {
                    true => self.told.summary(self.style, &mut text),
                    false => text.push_str(&table(self.told.table(), Some(1))),
                }
            }
            Findings::Json | Findings::Github => {}
            Findings::Sarif => {
                if let Some(sarif) = self.sarif.take() {
                    sarif.close(&mut text);
                }
            }
            Findings::Junit => text.push_str(junit::TAIL),
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()?;
        if self.args.form() == Findings::Github {
            // Annotations have no room for numbers: these are for the log of the job.
            let mut text = String::new();
            self.told.summary(Style::default(), &mut text);
            open::warn(&self.args.sources(), text.trim_end());
        }
        Ok(())
    }
}
