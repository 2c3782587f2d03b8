//! Notes that a signal handler may read: in memory that is never given back, in atomics, found without a lock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use super::groups::Groups;
use super::parallel::locked;

/// Numbers that a note has beside its text.
pub type Numbers = [u64; 4];

/// A note: some numbers, and a text of at most `N` bytes.
pub struct Note<const N: usize> {
    pinned: AtomicBool,
    numbers: [AtomicU64; 4],
    len: AtomicUsize,
    text: [AtomicU8; N],
}

impl<const N: usize> Note<N> {
    fn blank() -> Self {
        Note {
            pinned: AtomicBool::new(false),
            numbers: [const { AtomicU64::new(0) }; 4],
            len: AtomicUsize::new(0),
            text: [const { AtomicU8::new(0) }; N],
        }
    }

    /// Its numbers.
    pub fn numbers(&self) -> Numbers {
        self.numbers.each_ref().map(|n| n.load(Ordering::Acquire))
    }

    /// Its text. What owns the note keeps it as it is; all else is to be read as a note that may change.
    pub fn text(&self) -> &[AtomicU8] {
        let len = self.len.load(Ordering::Acquire);
        self.text.get(..len).unwrap_or_default()
    }

    fn write(&self, numbers: Numbers, text: &[u8]) {
        for (place, number) in self.numbers.iter().zip(numbers) {
            place.store(number, Ordering::Release);
        }
        for (place, byte) in self.text.iter().zip(text) {
            place.store(*byte, Ordering::Release);
        }
        self.len.store(text.len().min(N), Ordering::Release);
        self.pinned.store(true, Ordering::Release);
    }
}

/// Notes in groups of 1, 2, 4, …, as many as were pinned at once; those taken down are used again.
pub struct Board<const N: usize> {
    groups: Groups<Note<N>>,
    places: Mutex<Places>,
}

/// Numbers of notes, from 1.
struct Places {
    free: Vec<u32>,
    made: u32,
}

impl<const N: usize> Board<N> {
    /// An empty board.
    pub const fn new() -> Self {
        Board {
            groups: Groups::new(),
            places: Mutex::new(Places {
                free: Vec::new(),
                made: 0,
            }),
        }
    }

    /// Pins a note, of whose text the first `N` bytes count; it stays until what is given is dropped.
    pub fn pin(&'static self, numbers: Numbers, text: &[u8]) -> Pinned<N> {
        let number = {
            let mut places = locked(&self.places);
            places.free.pop().unwrap_or_else(|| {
                places.made += 1;
                places.made
            })
        };
        let note = self.groups.place(number as usize, Note::blank);
        note.write(numbers, text);
        Pinned {
            board: self,
            number,
            note,
        }
    }

    /// The notes that are pinned. Takes no lock and no memory.
    pub fn notes(&self) -> impl Iterator<Item = &Note<N>> {
        self.groups
            .iter()
            .filter(|n| n.pinned.load(Ordering::Acquire))
    }
}

/// A note on a board.
pub struct Pinned<const N: usize> {
    board: &'static Board<N>,
    number: u32,
    note: &'static Note<N>,
}

impl<const N: usize> Drop for Pinned<N> {
    fn drop(&mut self) {
        self.note.pinned.store(false, Ordering::Release);
        let mut places = locked(&self.board.places);
        places.free.push(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned<const N: usize>(board: &Board<N>) -> Vec<(u64, String)> {
        let text = |n: &Note<N>| n.text().iter().map(|b| b.load(Ordering::Relaxed)).collect();
        let all = board
            .notes()
            .map(|n| (n.numbers()[0], String::from_utf8(text(n)).unwrap()));
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    }

    #[test]
    fn a_note_is_there_until_it_is_taken_down_and_its_place_is_used_again() {
        static BOARD: Board<8> = Board::new();
        let first = BOARD.pin([1, 0, 0, 0], b"one");
        let second = BOARD.pin([2, 0, 0, 0], b"a long text");
        let both = [(1, "one".to_owned()), (2, "a long t".to_owned())];
        assert_eq!(pinned(&BOARD), both);
        drop(first);
        assert_eq!(pinned(&BOARD), both[1..]);
        let third = BOARD.pin([3, 0, 0, 0], b"");
        assert_eq!(third.number, 1);
        drop((second, third));
        assert_eq!(pinned(&BOARD), []);
    }

    #[test]
    fn threads_pin_notes_of_their_own() {
        static BOARD: Board<16> = Board::new();
        std::thread::scope(|scope| {
            for t in 0..4_u64 {
                scope.spawn(move || {
                    let kept: Vec<_> = (0..50)
                        .map(|i| BOARD.pin([t * 50 + i, 0, 0, 0], format!("{t}").as_bytes()))
                        .collect();
                    let own = |all: Vec<(u64, String)>| {
                        all.iter()
                            .filter(|(_, text)| *text == t.to_string())
                            .count()
                    };
                    assert_eq!(own(pinned(&BOARD)), 50);
                    drop(kept);
                });
            }
        });
        assert_eq!(pinned(&BOARD), []);
    }
}
