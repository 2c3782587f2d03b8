//! A file that is cut while the program has it mapped: it is named, and the exit code says that it could not be read. Each
//! test has the program wait where the file is mapped and not yet read.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::common::table::{TEXT, sound};
use crate::common::{dump, scratch, testdata};
use crate::run::{demo, fixtrace, stderr};

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_fixtrace"))
        .args(args)
        .env("NO_COLOR", "1")
        .env(
            "XDG_CACHE_HOME",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/no-cache"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn cut(path: &Path, len: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    file.set_len(len).expect("cut");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

fn scene(name: &str) -> PathBuf {
    scratch("shrunk", name)
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
}

/// `child` ends as one whose input `path` shrank.
fn named(child: Child, path: &Path) {
    let out = child.wait_with_output().expect("the program ends");
    let said = stderr(&out);
    let wanted = format!(
        "fixtrace: error: {}: shrank while it was read",
        path.display()
    );
    assert!(said.contains(&wanted), "{said}");
    assert_eq!(out.status.code(), Some(2), "{said}");
}

/// `image` shrinks while `lookup` has it open and waits for questions.
fn cut_between_questions(image: &Path) {
    let mut child = start(&["lookup", "--vmlinux", text(image)]);
    let mut ask = child.stdin.take().expect("piped");
    ask.write_all(b"no_such_symbol\n").expect("asked");
    let mut said = String::new();
    // All of standard error belongs to this until it is given back.
    let mut words = BufReader::new(child.stderr.take().expect("piped"));
    words.read_line(&mut said).expect("an answer");
    assert!(said.contains("no_such_symbol"), "{said}");
    cut(image, 100);
    ask.write_all(b"0xffffffff81c01d27\n").expect("asked");
    drop(ask);
    let mut rest = String::new();
    words.read_to_string(&mut rest).expect("words");
    let wanted = format!(
        "fixtrace: error: {}: shrank while it was read",
        image.display()
    );
    assert!(rest.contains(&wanted), "{rest}");
    assert_eq!(child.wait().expect("the end").code(), Some(2));
}

#[test]
fn an_image_that_shrinks_is_named() {
    let image = scene("image").join("vmlinux");
    std::fs::copy(demo(), &image).expect("copied");
    cut_between_questions(&image);
}

#[test]
fn an_index_that_shrinks_is_named() {
    let index = scene("index").join("vmlinux.fxi");
    let made = fixtrace(&["index", &demo(), "-o", text(&index)], b"");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    cut_between_questions(&index);
}

/// `file` shrinks while `unwind` waits for its image, which comes from a pipe.
fn cut_before_the_image_comes(dir: &Path, file: &Path, kernel: Vec<u8>) {
    let image = dir.join("vmlinux");
    pipe(&image);
    let child = start(&["unwind", text(file), "--vmlinux", text(&image)]);
    // Opened when the program has opened it.
    let mut send = OpenOptions::new().write(true).open(&image).expect("a pipe");
    cut(file, 10);
    // It may end before it has read all.
    let _ = send.write_all(&kernel);
    drop(send);
    named(child, file);
}

#[test]
fn a_snapshot_that_shrinks_is_named() {
    let dir = scene("snapshot");
    let file = dir.join("demo.fxs");
    std::fs::copy(testdata("demo.fxs"), &file).expect("copied");
    let kernel = std::fs::read(demo()).expect("an image");
    cut_before_the_image_comes(&dir, &file, kernel);
}

#[test]
fn a_dump_that_shrinks_is_named() {
    let dir = scene("dump");
    let file = dir.join("vmcore");
    let kernel = sound().placed(2);
    let physical = |(at, bytes): (u64, Vec<u8>)| (at - TEXT + 0x100_0000, bytes);
    let pieces = kernel.memory(&[0, 17]).into_iter().map(physical);
    // Something first: what is left of a page reads as zeroes.
    let pieces = [(0, vec![0; 1 << 14])].into_iter().chain(pieces);
    let release = kernel.release;
    let told = format!("OSRELEASE={release}\nKERNELOFFSET=0\nNUMBER(phys_base)=0\n");
    let bytes = dump::write(&told, &pieces.collect::<Vec<_>>());
    std::fs::write(&file, bytes).expect("written");
    cut_before_the_image_comes(&dir, &file, kernel.write());
}

#[test]
fn a_log_that_shrinks_is_named() {
    let log = scene("log").join("kern.log");
    let line =
        "[    1.000000] nothing happened here, and it took its time to do so, as things do\n";
    std::fs::write(&log, line.repeat((18 << 20) / line.len())).expect("written");
    // One that is still written to is not mapped.
    let file = File::options().write(true).open(&log).expect("a file");
    let then = SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(then).expect("older");
    let mut child = start(&["symbolize", text(&log)]);
    drop(child.stdin.take());
    let mut first = [0; 80];
    let stdout = child.stdout.as_mut().expect("piped");
    stdout.read_exact(&mut first).expect("its first line");
    cut(&log, 4096);
    named(child, &log);
}

#[test]
fn a_signal_that_is_of_no_mapping_ends_the_program_as_ever() {
    let mut child = start(&["lookup", "--vmlinux", &demo()]);
    let mut ask = child.stdin.take().expect("piped");
    ask.write_all(b"0xffffffff81c01d27\n").expect("asked");
    let stdout = child.stdout.as_mut().expect("piped");
    stdout.read_exact(&mut [0; 10]).expect("an answer");
    // The handler of the standard library takes the first as one of its own.
    for _ in 0..50 {
        let id = child.id().to_string();
        let _ = Command::new("kill").args(["-BUS", &id]).status();
        std::thread::sleep(Duration::from_millis(10));
        if child.try_wait().expect("a child").is_some() {
            break;
        }
    }
    drop(ask);
    let out = child.wait_with_output().expect("the end");
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&out.status),
        Some(7)
    );
    assert_eq!(stderr(&out), "");
}
