//! Many places at once: what their answers need is read once, and neighbours are answered one after the other, by all
//! processors.

use crate::base::addr::{Addr, LinkAddr, Pc};
use crate::base::parallel;
use crate::engine::attribute::Memo;
use crate::engine::resolve::{self, may_know};
use crate::engine::stack::{Frame, Trust};
use crate::world::kernel::{Kernel, Located};
use crate::world::session::{Session, with};

/// Places answered by one thread at a time.
const SHARE: usize = 512;

/// From so many places on, units of debug information are read whole: more of each will be wanted.
const MANY: usize = 1 << 14;

/// What is the same for all places.
#[derive(Clone, Copy)]
pub struct Many<'k, 'd> {
    /// The images.
    pub kernel: &'k Kernel<'d>,
    /// Whether source lines will be read.
    pub lines: bool,
    /// Places so far, these included: those of earlier questions tell that more will come.
    pub so_far: usize,
}

/// What was answered, by shares of the places.
pub struct Answers<A> {
    shares: Vec<A>,
    /// For each place, its share and its number there.
    places: Vec<(u32, u32)>,
}

impl<A> Answers<A> {
    /// In the order of the questions: the share that has the answer, and the number of the answer there.
    pub fn in_order(&self) -> impl Iterator<Item = (&A, usize)> {
        let places = self.places.iter();
        places.filter_map(|(share, n)| Some((self.shares.get(*share as usize)?, *n as usize)))
    }
}

impl<T> Answers<Vec<T>> {
    /// The answers in the order of the questions.
    pub fn into_vec(self) -> Vec<T> {
        let shares = self.shares.into_iter();
        let mut shares: Vec<Vec<Option<T>>> = shares
            .map(|answers| answers.into_iter().map(Some).collect())
            .collect();
        let places = self.places.iter();
        places
            .filter_map(|(share, n)| {
                shares
                    .get_mut(*share as usize)?
                    .get_mut(*n as usize)?
                    .take()
            })
            .collect()
    }
}

impl<'k, 'd> Many<'k, 'd> {
    /// Answers `tasks`, which are about places in images or none. `one` adds the answer of a task to those of its share.
    pub fn answer<T: Sync, A: Default + Send + Sync>(
        &self,
        tasks: Vec<T>,
        place: impl Fn(&T) -> Option<(Located<'k, 'd>, Pc<LinkAddr>)>,
        one: impl Fn(&T, &mut Memo<'k, 'd>, &mut A) + Sync,
    ) -> Answers<A> {
        if tasks.len() > 1 {
            self.read_ahead(&tasks, &place);
        }
        let at = |task| place(task).map_or(LinkAddr(0), |(_, pc)| pc.raw());
        let mut order: Vec<(LinkAddr, u32)> = tasks.iter().map(at).zip(0..).collect();
        order.sort_unstable();
        // Put in order they are met one after the other in memory, too.
        let mut tasks: Vec<Option<T>> = tasks.into_iter().map(Some).collect();
        let tasks: Vec<Option<T>> = order
            .iter()
            .map(|(_, n)| tasks.get_mut(*n as usize).and_then(Option::take))
            .collect();
        let shares: Vec<&[Option<T>]> = tasks.chunks(SHARE).collect();
        let shares = parallel::map(&shares, |share| {
            let (mut memo, mut answers) = (Memo::default(), A::default());
            for task in share.iter().flatten() {
                one(task, &mut memo, &mut answers);
            }
            answers
        });
        let mut places = vec![(0, 0); tasks.len()];
        for (at, (_, n)) in order.iter().enumerate() {
            places[*n as usize] = ((at / SHARE) as u32, (at % SHARE) as u32);
        }
        Answers { shares, places }
    }

    /// Reads the debug information that the tasks will need, by unit.
    fn read_ahead<T>(
        &self,
        tasks: &[T],
        place: impl Fn(&T) -> Option<(Located<'k, 'd>, Pc<LinkAddr>)>,
    ) {
        for placed in self.kernel.images() {
            let image = &*placed.image;
            let mine = tasks.iter().filter_map(|task| {
                let (located, pc) = place(task)?;
                std::ptr::eq(located.image, image).then(|| pc.lookup())
            });
            let mut addresses: Vec<LinkAddr> = mine.collect();
            if addresses.len() >= SHARE {
                image.symbols().expect_many();
            }
            if self.lines
                && !addresses.is_empty()
                && let Ok(Some(lines)) = image.lines()
            {
                if addresses.len() < SHARE {
                    addresses.retain(|at| lines.listed(*at) || may_know(image, lines, *at));
                }
                lines.prepare(&addresses, self.so_far >= MANY);
            }
        }
    }
}

impl Session {
    /// The frame of each PC, by itself: in the order of `pcs`, with source lines unless the options say otherwise.
    pub fn resolve_many(&self, pcs: &[Pc<Addr>]) -> Vec<Frame<'static>> {
        with(self, |view| {
            let kernel = &*view.kernel();
            let many = Many {
                kernel,
                lines: view.options().lines,
                so_far: pcs.len(),
            };
            let place = |pc: &Pc<Addr>| {
                let located = kernel.locate(pc.lookup())?;
                let slide = located.slide.unwrap_or_default();
                let pc = pc.map(|at| slide.link(at));
                Some((located.at(pc.raw()), pc))
            };
            let tasks = pcs.iter().map(|pc| (*pc, place(pc))).collect();
            let answers = many.answer(
                tasks,
                |(_, place)| *place,
                |(pc, place), memo, frames: &mut Vec<Frame<'static>>| {
                    let frame = match place {
                        Some((located, link)) => {
                            let mut frame = resolve::place(*located, *link, Trust::Text, memo);
                            if many.lines {
                                resolve::read_lines(located.image, *link, &mut frame);
                            }
                            frame.into_owned()
                        }
                        None => Frame::nowhere(Some(*pc), Trust::Text),
                    };
                    frames.push(frame);
                },
            );
            answers.into_vec()
        })
    }
}
