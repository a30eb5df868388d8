//! Logs that others have published, verified by the real program: from a folder, from an address.

use std::{
    fs,
    path::{Path, PathBuf},
};

use axum::{
    Router,
    http::{StatusCode, Uri},
    routing::get,
};
use tests::{
    fixtures,
    node0::{complaint, lines, run},
};

const LOG: &str = "tlog/example.com-log";
const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
/// How many checkpoints the log has signed, of 0 entries to so many.
const SIZE: u64 = 15;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn checkpoint(log: &Path, size: u64) -> PathBuf {
    log.join(format!("checkpoint.{size}"))
}

#[test]
fn every_checkpoint_that_others_signed_is_verified_and_goes_on_from_those_before() {
    let Some(log) = fixtures::path(LOG) else { return };
    for size in 1..=SIZE {
        let now = checkpoint(&log, size);
        if !now.exists() {
            continue;
        }
        let mut arguments = vec![
            "verify",
            text(&log),
            "--foreign",
            "--json",
            "--key",
            KEY,
            "--checkpoint",
            text(&now),
        ];
        let before: Vec<PathBuf> = (0..size).map(|size| checkpoint(&log, size)).collect();
        let before: Vec<&PathBuf> = before.iter().filter(|file| file.exists()).collect();
        for file in &before {
            arguments.extend(["--older", text(file)]);
        }
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{size}: {}", complaint(&output));
        let report = &lines(&output)[0];
        assert_eq!((&report["verified"], &report["entries"]), (&true.into(), &size.into()));
        assert_eq!(report["origin"], "example.com/log/testdata");
        assert_eq!(report["older"].as_array().unwrap().len(), before.len());
    }
    let nothing = checkpoint(&log, 0);
    let output =
        run(["verify", text(&log), "--foreign", "--key", KEY, "--checkpoint", text(&nothing)]);
    assert_eq!(output.status.code(), Some(1), "an empty log proves nothing");
    assert!(complaint(&output).contains("nothing was verified"), "{}", complaint(&output));
}

/// A copy that may be changed; gone when it is dropped.
struct Copied(PathBuf);

impl Copied {
    fn of(log: &Path, name: &str) -> Copied {
        let to = std::env::temp_dir().join(format!("node0-{name}-{}", std::process::id()));
        copy(log, &to);
        fs::copy(checkpoint(log, SIZE), to.join("checkpoint")).unwrap();
        Copied(to)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            // Not with its permissions: it will be written to.
            fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

#[test]
fn what_was_changed_is_named_and_ends_with_1() {
    let Some(log) = fixtures::path(LOG) else { return };
    let copied = Copied::of(&log, "changed");
    let whole = run(["verify", text(&copied.0), "--foreign", "--key", KEY]);
    assert_eq!(whole.status.code(), Some(0), "{}", complaint(&whole));
    let said = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(said.starts_with("verified 15 entries"), "{said}");
    let bundle = copied.0.join("tile/entries/000.p/15");
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[2] ^= 1;
    fs::write(&bundle, &bytes).unwrap();
    let changed = run(["verify", text(&copied.0), "--foreign", "--json", "--key", KEY]);
    assert_eq!(changed.status.code(), Some(1));
    assert_eq!(lines(&changed)[0]["verified"], false);
    assert!(complaint(&changed).contains("entry 0 is not the one"), "{}", complaint(&changed));
    let other = "log.example/one+7cbfe7ef+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (key, code, says) in [("no key", 2, "no verifier key"), (other, 2, "no verifier key")] {
        let output = run(["verify", text(&copied.0), "--foreign", "--key", key]);
        assert_eq!(output.status.code(), Some(code), "{}", complaint(&output));
        assert!(complaint(&output).contains(says), "{}", complaint(&output));
    }
    let nowhere = run(["verify", "/nowhere/at/all", "--key", KEY]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", complaint(&nowhere));
    let away = run(["verify", "http://127.0.0.1:1/log", "--key", KEY]);
    assert_eq!(away.status.code(), Some(3), "{}", complaint(&away));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_verified_from_where_it_is_served() {
    let Some(log) = fixtures::path(LOG) else { return };
    let copied = Copied::of(&log, "served");
    let folder = copied.0.clone();
    let serve = move |uri: Uri| {
        let path = uri.path().strip_prefix("/some/log/").map(|path| folder.join(path));
        async move {
            let bytes = path.and_then(|path| fs::read(path).ok());
            bytes.ok_or(StatusCode::NOT_FOUND)
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(get(serve))).await.unwrap();
    });
    for (path, code) in [("some/log", 0), ("some/log/", 0), ("other", 3)] {
        let url = format!("http://{address}/{path}");
        let output =
            tokio::task::spawn_blocking(move || run(["verify", &url, "--foreign", "--key", KEY]));
        let output = output.await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{path}: {}", complaint(&output));
    }
    server.abort();
}
