//! LZO1X, which kdump files may be compressed with.

/// Unpacks `input` into `out`; gives the number of bytes written, or `None` where `input` is damaged or `out` too
/// small.
///
/// **Source:** the stream format in Documentation/staging/lzo.rst (Linux 5.6 and later), without its run-length
/// extension (`bitstream version` 1), which only zram writes.
pub(crate) fn decompress(input: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut stream = Stream {
        input,
        out,
        written: 0,
    };
    // How many literals the last instruction copied, 4 for a long run of them: instructions below 16 depend on it.
    let mut before = 0;
    if let Some(first @ 18..) = input.first() {
        stream.byte()?;
        let len = usize::from(first - 17);
        stream.literals(len)?;
        before = len.min(4);
    }
    loop {
        let op = usize::from(stream.byte()?);
        let (len, distance, after) = match op {
            0..16 if before == 0 => {
                let len = stream.length(op, 15)? + 3;
                stream.literals(len)?;
                before = 4;
                continue;
            }
            0..16 => {
                let high = usize::from(stream.byte()?) << 2;
                let (len, nearest) = if before == 4 { (3, 2049) } else { (2, 1) };
                (len, high + (op >> 2) + nearest, op & 3)
            }
            16..32 => {
                let len = stream.length(op & 7, 7)? + 2;
                let (low, after) = stream.offset()?;
                let distance = ((op & 8) << 11) + low;
                if distance == 0 {
                    return Some(stream.written);
                }
                (len, distance + 16384, after)
            }
            32..64 => {
                let len = stream.length(op & 31, 31)? + 2;
                let (low, after) = stream.offset()?;
                (len, low + 1, after)
            }
            _ => {
                let high = usize::from(stream.byte()?) << 3;
                ((op >> 5) + 1, high + (op >> 2 & 7) + 1, op & 3)
            }
        };
        stream.repeat(distance, len)?;
        stream.literals(after)?;
        before = after;
    }
}

struct Stream<'a> {
    input: &'a [u8],
    out: &'a mut [u8],
    written: usize,
}

impl Stream<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.input.split_first()?;
        self.input = rest;
        Some(*first)
    }

    /// A length: `bits` of the instruction, or, when these are 0, `base` and 255 for each zero byte and the byte
    /// behind them.
    fn length(&mut self, bits: usize, base: usize) -> Option<usize> {
        if bits != 0 {
            return Some(bits);
        }
        let mut len = base;
        loop {
            match self.byte()? {
                0 => len = len.checked_add(255)?,
                last => return len.checked_add(usize::from(last)),
            }
        }
    }

    /// A half word: a distance above two bits, which count the literals behind the match.
    fn offset(&mut self) -> Option<(usize, usize)> {
        let word = usize::from(self.byte()?) | usize::from(self.byte()?) << 8;
        Some((word >> 2, word & 3))
    }

    fn literals(&mut self, len: usize) -> Option<()> {
        let (from, rest) = self.input.split_at_checked(len)?;
        let end = self.written.checked_add(len)?;
        self.out.get_mut(self.written..end)?.copy_from_slice(from);
        (self.input, self.written) = (rest, end);
        Some(())
    }

    /// Copies what was written `distance` bytes ago; the copy may read what it writes.
    fn repeat(&mut self, distance: usize, len: usize) -> Option<()> {
        let mut from = self.written.checked_sub(distance)?;
        let end = self.written.checked_add(len)?;
        if end > self.out.len() {
            return None;
        }
        while self.written < end {
            let now = (self.written - from).min(end - self.written);
            self.out.copy_within(from..from + now, self.written);
            self.written += now;
            from += if now < distance { now } else { 0 };
        }
        Some(())
    }
}
