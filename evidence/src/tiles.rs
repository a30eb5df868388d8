//! Where a log's tiles and entries are (tlog-tiles, "Merkle Tree" and "Log entries").
//!
//! Does not know what they hold.

use std::{fmt, str::FromStr};

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

impl Kind {
    /// How many entries, or hashes of this level, a log of so many entries has.
    pub(crate) fn count(self, entries: u64) -> u64 {
        match self {
            Kind::Entries => entries,
            Kind::Hashes { level } => {
                WIDTH.checked_pow(level.into()).map_or(0, |each| entries / each)
            }
        }
    }
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

    /// Where what it holds may be: there, or in the full one that has taken its place.
    pub(crate) fn or_full(self) -> [Piece; 2] {
        [self, self.full()]
    }

    /// Whether a log of so many entries has it.
    pub fn is_within(&self, entries: u64) -> bool {
        let end = self.index.checked_mul(WIDTH).and_then(|first| first.checked_add(self.width));
        end.is_some_and(|end| end <= self.kind.count(entries))
    }
}

/// The text is no path of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no path of a tile or of entries")]
pub struct NoPiece;

impl FromStr for Piece {
    type Err = NoPiece;

    /// Of its path, which must be written exactly as the specification says.
    fn from_str(path: &str) -> Result<Piece, NoPiece> {
        let rest = path.strip_prefix("tile/").ok_or(NoPiece)?;
        let (of, rest) = rest.split_once('/').ok_or(NoPiece)?;
        let kind = match of {
            "entries" => Kind::Entries,
            level => Kind::Hashes { level: level.parse().map_err(|_| NoPiece)? },
        };
        let (digits, width) = match rest.split_once(".p/") {
            Some((digits, width)) => (digits, width.parse().map_err(|_| NoPiece)?),
            None => (rest, WIDTH),
        };
        let digits = digits.replace("/", "").replace('x', "");
        let piece = Piece { kind, index: digits.parse().map_err(|_| NoPiece)?, width };
        let is_level = !matches!(kind, Kind::Hashes { level: 64.. });
        let is_it = is_level && width > 0 && piece.to_string() == path;
        if is_it { Ok(piece) } else { Err(NoPiece) }
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
    let count = kind.count(entries);
    (0..count.div_ceil(WIDTH)).map(move |index| {
        let width = (count - index * WIDTH).min(WIDTH);
        Piece { kind, index, width }
    })
}

/// A width or a count of hashes as one of things in memory.
pub(crate) fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
