//! Questions asked of a [`Session`]: which function is at a place, or at a million of them; what a stack is.
//!
//! Answers about many places are made by all processors, neighbours in an image one after the other, with their debug
//! information read ahead; they come in the order asked.

use crate::base::addr::{Addr, LinkAddr, Pc};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::parallel;
use crate::base::regs::Regs;
use crate::engine::attribute::{Memo, narrow};
pub use crate::engine::found::{Found, Missed};
use crate::engine::query::{self, Query, SymbolQuery};
use crate::engine::remark::Remark;
use crate::engine::stack::resolve::{self, may_know};
use crate::engine::stack::{Cache, Detail, Frame, Stack, walked};
use crate::engine::unwind::Trust;
use crate::engine::unwind::kernel::{MAX_FRAMES, Unwinder, Witness};
use crate::world::code::CodeSource;
use crate::world::dump::{Context, Start};
use crate::world::kernel::{Kernel, Located};
use crate::world::memory::Memory;
use crate::world::reach::{Call, Reach, call_before};
use crate::world::session::{Session, with};

/// Places answered by one thread at a time.
const SHARE: usize = 512;

/// From so many places on, units of debug information are read whole: more of each will be wanted.
pub const MANY: usize = 1 << 14;

/// How places are asked for.
#[derive(Clone, Copy, Default, Debug)]
pub struct How<'q> {
    /// Whether they are return addresses: the call before each is looked up.
    pub returns: bool,
    /// The return address of the next frame outwards, in words; a witness for fixups that functions share.
    pub caller: Option<&'q str>,
    /// Without source lines.
    pub no_lines: bool,
    /// Whether more places than these are to come: units of debug information are read whole then.
    pub many: bool,
}

/// How a stack is walked.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// By which tables.
    pub by: Witness,
    /// To how many frames.
    pub max_frames: u32,
    /// Whether each frame is to have its registers.
    pub registers: bool,
    /// Whether each frame is to have the words of its stack.
    pub words: bool,
}

impl Walk {
    /// What is told of each frame, source lines if `lines`.
    pub(crate) fn detail(self, lines: bool) -> Detail {
        Detail {
            lines,
            registers: self.registers,
            words: self.words,
        }
    }
}

impl Default for Walk {
    fn default() -> Self {
        Walk {
            by: Witness::BOTH,
            max_frames: MAX_FRAMES,
            registers: false,
            words: false,
        }
    }
}

/// What was made of many answers: in shares, each by one thread.
pub struct Answers<A> {
    /// What was made of each share.
    pub shares: Vec<A>,
    /// For each answer, in the order asked, its share and its number there.
    pub places: Vec<(u32, u32)>,
}

