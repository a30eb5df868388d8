//! The domain reads no clock, draws nothing at random and touches nothing outside.

use std::path::Path;

/// What none of its sources may name.
const FORBIDDEN: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "Time::now",
    "rand::",
    "getrandom",
    "OsRng",
    "thread_rng",
    "HashMap::iter",
    "tokio",
    "async fn",
    "println!",
    "unsafe",
];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn no_source_names_a_clock_chance_or_the_outside() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 30, "{} sources", found.len());
    for (path, text) in found {
        for word in FORBIDDEN {
            assert!(!text.contains(word), "{path} names {word}");
        }
    }
}
