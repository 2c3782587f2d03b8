//! The log of a dump as text, as `dmesg` shows it.

use std::io::Write;

use super::truth::annotate::MARK;
use crate::world::dump::log::{Log, Record};

/// `log` as text: each line begins with the time of its record, as `print_time()` writes it (kernel/printk/printk.c)
/// and as `record_print_text()` repeats it for the lines within a record. Whatever is no printable ASCII is written as
/// `\x1b`: a log may hold what a user wrote, and a terminal must not obey that.
pub fn dmesg(log: &Log) -> Vec<u8> {
    let mut out = Vec::new();
    for record in &log.records {
        let stamp = stamp(record);
        match &record.text {
            Some(text) => {
                for line in text.split(|b| *b == b'\n') {
                    out.extend(stamp.as_bytes());
                    escape(line, &mut out);
                    out.push(b'\n');
                }
            }
            None => {
                out.extend(format!("{stamp}{MARK}the text of this record is lost\n").as_bytes())
            }
        }
    }
    out
}

/// `[    8.206046] `
fn stamp(record: &Record) -> String {
    let (seconds, rest) = (record.time / 1_000_000_000, record.time % 1_000_000_000);
    format!("[{seconds:5}.{:06}] ", rest / 1000)
}

fn escape(line: &[u8], out: &mut Vec<u8>) {
    for byte in line {
        match byte {
            b'\t' | b' '..=b'~' => out.push(*byte),
            // Memory takes all that is written.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
}
