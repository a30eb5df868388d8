//! Proofs out of a log's tiles (RFC 6962, section 2.1): that an entry is in it, and that it goes on
//! from what it was.
//!
//! Does not believe the tiles: a proof that does not hold is not given.

use std::cell::RefCell;

use tlog_tiles::{EMPTY_HASH, Error, Hash, HashReader, Tile, stored_hash_index};

use crate::{Failure, Found, Kind, Piece, Source, WIDTH, tiles::as_usize, verify::hashes_of};

/// The height of our tiles: 2^8 hashes.
const HEIGHT: u8 = 8;
/// The bytes of a hash.
const HASH_BYTES: usize = tlog_tiles::HASH_SIZE;

/// That an entry is in a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Inclusion {
    /// The entry's hash.
    pub leaf: Hash,
    /// The hashes beside the way from the entry to the root, the entry's sibling first.
    pub hashes: Vec<Hash>,
}

/// That a tree goes on from its first entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Consistency {
    /// The root of those first entries.
    pub older_root: Hash,
    /// The proof.
    pub hashes: Vec<Hash>,
}

/// A log as it is kept: where, and of how many entries there are tiles.
#[derive(Clone, Copy, Debug)]
pub struct Tiles<'s> {
    /// Where they are.
    pub source: &'s Source,
    /// The size of the log that they are of, which was published.
    pub size: u64,
}

/// That the entry at this index is in the tree of this size and root, which the log has or had.
pub async fn inclusion(
    tiles: Tiles<'_>,
    (size, root): (u64, Hash),
    index: u64,
) -> Result<Inclusion, Failure> {
    if index >= size {
        return Err(Found::NoEntry { index, size }.into());
    }
    let (leaf, hashes) = read(tiles, |reader| {
        let leaf = reader.read_hashes(&[stored_hash_index(0, index)]);
        let hashes = tlog_tiles::prove_record(size, index, reader);
        Ok((leaf?[0], hashes?))
    })
    .await?
    .ok_or(Found::Tiles { size, root })?;
    if is_included(&hashes, (size, root), index, leaf) {
        Ok(Inclusion { leaf, hashes })
    } else {
        Err(Found::Tiles { size, root }.into())
    }
}

/// That the tree of this size and root goes on from the one of its first `older` entries.
pub async fn consistency(
    tiles: Tiles<'_>,
    (size, root): (u64, Hash),
    older: u64,
) -> Result<Consistency, Failure> {
    if older > size {
        return Err(Found::Shorter { size, older }.into());
    }
    if older == 0 {
        return Ok(Consistency { older_root: EMPTY_HASH, hashes: Vec::new() });
    }
    let (older_root, hashes) = read(tiles, |reader| {
        let older_root = tlog_tiles::tree_hash(older, reader);
        let hashes = tlog_tiles::prove_tree(size, older, reader);
        Ok((older_root?, hashes?))
    })
    .await?
    .ok_or(Found::Tiles { size, root })?;
    if is_consistent(&hashes, (size, root), (older, older_root)) {
        Ok(Consistency { older_root, hashes })
    } else {
        Err(Found::Tiles { size, root }.into())
    }
}

/// Whether a proof shows that an entry of this hash is at this index of the tree.
pub fn is_included(hashes: &Vec<Hash>, (size, root): (u64, Hash), index: u64, leaf: Hash) -> bool {
    index < size && tlog_tiles::check_record(hashes, size, root, index, leaf).is_ok()
}

/// Whether a proof shows that a tree goes on from an older one. Of an empty one, from which every
/// other goes on, nothing is shown.
pub fn is_consistent(
    hashes: &Vec<Hash>,
    (size, root): (u64, Hash),
    (older, older_root): (u64, Hash),
) -> bool {
    match older {
        0 if size == 0 => hashes.is_empty() && older_root == root,
        0 => false,
        _ if older > size => false,
        _ => tlog_tiles::check_tree(hashes, size, root, older, older_root).is_ok(),
    }
}

/// What is made of a log's hashes; none when it cannot be made of those that are there. Which are
/// needed is learned by making it without any; then they are read, and it is made again.
async fn read<P>(
    Tiles { source, size }: Tiles<'_>,
    make: impl Fn(&Hashes) -> Result<P, Error>,
) -> Result<Option<P>, Failure> {
    let mut hashes = Hashes::default();
    // Without any it is made only when none are needed.
    if let Ok(made) = make(&hashes) {
        return Ok(Some(made));
    }
    let mut wanted: Vec<Tile> =
        hashes.wanted.take().into_iter().map(|hash| Tile::from_index(HEIGHT, hash)).collect();
    wanted.sort_unstable_by_key(|tile| (tile.level(), tile.level_index(), tile.width()));
    wanted.dedup_by_key(|tile| (tile.level(), tile.level_index()));
    let tiles = wanted.iter().map(|tile| {
        let (kind, index) = (Kind::Hashes { level: tile.level() }, tile.level_index());
        let width = kind.count(size).saturating_sub(index * WIDTH).min(WIDTH);
        let tile = Piece { kind, index, width };
        async move { Ok::<_, Failure>((tile, hashes_of(source, tile).await?)) }
    });
    hashes.read = Some(futures::future::try_join_all(tiles).await?);
    Ok(make(&hashes).ok())
}

/// The tiles that were read; before that, the hashes that are wanted of them.
#[derive(Default)]
struct Hashes {
    wanted: RefCell<Vec<u64>>,
    read: Option<Vec<(Piece, Vec<Hash>)>>,
}

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let Some(tiles) = &self.read else {
            self.wanted.borrow_mut().extend(indexes);
            return Err(Error::IndexesNotInTree);
        };
        let one = |index: &u64| {
            let of = Tile::from_index(HEIGHT, *index);
            let kind = Kind::Hashes { level: of.level() };
            let is_it = |tile: &Piece| tile.kind == kind && tile.index == of.level_index();
            let found = tiles.iter().find(|(tile, _)| is_it(tile));
            let (_, hashes) = found.ok_or(Error::IndexesNotInTree)?;
            let hashes = hashes.get(..as_usize(of.width().into())).ok_or(Error::BadMath)?;
            let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
            hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
            of.hash_at_index(&bytes, *index)
        };
        indexes.iter().map(one).collect()
    }
}
