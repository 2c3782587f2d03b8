//! What a description of types must tell, in whichever form an image has it.

/// A member of a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Member {
    /// Bits from the beginning of the structure.
    pub bit: u64,
    /// Bits of a bitfield; 0 for an ordinary member.
    pub width: u32,
    /// Its type.
    pub of: u64,
}

/// What layouts are read of. It gives every type a number of its own.
pub(super) trait Description {
    /// The structure or union called `name`; the first of several.
    fn composite(&self, name: &str) -> Option<u64>;

    /// The member called `name` of structure `of`, also within unnamed structures and unions of it.
    fn member(&self, of: u64, name: &str) -> Option<Member>;

    /// The type of the elements of array `of`, and how many there are; 0 when that is not said.
    fn array(&self, of: u64) -> Option<(u64, u64)>;

    /// Bytes of a value of type `of`.
    fn size(&self, of: u64) -> Option<u64>;

    /// Whether `of` is a pointer to the structure or union called `target`.
    fn points_to(&self, of: u64, target: &str) -> bool;

    /// The value of the first enumerator called `name`.
    fn enumerator(&self, name: &str) -> Option<i64>;
}
