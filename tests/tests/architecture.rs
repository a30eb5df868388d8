//! The house as drawn: its edges, and the limits of taste that a machine can see.
//!
//! Does not know what any of the code does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Who may know whom. Tests and benchmarks stand outside the house and may look into every room.
const EDGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("agent", &["domain"]),
    ("evidence", &[]),
    ("event-store", &[]),
    ("commands", &["domain", "event-store"]),
    ("projections", &["domain", "event-store"]),
    ("api", &["agent", "commands", "domain", "event-store", "evidence", "projections"]),
];
/// The longest file of a context, in lines.
const CONTEXT_FILE_LINES_MAX: usize = 400;
/// The longest line of a comment, in characters; code is kept as short by rustfmt.
const LINE_CHARS_MAX: usize = 100;
/// Rooms nobody lives in.
const NAMES_REFUSED: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];
/// What the domain must not touch: clocks, randomness, I/O, tasks, storage, the web.
const IMPURE: &[&str] = &[
    "Utc::now",
    "SystemTime",
    "Instant::now",
    "getrandom",
    "OsRng",
    "thread_rng",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "async fn",
    "tokio",
    "sqlx",
    "axum",
];
/// Domain words that the event store must not know.
const DOMAIN_WORDS: &[&str] =
    &["validator", "delegat", "genesis", "consensus", "bonded", "slashing", "header_observed"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every file git tracks, as a path below the root.
fn tracked() -> Vec<String> {
    let out = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(out.status.success(), "not a git checkout: {}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout).expect("names are UTF-8");
    let names: Vec<String> =
        names.split('\0').filter(|name| !name.is_empty()).map(String::from).collect();
    assert!(names.len() > 50, "only {} files are tracked: nothing was checked", names.len());
    names
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(root().join(name)).ok()
}

/// The tracked Rust sources below a folder, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let found: Vec<_> = tracked()
        .into_iter()
        .filter(|name| name.starts_with(folder) && name.ends_with(".rs"))
        .filter_map(|name| read(&name).map(|text| (name, text)))
        .collect();
    assert!(!found.is_empty(), "no source below {folder}: nothing was checked");
    found
}

/// The code of a source: without comments, and without the tests at its end.
fn code(text: &str) -> String {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn assert_none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n{}", faults.join("\n"));
}

#[test]
fn the_rooms_know_exactly_whom_the_drawing_says() {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> =
        packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let known = edges.entry(package["name"].as_str().expect("a name")).or_default();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = dependency["name"].as_str().expect("a name");
            if ours.contains(name) {
                known.insert(name);
            }
        }
    }
    for (room, expected) in EDGES {
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(edges[room], expected, "{room} knows others than the drawing says");
    }
    let outside: BTreeSet<&str> =
        ours.into_iter().filter(|name| EDGES.iter().all(|(room, _)| room != name)).collect();
    assert_eq!(outside, BTreeSet::from(["bench", "tests"]), "a room that is not in the drawing");
}

#[test]
fn the_domain_is_pure() {
    let mut faults = Vec::new();
    for (name, text) in sources("domain/src/") {
        let code = code(&text);
        faults.extend(
            IMPURE
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{name}: {word}")),
        );
    }
    assert_none(&faults, "the domain touches the world");
}

#[test]
fn the_event_store_knows_no_domain_word() {
    let mut faults = Vec::new();
    for (name, text) in sources("event-store/src/") {
        let code = code(&text).to_lowercase();
        faults.extend(
            DOMAIN_WORDS
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{name}: {word}")),
        );
    }
    assert_none(&faults, "the event store knows what events mean");
}

#[test]
fn a_context_file_is_seen_whole() {
    let faults: Vec<String> = sources("domain/src/")
        .into_iter()
        .filter(|(_, text)| code(text).lines().count() > CONTEXT_FILE_LINES_MAX)
        .map(|(name, text)| format!("{name}: {} lines", code(&text).lines().count()))
        .collect();
    assert_none(&faults, &format!("longer than {CONTEXT_FILE_LINES_MAX} lines"));
}

#[test]
fn a_line_fits_the_screen() {
    let mut faults = Vec::new();
    for (name, text) in sources("") {
        for (line, number) in text.lines().zip(1..) {
            let chars = line.chars().count();
            // Code is rustfmt's; what it leaves longer is a text that must not be broken.
            let comment = line.trim_start().starts_with("//") && !line.contains("https://");
            if comment && chars > LINE_CHARS_MAX {
                faults.push(format!("{name}:{number}: {chars} characters"));
            }
        }
    }
    assert_none(&faults, &format!("longer than {LINE_CHARS_MAX} characters"));
}

#[test]
fn every_module_says_what_it_is_for_and_what_it_does_not_know() {
    let mut faults = Vec::new();
    for room in EDGES.iter().map(|(room, _)| room) {
        for (name, text) in sources(&format!("{room}/src/")) {
            let doc: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
            let paragraphs = doc.split(|line| line.trim() == "//!").filter(|part| !part.is_empty());
            if paragraphs.count() < 2 {
                faults.push(name);
            }
        }
    }
    assert_none(&faults, "a module without two paragraphs at its head");
}

#[test]
fn no_room_is_named_for_nobody() {
    let faults: Vec<String> = tracked()
        .into_iter()
        .filter(|name| {
            name.split(['/', '.']).any(|part| NAMES_REFUSED.contains(&part.to_lowercase().as_str()))
        })
        .collect();
    assert_none(&faults, "named for nobody");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Put together here, so that this file does not name them either.
    let paths = ["/ro", "/ho", "/wo"].map(|start| {
        let rest = match start {
            "/ro" => "ot/",
            "/ho" => "me/",
            _ => "rk/",
        };
        format!("{start}{rest}")
    });
    let mut faults = Vec::new();
    for name in tracked() {
        let Some(text) = read(&name) else { continue };
        for (line, number) in text.lines().zip(1..) {
            if paths.iter().any(|path| line.contains(path.as_str()) && !line.contains("://")) {
                faults.push(format!("{name}:{number}: {line}"));
            }
        }
    }
    assert_none(&faults, "a path of one machine");
}

#[test]
fn sql_is_lower_case_and_its_constraints_are_named() {
    let mut faults = Vec::new();
    for name in tracked().into_iter().filter(|name| name.ends_with(".sql")) {
        let text = read(&name).expect("a tracked file");
        let mut before = "";
        for (line, number) in text.lines().zip(1..) {
            let sql = line.split("--").next().unwrap_or_default().trim();
            let shouted = ["SELECT ", "CREATE ", "INSERT ", "UPDATE ", "ALTER "];
            if shouted.iter().any(|word| sql.contains(word)) {
                faults.push(format!("{name}:{number}: upper case"));
            }
            let unnamed = ["primary key", "unique (", "check (", "references "]
                .iter()
                .any(|word| sql.contains(word));
            // A long check stands on the line after its name.
            if unnamed && !sql.contains("constraint ") && !before.contains("constraint ") {
                faults.push(format!("{name}:{number}: a constraint without a name"));
            }
            before = sql;
        }
    }
    assert_none(&faults, "SQL");
}
