use std::io::{BufWriter, Stdout, Write, stdout};

use crate::Result;

/// Takes frames: prints them, or touches them and prints totals.
pub struct Sink {
    out: BufWriter<Stdout>,
    print: bool,
    addresses: u64,
    frames: u64,
    sum: u64,
}

impl Sink {
    pub fn new(print: bool) -> Self {
        Sink {
            out: BufWriter::with_capacity(1 << 16, stdout()),
            print,
            addresses: 0,
            frames: 0,
            sum: 0,
        }
    }

    /// One frame; a directory is put before its file.
    pub fn frame(
        &mut self,
        function: Option<&str>,
        directory: Option<&str>,
        file: Option<&str>,
        line: Option<u32>,
    ) {
        let (function, file, line) = (
            function.unwrap_or("??"),
            file.unwrap_or("??"),
            line.unwrap_or(0),
        );
        if self.print {
            // An error comes back in `finish`.
            let _ = match directory {
                Some(directory) => writeln!(self.out, "{function} {directory}/{file}:{line}"),
                None => writeln!(self.out, "{function} {file}:{line}"),
            };
        } else {
            let read = |text: &str| text.bytes().map(u64::from).sum::<u64>();
            self.frames += 1;
            self.sum += read(function) + directory.map_or(0, read) + read(file) + u64::from(line);
        }
    }

    /// Behind the last frame of an address.
    pub fn end(&mut self) {
        if self.print {
            let _ = writeln!(self.out);
        }
        self.addresses += 1;
    }

    pub fn finish(mut self) -> Result<()> {
        if !self.print {
            writeln!(
                self.out,
                "{} addresses, {} frames, sum {}",
                self.addresses, self.frames, self.sum
            )?;
        }
        Ok(self.out.flush()?)
    }
}