impl Session {
    /// The function at a runtime address: with all candidates where that does not decide, and its source lines.
    pub fn attribute(&self, pc: Pc<Addr>) -> Frame<'static> {
        self.attribute_called(pc, None)
    }

    /// The same, with the return address of the next frame outwards as a witness.
    pub fn attribute_called(&self, pc: Pc<Addr>, caller: Option<Addr>) -> Frame<'static> {
        let lines = self.options().lines;
        with(self, |view| {
            let kernel = &*view.kernel();
            let Some(located) = kernel.locate(pc.lookup()) else {
                return Frame::nowhere(Some(pc), Trust::Text);
            };
            let link = pc.map(|at| located.slide.unwrap_or_default().link(at));
            let caller = caller.and_then(|at| kernel.locate(at));
            let caller = caller.map(|ret| Caller::read(kernel, ret));
            let located = located.at(link.raw());
            frame(
                kernel,
                located,
                link,
                caller.as_ref(),
                lines,
                &mut Memo::default(),
            )
            .into_owned()
        })
    }

    /// [`Session::attribute`] for many PCs, in the order asked.
    pub fn attribute_many(&self, pcs: &[Pc<Addr>]) -> Vec<Frame<'static>> {
        let how = How {
            no_lines: !self.options().lines,
            many: pcs.len() >= MANY,
            ..How::default()
        };
        with(self, |view| {
            let kernel = view.kernel();
            let asked = Asked {
                kernel: &kernel,
                how,
                caller: None,
            };
            let tasks = pcs.iter().map(|pc| asked.running(*pc)).collect();
            let made = asked.answer(tasks, &|all: &mut Vec<_>, found: Found<'_>| {
                all.push(found.frame.map(Frame::into_owned));
            });
            let mut shares = made.shares;
            let frames = made.places.iter().filter_map(|(share, number)| {
                let share = shares.get_mut(*share as usize)?;
                share.get_mut(*number as usize)?.take()
            });
            frames.collect()
        })
    }

    /// The places that `text` may mean: an address, `symbol+offset/size`, `module:symbol`.
    ///
    /// # Errors
    /// `UnknownSymbol` where it is no place in the images, with the reason.
    pub fn find(&self, text: &str) -> Result<Vec<Frame<'static>>> {
        let how = How {
            no_lines: !self.options().lines,
            ..How::default()
        };
        let answers = self.ask_many(&[text], how, |all: &mut Vec<_>, found| {
            let why = found.missed.as_ref().map(ToString::to_string);
            all.push((found.frame.map(Frame::into_owned), why));
        })?;
        let mut frames = Vec::new();
        for (frame, why) in answers.shares.into_iter().flatten() {
            if let Some(why) = why {
                return Err(Error::new(
                    ErrorKind::UnknownSymbol,
                    format!("{text}: {why}"),
                ));
            }
            frames.extend(frame);
        }
        Ok(frames)
    }

    /// Asks for many places; `each` makes something of each answer, which goes into its share's `A`.
    ///
    /// # Errors
    /// `UnknownSymbol` where the caller is not one place in the images.
    pub fn ask_many<A: Default + Send + Sync>(
        &self,
        places: &[&str],
        how: How<'_>,
        each: impl Fn(&mut A, Found<'_>) + Sync,
    ) -> Result<Answers<A>> {
        with(self, |view| {
            let kernel = view.kernel();
            let asked = Asked::new(&kernel, how)?;
            let mut tasks = Vec::new();
            for text in places {
                asked.tasks(text, &mut tasks);
            }
            Ok(asked.answer(tasks, &each))
        })
    }

    /// The stack that `regs` are of, read from `memory`: RIP is where the CPU was.
    pub fn unwind(&self, regs: &Regs, memory: &dyn Memory) -> Stack<'static> {
        let start = Start {
            regs: *regs,
            exact: true,
        };
        self.unwind_from(start, memory, Context::default(), Walk::default())
    }

    /// The stack from `start` on, with what is known of the task in `context`.
    pub fn unwind_from(
        &self,
        start: Start,
        memory: &dyn Memory,
        context: Context<'_>,
        walk: Walk,
    ) -> Stack<'static> {
        let detail = walk.detail(self.options().lines);
        with(self, |view| {
            let kernel = view.kernel();
            let unwinder = Unwinder::new(&kernel)
                .witness(walk.by)
                .max_frames(walk.max_frames);
            let mut cache = Cache::default();
            walked(&unwinder, start, memory, context, detail, &mut cache).into_owned()
        })
    }
}

/// The next frame outwards: its return address, and the call that ends there.
struct Caller<'k, 'd> {
    ret: LinkAddr,
    call: Call<'k, 'd>,
}

impl<'k, 'd> Caller<'k, 'd> {
    fn read(kernel: &'k Kernel<'d>, ret: Located<'k, 'd>) -> Self {
        Caller {
            ret: ret.link,
            call: call_before(CodeSource::linked(kernel), ret),
        }
    }
}

/// The frame of `pc`, which is at `located`, called from before `caller`.
fn frame<'k, 'd>(
    kernel: &'k Kernel<'d>,
    located: Located<'k, 'd>,
    pc: Pc<LinkAddr>,
    caller: Option<&Caller<'k, 'd>>,
    lines: bool,
    memo: &mut Memo<'k, 'd>,
) -> Frame<'k> {
    let mut frame = resolve::place(located, pc, Trust::Text, memo);
    if let Some(Caller { ret, call }) = caller {
        let code = (CodeSource::linked(kernel), &mut Reach::default());
        narrow(&mut frame.attribution, located, (*ret, call), code);
    }
    if lines {
        resolve::read_lines(located.image, pc, &mut frame);
    }
    frame
}

/// Many questions at once.
struct Asked<'k, 'd> {
    kernel: &'k Kernel<'d>,
    how: How<'k>,
    caller: Option<Caller<'k, 'd>>,
}

