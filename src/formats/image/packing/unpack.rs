//! All of a packed file, unpacked as it is read.

use std::io::{self, Read};

use super::gzip::Gzip;
use super::input::Input;
use super::kind::Packing;
use super::out::Out;
use super::step::{Break, Step};
use super::xz::Xz;
use super::zstd::Zstd;
use crate::base::error::{Error, ErrorKind, Finding, Place, Result};
use crate::base::limits::Limits;

/// Bytes that show how a member is packed.
const MAGIC: usize = 6;

/// A file is made of any number of these: gzip calls them members, xz streams, zstd frames.
enum Member {
    Gzip(Box<Gzip>),
    Xz(Box<Xz>),
    Zstd(Box<Zstd>),
}

impl Member {
    fn name(&self) -> &'static str {
        match self {
            Member::Gzip(_) => "gzip",
            Member::Xz(_) => "xz",
            Member::Zstd(_) => "zstd",
        }
    }

    /// Whether one begins with `bytes`.
    fn begins(&self, bytes: &[u8]) -> bool {
        let packing = match self {
            Member::Gzip(_) => Packing::Gzip,
            Member::Xz(_) => Packing::Xz,
            Member::Zstd(_) => Packing::Zstd,
        };
        Packing::of(bytes) == packing
    }

    fn begin<R: Read>(&mut self, input: &mut Input<R>) -> std::result::Result<Step, Break> {
        match self {
            Member::Gzip(gzip) => gzip.begin(input)?,
            Member::Xz(xz) => xz.begin(),
            Member::Zstd(zstd) => return zstd.begin(input),
        }
        Ok(Step::More)
    }

    fn more<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut Out,
    ) -> std::result::Result<Step, Break> {
        match self {
            Member::Gzip(gzip) => gzip.more(input, out),
            Member::Xz(xz) => xz.more(input, out),
            Member::Zstd(zstd) => zstd.more(input, out),
        }
    }
}

/// The contents of a packed file: of all its members, one after the other. Zeroes behind a member pad the file.
///
/// A file that is cut or damaged gives what stands before that place: reading never fails, and [`Unpack::findings`] has
/// what was wrong.
pub struct Unpack<R> {
    input: Input<R>,
    member: Member,
    /// Whether it is open, and whether any was.
    open: bool,
    begun: bool,
    /// Whether none comes any more.
    ended: bool,
    out: Out,
    findings: Vec<Finding>,
    /// Whether something else stands behind the members.
    tail: bool,
    limits: Limits,
    /// Bytes unpacked so far.
    unpacked: u64,
}

impl<R: Read> Unpack<R> {
    /// Unpacks `input`, which begins with a member.
    ///
    /// # Errors
    ///
    /// When files packed so have no members.
    pub fn new(packing: Packing, input: R) -> Result<Self> {
        let member = match packing {
            Packing::Gzip => Member::Gzip(Box::new(Gzip::new())),
            Packing::Xz => Member::Xz(Box::new(Xz::new())),
            Packing::Zstd => Member::Zstd(Box::new(Zstd::new())),
            _ => {
                let what = "not a compressed stream";
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
        };
        Ok(Unpack {
            input: Input::new(input),
            member,
            open: false,
            begun: false,
            ended: false,
            out: Out::default(),
            findings: Vec::new(),
            tail: false,
            limits: Limits {
                unpacked: u64::MAX,
                unpack_ratio: u64::MAX,
                ..Limits::default()
            },
            unpacked: 0,
        })
    }

    /// The same, which gives no more than `limits` say of the packed bytes that were read.
    pub fn within(mut self, limits: &Limits) -> Self {
        self.limits = limits.clone();
        self
    }

    /// Whether all that was wrong is that something else stands behind the members.
    pub(crate) fn is_whole(&self) -> bool {
        self.findings.is_empty() || self.tail && self.findings.len() == 1
    }

    /// What was wrong so far. Once reading has come to the end, all that was.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Steps of work that what was read so far may take.
    pub fn steps(&self) -> u64 {
        self.limits.steps_of(self.input.at())
    }

    /// Whether what was read so far is packed at all: the header of a member is in it.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Unpacks some more into `out`, which is empty.
    fn more(&mut self) {
        let step = match self.open {
            true => self.member.more(&mut self.input, &mut self.out),
            false => match self.next() {
                true => self.member.begin(&mut self.input),
                false => return self.ended = true,
            },
        };
        match step {
            Ok(step) => {
                self.open = step == Step::More;
                self.begun = true;
                if step == Step::Unsound && self.findings.is_empty() {
                    let what = "the checksum that ends here is not of what was packed".to_owned();
                    self.find(self.input.at(), what);
                }
            }
            Err(why) => {
                self.ended = true;
                self.broken(why);
            }
        }
    }

    /// Whether there is another member.
    fn next(&mut self) -> bool {
        while self.input.ahead(1).first() == Some(&0) {
            self.input.consume(1);
        }
        let ahead = self.input.ahead(MAGIC);
        if self.member.begins(ahead) {
            return true;
        }
        let (none, cut) = (ahead.is_empty(), Packing::may_show(ahead));
        self.tail = !none && self.input.failed.is_none();
        if self.input.failed.is_some() || !none && cut {
            self.broken(Break::Cut("the rest of a header"));
        } else if !none {
            let name = self.member.name();
            let what = format!("no {name} data from here on: left out");
            self.find(self.input.at(), what);
        }
        false
    }

    fn broken(&mut self, why: Break) {
        let name = self.member.name();
        let (at, what) = match (self.input.failed.take(), why) {
            (Some(e), _) => (self.input.end(), format!("cannot be read further: {e}")),
            (None, Break::Cut(what)) => (
                self.input.end(),
                format!("the {name} data are cut off: {what} was expected"),
            ),
            (None, Break::Damaged(why)) => (
                self.input.at(),
                format!("the {name} data are damaged ({why}): what comes behind is left out"),
            ),
        };
        self.find(at, what);
    }

    fn find(&mut self, at: u64, message: String) {
        let place = Place {
            offset: Some(at),
            ..Place::default()
        };
        self.findings.push(Finding { place, message });
    }
}

impl<R: Read> Read for Unpack<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.out.is_empty() && !self.ended {
            self.out.clear();
            self.more();
        }
        let most = self.limits.unpacked_of(self.input.at());
        let left = usize::try_from(most.saturating_sub(self.unpacked)).unwrap_or(usize::MAX);
        if left == 0 && !self.out.is_empty() {
            let what = format!(
                "unpacks to more than {most} bytes (limits unpacked, unpack-ratio): the rest is left out"
            );
            self.find(self.input.at(), what);
            self.out.clear();
            self.ended = true;
        }
        let room = out.len().min(left);
        let len = self.out.read(&mut out[..room]);
        self.unpacked += len as u64;
        Ok(len)
    }
}
