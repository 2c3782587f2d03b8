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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::oops::read::reports::parse;

    fn shown(time: u64, text: Option<&[u8]>) -> String {
        let record = Record::new(time, text.map(<[u8]>::to_vec));
        let mut log = Log::default();
        log.records.push(record);
        String::from_utf8(dmesg(&log)).expect("ASCII")
    }

    #[test]
    fn lines_are_as_the_kernel_shows_them() {
        assert_eq!(
            shown(8_206_046_999, Some(b"done r=0")),
            "[    8.206046] done r=0\n"
        );
        assert_eq!(shown(123_456_789_012_345, Some(b"")), "[123456.789012] \n");
        assert_eq!(
            shown(0, Some(b"a\n b")),
            "[    0.000000] a\n[    0.000000]  b\n"
        );
        assert_eq!(
            shown(1_000_000_000, None),
            "[    1.000000]   => the text of this record is lost\n"
        );
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        let said = shown(0, Some(b"\x1b[2J\x07\r\x7f\xc3\xa9\\ \ttab"));
        assert_eq!(
            said,
            "[    0.000000] \\x1b[2J\\x07\\x0d\\x7f\\xc3\\xa9\\ \ttab\n"
        );
    }

    #[test]
    fn a_line_within_a_record_cannot_pass_for_one_of_another_time() {
        let forged = shown(
            5_000_000_000,
            Some(b"x\n[    1.000000] Oops: 0002 [#1] SMP"),
        );
        assert!(forged.ends_with("\n[    5.000000] [    1.000000] Oops: 0002 [#1] SMP\n"));
        let _ = parse(forged.as_bytes());
    }
}