/// One answer to give.
enum Task<'k, 'd> {
    Located {
        /// What was asked for, unless it is the address in its usual form.
        asked: Option<&'k str>,
        located: Located<'k, 'd>,
        pc: Pc<LinkAddr>,
        remarks: Vec<Remark<'k>>,
    },
    /// An address in no image.
    Nowhere {
        asked: Option<&'k str>,
        pc: Pc<Addr>,
    },
    /// No place at all.
    Missed { asked: &'k str, why: Missed<'k> },
}

impl Task<'_, '_> {
    fn place(&self) -> LinkAddr {
        match self {
            Task::Located { located, .. } => located.link,
            Task::Nowhere { .. } | Task::Missed { .. } => LinkAddr(0),
        }
    }
}

impl<'k, 'd> Asked<'k, 'd> {
    fn new(kernel: &'k Kernel<'d>, how: How<'k>) -> Result<Self> {
        let mut asked = Asked {
            kernel,
            how,
            caller: None,
        };
        if let Some(text) = how.caller {
            let found = match Query::parse(text) {
                Some(Query::Address(image, at)) => match query::places(kernel, image, at)[..] {
                    [one] => Some(one),
                    _ => None,
                },
                Some(Query::Symbol(q)) => match query::resolve(kernel, &q)[..] {
                    [one] => Some(one.located),
                    _ => None,
                },
                None => None,
            };
            let ret = found.ok_or_else(|| {
                let what = format!("{text}: not one place in the images given");
                Error::new(ErrorKind::UnknownSymbol, what)
            })?;
            asked.caller = Some(Caller::read(kernel, ret));
        }
        Ok(asked)
    }

    fn pc<A>(&self, at: A) -> Pc<A> {
        match self.how.returns {
            true => Pc::Return(at),
            false => Pc::Exact(at),
        }
    }

