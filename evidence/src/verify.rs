//! Verifies a whole log: every entry against the tiles of level 0, every tile against those below
//! it, the root against the checkpoint, and older checkpoints against what is there now.
//!
//! Does not know what entries mean: a [`Judge`] does. Nothing is believed of a log but what its
//! signatures and hashes prove; what is found first in the order of the log is named.

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tlog_tiles::{HASH_SIZE, Hash, record_hash};

use crate::{
    Checkpoint, Filled, Kind, Piece, Source, SourceError, Tree, WIDTH,
    bundle::{self, BundleFault},
    pieces, proof,
    tiles::as_usize,
    tree::TILE_HEIGHT,
};

/// Pieces that are asked for at the same time of whoever is far away.
const PARALLEL: usize = 16;
/// Pieces that are read from a folder and hashed at the same time, beyond those that have a core.
const AHEAD: usize = 2;

/// A log that is what its checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which log.
    pub origin: String,
    /// How many entries were verified: all of them.
    pub entries: u64,
    /// Their bytes.
    pub entry_bytes: u64,
    /// How many tiles were verified, on all levels.
    pub tiles: u64,
    /// The root that was computed, and is signed.
    pub root: String,
    /// By whose keys of logs the checkpoint is signed.
    pub signed_by: Vec<String>,
    /// Who has cosigned it.
    pub cosigned_by: Vec<String>,
    /// The sizes of the older checkpoints that this log goes on from.
    pub older: Vec<u64>,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum Found {
    #[error("the checkpoint says that there are no entries: nothing was verified")]
    Nothing,
    #[error("{piece} is missing")]
    Missing { piece: Piece },
    #[error("{piece} cannot be read: {fault}")]
    Bundle { piece: Piece, fault: BundleFault },
    #[error("{piece} has {found} bytes, not {expected}")]
    Tile { piece: Piece, found: usize, expected: usize },
    #[error("entry {index} is not the one that {tile} names: one of the two was changed")]
    Entry { index: u64, tile: Piece },
    #[error("hash {nth} of {tile} is not that of the tile below it: one of the two was changed")]
    Hash { nth: usize, tile: Piece },
    #[error("the root of all {size} entries is {computed}, and {said} is signed")]
    Root { size: u64, computed: Hash, said: Hash },
    #[error(
        "the first {size} entries have the root {computed}, and {said} was signed before: history \
         was changed"
    )]
    Older { size: u64, computed: Hash, said: Hash },
    #[error("an older checkpoint has {older} entries, and this one only {size}: some are gone")]
    Shorter { size: u64, older: u64 },
    #[error("an older checkpoint is of {older}, and this one of {origin}")]
    Other { origin: String, older: String },
    #[error("entry {index}, position {}: {because}", index + 1)]
    Wrong { index: u64, because: String },
    #[error("there is no entry {index}: the log has {size}, from 0 on")]
    NoEntry { index: u64, size: u64 },
    #[error("the tiles are not those of the {size} entries with the root {root}")]
    Tiles { size: u64, root: Hash },
}

