//! The right edge of a log: what is not full yet, on each level, and how a log grows there.
//!
//! Does not sign, and keeps nothing that is full.

use bytes::Bytes;
use tlog_tiles::{HASH_SIZE, Hash, record_hash};

use crate::{
    Failure, Found, Kind, Piece, Source, Tree, WIDTH,
    bundle::{self, BundleFault},
    tiles::as_usize,
    verify::hashes_of,
};

/// A piece with its content.
pub type Filled = (Piece, Bytes);

/// The right edge.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    /// The bundle that is being filled.
    bundle: Vec<u8>,
    /// On each level, the hashes of the tile that is being filled.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// So many entries fill a tile of level 1, and all below it.
    pub const WHOLE: u64 = WIDTH * WIDTH;

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many entries of a log of this size are in a bundle that is not full.
    pub fn partial(size: u64) -> u64 {
        size % WIDTH
    }

    /// The edge of a log that is kept somewhere, with this size and this root: the entries of its
    /// bundle that is not full are given, and must be the ones whose hashes are kept there.
    pub async fn load<'e>(
        source: &Source,
        size: u64,
        root: Hash,
        entries: impl IntoIterator<Item = &'e [u8]>,
    ) -> Result<Edge, Failure> {
        let mut edge = Edge::levels_at(source, size, size).await?;
        let computed = edge.root();
        if computed != root {
            return Err(Found::Root { size, computed, said: root }.into());
        }
        let (mut given, first) = (0, size - Edge::partial(size));
        let kept = edge.levels.first().map_or(&[][..], Vec::as_slice);
        for entry in entries {
            let tile = Piece {
                kind: Kind::Hashes { level: 0 },
                index: first / WIDTH,
                width: Edge::partial(size),
            };
            if kept.get(given) != Some(&record_hash(entry)) {
                return Err(Found::Entry { index: first + given as u64, tile }.into());
            }
            let kept = bundle::append(&mut edge.bundle, entry);
            kept.map_err(|fault| Found::Bundle { piece: tile, fault })?;
            given += 1;
        }
        if given != kept.len() {
            return Err(Found::Shorter { size: first + given as u64, older: size }.into());
        }
        Ok(edge)
    }

    /// The edge of the first `at` entries, which are a multiple of [`Edge::WHOLE`], of a log that
    /// is kept with this size. What it says is not compared with a root.
    pub async fn load_whole(source: &Source, size: u64, at: u64) -> Result<Edge, Failure> {
        Edge::levels_at(source, size, at).await
    }

    /// The hashes of what is not full after the first `at` entries, out of the tiles of a log that
    /// is kept with this size: without the entries of a bundle.
    async fn levels_at(source: &Source, size: u64, at: u64) -> Result<Edge, Failure> {
        let mut edge = Edge { size: at, ..Edge::default() };
        let mut count = at;
        for level in 0.. {
            if count == 0 {
                break;
            }
            let mut hashes = Vec::new();
            if !count.is_multiple_of(WIDTH) {
                let (kind, index) = (Kind::Hashes { level }, count / WIDTH);
                let width = (kind.count(size) - index * WIDTH).min(WIDTH);
                hashes = hashes_of(source, Piece { kind, index, width }).await?;
                hashes.truncate(as_usize(count % WIDTH));
            }
            edge.levels.push(hashes);
            count /= WIDTH;
        }
        Ok(edge)
    }

    /// Adds an entry. What is full by it is given to `full`, the lower levels first.
    pub fn push(&mut self, entry: &[u8], full: &mut Vec<Filled>) -> Result<(), BundleFault> {
        bundle::append(&mut self.bundle, entry)?;
        self.size += 1;
        if self.size.is_multiple_of(WIDTH) {
            let piece = Piece { kind: Kind::Entries, index: self.size / WIDTH - 1, width: WIDTH };
            // The next one is about as long.
            let next = Vec::with_capacity(self.bundle.len() + self.bundle.len() / 8);
            full.push((piece, std::mem::replace(&mut self.bundle, next).into()));
        }
        let (mut hash, mut count) = (record_hash(entry), self.size);
        for level in 0.. {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels.push(Vec::with_capacity(as_usize(WIDTH)));
            }
            self.levels[at].push(hash);
            if !count.is_multiple_of(WIDTH) {
                break;
            }
            count /= WIDTH;
            let piece = Piece { kind: Kind::Hashes { level }, index: count - 1, width: WIDTH };
            full.push((piece, concatenated(&self.levels[at])));
            hash = Tree::of(&self.levels[at]).root();
            self.levels[at].clear();
        }
        Ok(())
    }

    /// What is not full, as a checkpoint of this size needs it.
    pub fn partials(&self) -> Vec<Filled> {
        let mut partials = Vec::new();
        let mut count = self.size;
        if !self.bundle.is_empty() {
            let (index, width) = (count / WIDTH, count % WIDTH);
            let piece = Piece { kind: Kind::Entries, index, width };
            partials.push((piece, Bytes::copy_from_slice(&self.bundle)));
        }
        for (level, hashes) in (0..).zip(&self.levels) {
            if !hashes.is_empty() {
                let (index, width) = (count / WIDTH, count % WIDTH);
                let piece = Piece { kind: Kind::Hashes { level }, index, width };
                partials.push((piece, concatenated(hashes)));
            }
            count /= WIDTH;
        }
        partials
    }

    /// What commits to all of it.
    pub fn root(&self) -> Hash {
        Tree::of_levels(0, self.levels.iter().map(Vec::as_slice)).root()
    }
}

fn concatenated(hashes: &[Hash]) -> Bytes {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_SIZE);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    bytes.into()
}