    fn answer<A: Default + Send + Sync>(
        &self,
        tasks: Vec<Task<'k, 'd>>,
        each: &(impl Fn(&mut A, Found<'_>) + Sync),
    ) -> Answers<A> {
        if tasks.len() > 1 {
            self.read_ahead(&tasks);
        }
        // Neighbours in the image are answered one after the other: what one needs is at hand for the next.
        let mut order: Vec<(LinkAddr, u32)> = tasks.iter().map(Task::place).zip(0..).collect();
        order.sort_unstable();
        // Put in order they are met one after the other in memory, too.
        let mut left: Vec<Option<Task<'k, 'd>>> = tasks.into_iter().map(Some).collect();
        let sorted = order
            .iter()
            .filter_map(|(_, i)| left.get_mut(*i as usize)?.take());
        let tasks: Vec<Task<'k, 'd>> = sorted.collect();
        let shares: Vec<&[Task<'k, 'd>]> = tasks.chunks(SHARE).collect();
        let shares = parallel::map(&shares, |share| {
            let (mut made, mut memo) = (A::default(), Memo::default());
            for task in *share {
                each(&mut made, self.found(task, &mut memo));
            }
            made
        });
        let mut places = vec![(0u32, 0u32); order.len()];
        for (at, (_, i)) in order.iter().enumerate() {
            places[*i as usize] = ((at / SHARE) as u32, (at % SHARE) as u32);
        }
        Answers { shares, places }
    }

    /// Reads the debug information that the tasks will need, by unit.
    fn read_ahead(&self, tasks: &[Task<'k, 'd>]) {
        for placed in self.kernel.images() {
            let mine = tasks.iter().filter_map(|task| match task {
                Task::Located { located, pc, .. }
                    if std::ptr::eq(located.image, &*placed.image) =>
                {
                    Some(pc.lookup())
                }
                _ => None,
            });
            let mut addresses: Vec<LinkAddr> = mine.collect();
            if addresses.len() >= SHARE {
                placed.image.symbols().expect_many();
            }
            if !self.how.no_lines
                && !addresses.is_empty()
                && let Ok(Some(lines)) = placed.image.lines()
            {
                if addresses.len() < SHARE {
                    addresses.retain(|at| lines.listed(*at) || may_know(&placed.image, lines, *at));
                }
                lines.prepare(&addresses, self.how.many);
            }
        }
    }

    fn tasks(&self, text: &'k str, tasks: &mut Vec<Task<'k, 'd>>) {
        match Query::parse(text) {
            Some(Query::Address(image, at)) => self.addresses(text, image, self.pc(at), tasks),
            Some(Query::Symbol(query)) => self.symbol(text, &query, tasks),
            None => tasks.push(Task::Missed {
                asked: text,
                why: Missed::NoPlace,
            }),
        }
    }

    /// Whatever is at an address.
    fn addresses(
        &self,
        text: &'k str,
        image: Option<&'k str>,
        pc: Pc<Addr>,
        tasks: &mut Vec<Task<'k, 'd>>,
    ) {
        // Mostly something runs there.
        if image.is_none()
            && let Some(located) = self.kernel.locate(pc.lookup())
        {
            let asked = Some(text).filter(|t| !usual(t, pc.raw()));
            return tasks.push(self.located(asked, located, pc, None));
        }
        let found = query::places(self.kernel, image, pc.lookup());
        if found.is_empty() {
            let asked = Some(text);
            return tasks.push(Task::Nowhere { asked, pc });
        }
        let several = (found.len() > 1).then_some(found.len());
        for located in found {
            tasks.push(self.located(Some(text), located, pc, several));
        }
    }

    /// What runs at `pc`.
    fn running(&self, pc: Pc<Addr>) -> Task<'k, 'd> {
        match self.kernel.locate(pc.lookup()) {
            Some(located) => self.located(None, located, pc, None),
            None => Task::Nowhere { asked: None, pc },
        }
    }

    /// What is at `located`, one of `several` places that `pc` may mean.
    fn located(
        &self,
        asked: Option<&'k str>,
        located: Located<'k, 'd>,
        pc: Pc<Addr>,
        several: Option<usize>,
    ) -> Task<'k, 'd> {
        let link = pc.map(|at| located.slide.unwrap_or_default().link(at));
        Task::Located {
            asked,
            located: located.at(link.raw()),
            pc: link,
            remarks: several.map(Remark::SameAddress).into_iter().collect(),
        }
    }

    fn symbol(&self, text: &'k str, query: &SymbolQuery<'k>, tasks: &mut Vec<Task<'k, 'd>>) {
        let matches = query::resolve(self.kernel, query);
        let (name, several) = (query.name, matches.len());
        if several == 0 {
            let module = query.module;
            tasks.push(Task::Missed {
                asked: text,
                why: Missed::NoSymbol { name, module },
            });
        }
        for m in matches {
            let other = (m.size_fits == Some(false)).then(|| Remark::OtherSize(name.into()));
            let same = (several > 1).then_some(Remark::SameName(several));
            tasks.push(Task::Located {
                asked: Some(text),
                located: m.located,
                pc: self.pc(m.located.link),
                remarks: other.into_iter().chain(same).collect(),
            });
        }
    }

    fn found(&self, task: &Task<'k, 'd>, memo: &mut Memo<'k, 'd>) -> Found<'k> {
        match task {
            Task::Missed { asked, why } => Found {
                asked: Some(asked),
                frame: None,
                missed: Some(why.clone()),
            },
            Task::Nowhere { asked, pc } => Found {
                asked: *asked,
                frame: Some(Frame::nowhere(Some(*pc), Trust::Text)),
                missed: Some(Missed::NoText),
            },
            Task::Located {
                asked,
                located,
                pc,
                remarks,
            } => {
                let lines = !self.how.no_lines;
                let mut frame = frame(
                    self.kernel,
                    *located,
                    *pc,
                    self.caller.as_ref(),
                    lines,
                    memo,
                );
                frame.remarks.extend_from_slice(remarks);
                Found {
                    asked: *asked,
                    frame: Some(frame),
                    missed: None,
                }
            }
        }
    }
}

/// Whether `text` is `at` as addresses are shown.
fn usual(text: &str, at: Addr) -> bool {
    let Some(digits) = text.strip_prefix("0x") else {
        return false;
    };
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let length = (64 - at.0.leading_zeros()).div_ceil(4).max(1);
    digits.len() == length as usize && digits.bytes().all(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_in_their_usual_form() {
        for at in [0, 9, 0x10, 0xffff_ffff_81c0_1d27, u64::MAX] {
            assert!(usual(&format!("{at:#x}"), Addr(at)), "{at:#x}");
            assert!(!usual(&format!("0x0{at:x}"), Addr(at)), "{at:#x}");
            assert!(!usual(&format!("{at:x}"), Addr(at)), "{at:#x}");
        }
        assert!(!usual("0xABC", Addr(0xabc)));
    }
}