/// Why a log is not verified.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not what it says.
    #[error(transparent)]
    Found(#[from] Found),
    /// It cannot be read.
    #[error(transparent)]
    Unread(#[from] SourceError),
}

/// Who knows what entries mean.
pub trait Judge {
    /// What is made of a bundle's entries by themselves.
    type Read: Send + 'static;

    /// Reads a bundle's entries: beside other bundles, in any order.
    fn read(entries: &[&[u8]]) -> Self::Read;

    /// Judges what was read, bundle after bundle: the index of an entry that is wrong, and why.
    fn judge(&mut self, first: u64, read: Self::Read) -> Result<(), (u64, String)>;
}

/// Nobody: entries are bytes.
pub struct Nobody;

impl Judge for Nobody {
    type Read = ();

    fn read(_: &[&[u8]]) {}

    fn judge(&mut self, _: u64, (): ()) -> Result<(), (u64, String)> {
        Ok(())
    }
}

/// The hashes of a bundle's entries, which are those of its tile, and what was made of them.
struct Leaves<R> {
    hashes: Vec<Hash>,
    bytes: u64,
    read: R,
}

/// Verifies all of a log against a checkpoint, which is verified already, and older ones of it, and
/// has its entries judged. Says how many entries it has come to, now and then.
pub async fn verify<J: Judge>(
    source: &Source,
    checkpoint: &Checkpoint,
    older: &[Checkpoint],
    judge: &mut J,
    progress: impl Fn(u64),
) -> Result<Report, Failure> {
    let from = Standing::default();
    let stands = |standing: &Standing, _: &J| progress(standing.entries);
    verify_on(source, checkpoint, older, (judge, from), stands).await
}

/// The same, from where it stood; tells how it stands after each bundle that is full. What was
/// verified before is not read again, but for the root of all, which must come out of it.
pub async fn verify_on<J: Judge>(
    source: &Source,
    checkpoint: &Checkpoint,
    older: &[Checkpoint],
    (judge, from): (&mut J, Standing),
    mut stands: impl FnMut(&Standing, &J),
) -> Result<Report, Failure> {
    let size = checkpoint.size;
    if size == 0 {
        return Err(Found::Nothing.into());
    }
    let mut older: Vec<&Checkpoint> = older.iter().collect();
    older.sort_unstable_by_key(|one| one.size);
    for one in &older {
        let (origin, of) = (checkpoint.origin.clone(), one.origin.clone());
        if of != origin {
            return Err(Found::Other { origin, older: of }.into());
        }
        if one.size > size {
            return Err(Found::Shorter { size, older: one.size }.into());
        }
    }
    if from.entries > size {
        return Err(Found::Shorter { size, older: from.entries }.into());
    }
    let sizes = older.iter().map(|one| one.size).collect();
    // What is before where it stood is asked of the tiles, once they are known to be right.
    let (proved, older): (Vec<&Checkpoint>, Vec<&Checkpoint>) =
        older.into_iter().partition(|one| one.size < from.entries);
    let mut before = older.into_iter().peekable();
    let mut tree = from.tree();
    let begin = as_usize(from.entries / WIDTH);
    let mut climbing = Climbing { source, standing: from };
    let read = pieces(Kind::Entries, size).skip(begin);
    let read = read.map(|piece| leaves::<J>(source.clone(), piece));
    let mut read = stream::iter(read).buffered(parallel(source));
    goes_on(&tree, &mut before)?;
    while let Some(found) = read.next().await {
        let Leaves { hashes, bytes, read } = found?;
        let judged = judge.judge(tree.size(), read);
        judged.map_err(|(index, because)| Found::Wrong { index, because })?;
        climbing.standing.tiles += 1;
        climbing.standing.entry_bytes += bytes;
        let whole = (hashes.len() as u64 == WIDTH).then(|| Tree::of(&hashes).root());
        let end = tree.size() + hashes.len() as u64;
        match whole {
            // Nobody has signed anything within it.
            Some(root) if before.peek().is_none_or(|one| one.size >= end) => {
                tree.push_subtree(TILE_HEIGHT, root);
                goes_on(&tree, &mut before)?;
            }
            Some(_) | None => {
                for hash in &hashes {
                    tree.push(*hash);
                    goes_on(&tree, &mut before)?;
                }
            }
        }
        climbing.standing.entries = end;
        if let Some(root) = whole {
            climbing.climb(root).await?;
            stands(&climbing.standing, judge);
        }
    }
    climbing.finish().await?;
    let (computed, said) = (tree.root(), checkpoint.root);
    if computed != said {
        return Err(Found::Root { size, computed, said }.into());
    }
    for one in proved {
        was_so(source, (size, computed), one).await?;
    }
    let Standing { entry_bytes, tiles, .. } = climbing.standing;
    Ok(Report {
        origin: checkpoint.origin.clone(),
        entries: size,
        entry_bytes,
        tiles,
        root: computed.to_string(),
        signed_by: checkpoint.signed_by.clone(),
        cosigned_by: checkpoint.cosigned_by.clone(),
        older: sizes,
    })
}

/// How many pieces are read at the same time.
fn parallel(source: &Source) -> usize {
    match source {
        Source::Storage(storage) if storage.is_folder() => {
            std::thread::available_parallelism().map_or(PARALLEL, |cores| cores.get() + AHEAD)
        }
        Source::Storage(_) | Source::Address(..) => PARALLEL,
    }
}

/// The older checkpoints of this very size have its root.
fn goes_on<'c>(
    tree: &Tree,
    before: &mut std::iter::Peekable<impl Iterator<Item = &'c Checkpoint>>,
) -> Result<(), Found> {
    while let Some(one) = before.next_if(|one| one.size == tree.size()) {
        let (size, computed, said) = (one.size, tree.root(), one.root);
        if computed != said {
            return Err(Found::Older { size, computed, said });
        }
    }
    Ok(())
}

/// The tiles of this tree prove that it goes on from an older checkpoint.
async fn was_so(
    source: &Source,
    (size, root): (u64, Hash),
    older: &Checkpoint,
) -> Result<(), Failure> {
    let tiles = proof::Tiles { source, size };
    let computed = proof::consistency(tiles, (size, root), older.size).await?.older_root;
    match computed == older.root {
        true => Ok(()),
        false => Err(Found::Older { size: older.size, computed, said: older.root }.into()),
    }
}

