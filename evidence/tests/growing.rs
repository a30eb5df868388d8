//! A log that grows in steps is published as if it had been published at once, whoever goes on with
//! it from whatever there is.

use std::{collections::BTreeMap, fs, path::Path};

use evidence::{Edge, Failure, Found, bundle};
use proptest::{collection::vec, prelude::*};

use crate::log::{Log, path, root, wait};

/// All files below a folder, by their paths in it, but for the checkpoint.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut all, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else if name != "checkpoint" {
                all.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    all
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("entry {n}").into_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn however_it_is_cut_into_steps(steps in vec(0..700_usize, 1..6)) {
        let all = entries(steps.iter().sum());
        let log = Log::of(&all);
        let expected = files(&log.folder);
        let (mut edge, mut published, mut rest) = (Edge::default(), BTreeMap::new(), &all[..]);
        for step in steps {
            let (some, after) = rest.split_at(step);
            let mut full = Vec::new();
            for entry in some {
                edge.push(entry, &mut full).unwrap();
            }
            published.extend(full.into_iter().map(|(piece, bytes)| (piece.to_string(), bytes)));
            rest = after;
            let size = all.len() - rest.len();
            prop_assert_eq!(edge.size(), size as u64);
            prop_assert_eq!(edge.root(), root(&log.leaves[..size]));
        }
        let partials = edge.partials().into_iter();
        published.extend(partials.map(|(piece, bytes)| (piece.to_string(), bytes)));
        let published: BTreeMap<String, Vec<u8>> =
            published.into_iter().map(|(path, bytes)| (path, bytes.to_vec())).collect();
        prop_assert!(published == expected, "other files, or other content");
    }

    #[test]
    fn whoever_takes_it_up_from_what_is_kept(size in 1..1_500_usize, more in 0..600_usize) {
        let all = entries(size + more);
        let (before, after) = (Log::of(&all[..size]), Log::of(&all));
        let partial = usize::try_from(Edge::partial(size as u64)).unwrap();
        let given = all[size - partial..size].iter().map(Vec::as_slice);
        let source = before.source();
        let loaded = Edge::load(&source, size as u64, before.root(), given);
        let mut edge = wait(loaded).unwrap();
        for entry in &all[size..] {
            edge.push(entry, &mut Vec::new()).unwrap();
        }
        prop_assert_eq!(edge.root(), after.root());
        let expected = files(&after.folder);
        for (piece, bytes) in edge.partials() {
            prop_assert_eq!(&expected[&piece.to_string()], &bytes);
        }
    }
}

#[test]
fn whoever_takes_it_up_where_whole_tiles_end_comes_to_the_same() {
    let count = 2 * 65_536 + 700;
    let all = entries(count);
    let log = Log::of(&all);
    for at in [0, 1, 2] {
        let at = at * Edge::WHOLE;
        let source = log.source();
        let mut edge = wait(Edge::load_whole(&source, count as u64, at)).unwrap();
        assert_eq!(edge.size(), at);
        assert_eq!(edge.root(), root(&log.leaves[..usize::try_from(at).unwrap()]));
        for entry in &all[usize::try_from(at).unwrap()..] {
            edge.push(entry, &mut Vec::new()).unwrap();
        }
        assert_eq!(edge.root(), log.root());
    }
}

/// What is found when the edge of a log of 600 entries is taken up after this was done.
fn found(done: impl FnOnce(&Log, &mut Vec<Vec<u8>>)) -> String {
    let all = entries(600);
    let log = Log::of(&all);
    let mut given = all[512..].to_vec();
    done(&log, &mut given);
    let given = given.iter().map(Vec::as_slice);
    match wait(Edge::load(&log.source(), 600, log.root(), given)).unwrap_err() {
        Failure::Found(found) => found.to_string(),
        Failure::Unread(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_not_what_was_signed_is_not_taken_up() {
    let tile = path("0", 2, 88);
    let other = found(|_, given| given[7] = b"entry X".to_vec());
    assert!(other.contains("entry 519 is not the one that tile/0/002.p/88 names"), "{other}");
    let fewer = found(|_, given| given.truncate(80));
    assert!(fewer.contains("has 600 entries, and this one only 592"), "{fewer}");
    let changed = found(|log, _| log.change(&tile, |all| all[40] ^= 1));
    assert!(changed.contains("the root of all 600 entries is"), "{changed}");
    let gone = found(|log, _| log.remove(&tile));
    assert!(gone.contains("tile/0/002.p/88 is missing"), "{gone}");
    let upper = found(|log, _| log.change(&path("1", 0, 2), |all| all.truncate(32)));
    assert!(upper.contains("tile/1/000.p/2 has 32 bytes, not 64"), "{upper}");
}

#[test]
fn an_entry_that_is_too_long_is_refused_and_changes_nothing() {
    let mut edge = Edge::default();
    edge.push(b"first", &mut Vec::new()).unwrap();
    let root = edge.root();
    let fault = edge.push(&vec![0; 65_536], &mut Vec::new()).unwrap_err();
    assert_eq!(fault, bundle::BundleFault::TooLong { bytes: 65_536 });
    assert_eq!((edge.size(), edge.root()), (1, root));
    assert!(matches!(
        wait(Edge::load(&Log::with(1).source(), 2, root, [])).unwrap_err(),
        Failure::Found(Found::Missing { .. })
    ));
}
