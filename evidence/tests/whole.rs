//! Logs that are what they say.

use evidence::{Kind, Piece, Tree, bundle, pieces};
use proptest::{collection::vec, prelude::*};

use crate::log::{Log, has, path, root};

#[test]
fn a_whole_log_is_verified_whatever_its_size() {
    for count in [1, 2, 255, 256, 257, 511, 512, 513, 1_000] {
        let log = Log::with(count);
        let report = log.verified(&[]).unwrap_or_else(|failure| panic!("{count}: {failure}"));
        assert_eq!(report.entries, count as u64);
        assert_eq!(report.root, root(&log.leaves).to_string());
        assert_eq!(report.signed_by, ["log.example/one"]);
    }
}

#[test]
fn the_third_level_is_verified_too() {
    let log = Log::with(66_000);
    let report = log.verified(&[log.before(65_536), log.before(7)]).unwrap();
    // 257 full tiles and a partial one of hashes of entries; above them a full one and a partial
    // one; and one of one hash.
    assert_eq!((report.tiles, report.older), (258 + 2 + 1, vec![7, 65_536]));
    assert!(has(&log.folder, "tile/2/000.p/1"));
}

#[test]
fn it_goes_on_from_every_size_that_it_had() {
    let log = Log::with(300);
    let older: Vec<Vec<u8>> = (0..=300).map(|size| log.before(size)).collect();
    assert_eq!(log.verified(&older).unwrap().older.len(), 301);
}

#[test]
fn a_full_piece_stands_for_a_partial_one_that_is_gone() {
    let log = Log::with(600);
    let first = log.before(300);
    log.write("checkpoint", &first);
    // What was partial at 300 is full at 600: its bundle and its tile.
    assert!(!has(&log.folder, &path("entries", 1, 44)));
    // The tile above it is partial still, and was published then.
    let upper = log.read(&path("1", 0, 2));
    log.write(&path("1", 0, 1), &upper[..32]);
    assert_eq!(log.verified(&[]).unwrap().entries, 300);
}

#[test]
fn paths_are_those_of_the_specification() {
    let path = |kind, index, width| Piece { kind, index, width }.to_string();
    let hashes = Kind::Hashes { level: 0 };
    assert_eq!(path(hashes, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(Kind::Hashes { level: 63 }, 0, 112), "tile/63/000.p/112");
    assert_eq!(path(Kind::Entries, 273, 1), "tile/entries/273.p/1");
    assert_eq!(path(Kind::Entries, 1_000, 256), "tile/entries/x001/000");
    // The example of the specification: a tree of 70,000.
    let widths = |level| -> (usize, u64) {
        let all: Vec<Piece> = pieces(Kind::Hashes { level }, 70_000).collect();
        (all.len(), all.last().map_or(0, |last| last.width))
    };
    assert_eq!([0, 1, 2, 3].map(widths), [(274, 112), (2, 17), (1, 1), (0, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_has_the_root_of_rfc_6962_at_every_size(count in 0_usize..700) {
        let leaves: Vec<_> = (0..count).map(|n| tlog_tiles::record_hash(&n.to_be_bytes())).collect();
        let mut tree = Tree::default();
        for size in 0..=count {
            if size % 97 == 0 || size == count {
                prop_assert_eq!(tree.root(), root(&leaves[..size]));
            }
            if let Some(leaf) = leaves.get(size) {
                tree.push(*leaf);
            }
        }
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written(entries in vec(vec(any::<u8>(), 0..300), 0..40)) {
        let bytes = bundle::write(entries.iter().map(Vec::as_slice)).unwrap();
        let read = bundle::read(&bytes, entries.len() as u64).unwrap();
        prop_assert_eq!(read, entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_bring_the_reader_of_bundles_down(bytes in vec(any::<u8>(), 0..600), count in 0_u64..9) {
        if let Ok(entries) = bundle::read(&bytes, count) {
            prop_assert_eq!(bundle::write(entries).unwrap(), bytes);
        }
    }
}

#[test]
fn an_entry_of_65_535_bytes_fits_and_a_longer_one_does_not() {
    let longest = vec![7; bundle::ENTRY_BYTES_MAX];
    let bytes = bundle::write([longest.as_slice()]).unwrap();
    assert_eq!(bundle::read(&bytes, 1).unwrap(), [longest.as_slice()]);
    bundle::write([vec![7; bundle::ENTRY_BYTES_MAX + 1].as_slice()]).unwrap_err();
    let log = Log::of(&[longest, Vec::new()]);
    assert_eq!(log.verified(&[]).unwrap().entry_bytes, 65_535);
}