/// Reads a bundle with its tile, and compares them.
async fn leaves<J: Judge>(source: Source, piece: Piece) -> Result<Leaves<J::Read>, Failure> {
    let tile = Piece { kind: Kind::Hashes { level: 0 }, ..piece };
    let compared = if let Source::Storage(storage) = &source
        && storage.is_folder()
    {
        // In one thread: what is read there is in its caches, and few threads need few pages.
        let storage = storage.clone();
        tokio::task::spawn_blocking(move || {
            let read = |piece: Piece| match storage.piece_now(piece).map_err(SourceError::from)? {
                Some(found) => Ok(found),
                None => Err(Failure::from(Found::Missing { piece })),
            };
            let (entries, said) = (read(piece)?, hashes(&read(tile)?, tile)?);
            Ok(compare::<J>(&entries, &said, piece, tile)?)
        })
    } else {
        let (entries, said) = futures::try_join!(get(&source, piece), hashes_of(&source, tile))?;
        tokio::task::spawn_blocking(move || Ok(compare::<J>(&entries, &said, piece, tile)?))
    };
    // It is not cancelled, and does not panic.
    compared.await.unwrap_or(Err(Found::Missing { piece }.into()))
}

fn compare<J: Judge>(
    (of, held): &Filled,
    said: &[Hash],
    piece: Piece,
    tile: Piece,
) -> Result<Leaves<J::Read>, Found> {
    let entries = bundle::read(held, of.width);
    let entries = entries.map_err(|fault| Found::Bundle { piece, fault })?;
    let (mut hashes, mut bytes) = (Vec::with_capacity(said.len()), 0);
    for (nth, (entry, said)) in entries.iter().zip(said).enumerate() {
        let hash = record_hash(entry);
        if hash != *said {
            return Err(Found::Entry { index: piece.index * WIDTH + nth as u64, tile });
        }
        hashes.push(hash);
        bytes += entry.len() as u64;
    }
    Ok(Leaves { hashes, bytes, read: J::read(&entries) })
}

/// What a piece holds: it may be the full one in place of a partial one.
async fn get(source: &Source, piece: Piece) -> Result<Filled, Failure> {
    let found = source.piece(piece).await?;
    found.ok_or_else(|| Found::Missing { piece }.into())
}

/// As many hashes as the tile has by its name.
pub(crate) async fn hashes_of(source: &Source, tile: Piece) -> Result<Vec<Hash>, Failure> {
    Ok(hashes(&get(source, tile).await?, tile)?)
}

fn hashes((of, bytes): &Filled, tile: Piece) -> Result<Vec<Hash>, Found> {
    let (count, all) = (as_usize(tile.width), as_usize(of.width) * HASH_SIZE);
    if bytes.len() != all {
        return Err(Found::Tile { piece: tile, found: bytes.len(), expected: all });
    }
    let (hashes, _) = bytes.as_chunks::<HASH_SIZE>();
    Ok(hashes.iter().take(count).copied().map(Hash).collect())
}

/// How far a log is verified: so many entries, which fill their bundles, and what is not full on
/// the levels above them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    /// So many entries.
    pub entries: u64,
    entry_bytes: u64,
    tiles: u64,
    /// For each level from 1 on: the hashes of its last tile, and how many tiles came before it.
    levels: Vec<Level>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Level {
    before: u64,
    #[serde(with = "texts")]
    hashes: Vec<Hash>,
}

/// Hashes in base64.
mod texts {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use tlog_tiles::Hash;

    pub(super) fn serialize<S: Serializer>(hashes: &[Hash], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(hashes.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hash>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let hash = |text: &String| Hash::parse_hash(text).map_err(D::Error::custom);
        texts.iter().map(hash).collect()
    }
}

impl Standing {
    fn tree(&self) -> Tree {
        Tree::of_levels(TILE_HEIGHT, self.levels.iter().map(|level| level.hashes.as_slice()))
    }
}

/// The levels above the entries' hashes.
struct Climbing<'s> {
    source: &'s Source,
    standing: Standing,
}

impl Climbing<'_> {
    /// A tile of level 0 is full, and this is its root.
    async fn climb(&mut self, mut root: Hash) -> Result<(), Failure> {
        for level in 0.. {
            let levels = &mut self.standing.levels;
            if levels.len() == level {
                levels.push(Level::default());
            }
            levels[level].hashes.push(root);
            if levels[level].hashes.len() < as_usize(WIDTH) {
                return Ok(());
            }
            root = self.checked(level).await?;
        }
        Ok(())
    }

    /// What is left on each level is a partial tile.
    async fn finish(&mut self) -> Result<(), Failure> {
        for level in 0..self.standing.levels.len() {
            if !self.standing.levels[level].hashes.is_empty() {
                self.checked(level).await?;
            }
        }
        Ok(())
    }

    /// Compares the tile that these hashes are, and begins the next one; its root when it is full.
    async fn checked(&mut self, level: usize) -> Result<Hash, Failure> {
        let Level { hashes, before } = &mut self.standing.levels[level];
        let kind = Kind::Hashes { level: u8::try_from(level + 1).unwrap_or(u8::MAX) };
        let tile = Piece { kind, index: *before, width: hashes.len() as u64 };
        let said = hashes_of(self.source, tile).await?;
        if let Some(nth) = hashes.iter().zip(&said).position(|(ours, said)| ours != said) {
            return Err(Found::Hash { nth, tile }.into());
        }
        let root = Tree::of(hashes).root();
        hashes.clear();
        *before += 1;
        self.standing.tiles += 1;
        Ok(root)
    }
}
