//! Where a log's tiles and entries are (tlog-tiles, "Merkle Tree" and "Log entries").
//!
//! Does not know what they hold.

use std::fmt;

/// How many hashes a full tile has, and how many entries a full bundle.
pub const WIDTH: u64 = 256;

/// What a piece holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Entries.
    Entries,
    /// Hashes at a level: 0 for those of entries, 1 for those of full tiles of level 0, and so on.
    Hashes {
        /// The level, 0 to 63.
        level: u8,
    },
}

/// A tile or a bundle of entries. Written as its path below the log's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it holds.
    pub kind: Kind,
    /// Its place among those of its kind.
    pub index: u64,
    /// How much of it there is: 1 to [`WIDTH`].
    pub width: u64,
}

impl Piece {
    /// The same when it is full: a partial one may be gone when there is a full one.
    pub fn full(self) -> Piece {
        Piece { width: WIDTH, ..self }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => write!(f, "tile/entries/")?,
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let digits = self.index.to_string();
        let parts = digits.len().div_ceil(3);
        let digits = format!("{digits:0>width$}", width = parts * 3);
        for part in 0..parts {
            let element = &digits[part * 3..part * 3 + 3];
            let is_last = part + 1 == parts;
            write!(
                f,
                "{}{element}{}",
                if is_last { "" } else { "x" },
                if is_last { "" } else { "/" }
            )?;
        }
        if self.width < WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// All pieces of a kind that a log with so many entries has, from the left to the right.
pub fn pieces(kind: Kind, entries: u64) -> impl Iterator<Item = Piece> {
    let level = match kind {
        Kind::Entries => 0,
        Kind::Hashes { level } => u32::from(level),
    };
    let count = WIDTH.checked_pow(level).map_or(0, |each| entries / each);
    (0..count.div_ceil(WIDTH)).map(move |index| {
        let width = (count - index * WIDTH).min(WIDTH);
        Piece { kind, index, width }
    })
}
