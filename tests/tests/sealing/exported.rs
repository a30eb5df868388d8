//! Exports: events of a published log as files of others' forms, each proved by the log's key, and
//! nothing that is done to such a file goes unnoticed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{
    node0::{Node0, complaint, lines, run},
    own_cluster::OwnCluster,
};

use super::{grow_sealed, key, published, text};

/// A log that is published, and where exports of it go.
struct Log {
    own: OwnCluster,
    key: String,
    size: u64,
}

impl Log {
    async fn grown(events: usize) -> Log {
        let own = OwnCluster::initialised();
        let server = Node0::on_folder(own.folder());
        let (size, _) = grow_sealed(&server.http(), 0, events).await;
        server.stop();
        let key = key(&own);
        Log { own, key, size }
    }

    fn export(&self, name: &str, more: &[&str]) -> (PathBuf, Value) {
        let (from, to) = (published(&self.own), self.own.folder().join(name));
        let whole = ["export", text(&from), "--key", &self.key, "--json", "--to", text(&to)];
        let output = run([&whole[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
        (to, lines(&output).remove(0))
    }

    fn verify(&self, folder: &Path) -> Result<Value, String> {
        let output = run(["verify", text(folder), "--key", &self.key, "--json"]);
        match output.status.code() {
            Some(0) => Ok(lines(&output).remove(0)),
            code => {
                assert_eq!(code, Some(1), "{}", complaint(&output));
                Err(complaint(&output))
            }
        }
    }
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

fn part(folder: &Path) -> PathBuf {
    folder.join(manifest(folder)["parts"][0]["file"].as_str().unwrap())
}

/// The manifest says of a file what it is now.
fn admit(folder: &Path, of: &str) {
    let mut manifest = manifest(folder);
    let bytes = fs::read(folder.join(manifest[of][0]["file"].as_str().unwrap())).unwrap();
    manifest[of][0]["sha256"] = hex::encode(Sha256::digest(&bytes)).into();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_events_are_exported_in_each_form_and_prove_themselves() {
    let log = Log::grown(300).await;
    for format in ["ndjson", "csv", "parquet"] {
        let (folder, said) = log.export(format, &["--format", format]);
        assert_eq!((&said["events"], &said["receipts"]), (&json!(log.size), &json!(false)));
        let verified = log.verify(&folder).unwrap();
        assert_eq!((&verified["events"], &verified["root"]), (&json!(log.size), &said["root"]));
        // Once more: it is there.
        assert_eq!(log.export(format, &["--format", format]).1, said);
    }
    let lines = fs::read_to_string(part(&log.own.folder().join("ndjson"))).unwrap();
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len() as u64, log.size);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["specversion"], &last["type"], &last["subject"]),
        (&json!("1.0"), &json!("flag-created.v1"), &json!("flag-flag_299"))
    );
    assert_eq!(last["sequence"].as_str().unwrap().parse::<u64>().unwrap(), log.size);
    assert_eq!(last["data"]["id"], last["id"]);
    let csv = fs::read_to_string(part(&log.own.folder().join("csv"))).unwrap();
    assert!(csv.starts_with("position,stream,version,type,id,at,actor,"), "{csv:.99}");
    let bytes = fs::read(part(&log.own.folder().join("parquet"))).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn some_events_are_exported_each_with_its_receipt() {
    let log = Log::grown(280).await;
    let wanted: BTreeMap<&str, (&[&str], u64)> = BTreeMap::from([
        ("stream", (&["--stream", "flag-flag_7", "--stream", "flag-flag_270"][..], 2)),
        ("category", (&["--category", "flag", "--after", "100", "--until", "120"][..], 20)),
        ("type", (&["--type", "flag-created.v1"][..], 280)),
        ("csv", (&["--format", "csv", "--category", "flag", "--until", "5"][..], 2)),
        ("parquet", (&["--format", "parquet", "--after", "279"][..], log.size - 279)),
    ]);
    for (name, (query, events)) in wanted {
        let (folder, said) = log.export(name, query);
        assert_eq!((&said["events"], &said["receipts"]), (&json!(events), &json!(true)), "{name}");
        assert_eq!(log.verify(&folder).unwrap()["events"], json!(events), "{name}");
    }
    // A receipt is one that anybody can verify by itself.
    let folder = log.own.folder().join("stream");
    let receipts = fs::read_to_string(folder.join("receipts-000000000001-000000000283.ndjson"));
    let receipts = receipts.unwrap_or_else(|_| panic!("{:#}", manifest(&folder)));
    let first: Value = serde_json::from_str(receipts.lines().next().unwrap()).unwrap();
    let event = fs::read_to_string(part(&folder)).unwrap();
    let event: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(event.lines().next().unwrap()).unwrap();
    let (receipt, record) = (log.own.folder().join("receipt"), log.own.folder().join("record"));
    fs::write(&receipt, first["receipt"].as_str().unwrap()).unwrap();
    fs::write(&record, event["data"].get()).unwrap();
    let output = run(["receipt", text(&receipt), text(&record), "--key", &log.key, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert_eq!(lines(&output)[0]["position"], first["position"]);
    // Nothing was wanted that is there: nothing is proved.
    let (none, said) = log.export("none", &["--type", "never.v1"]);
    assert_eq!(said["events"], 0);
    assert!(log.verify(&none).unwrap_err().contains("0 events were verified"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_an_export_is_found() {
    let log = Log::grown(20).await;
    let (all, _) = log.export("all", &[]);
    let (some, _) = log.export("some", &["--category", "flag"]);
    let whole = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names.map(|path| (path.clone(), fs::read(path).unwrap())).collect::<BTreeMap<_, _>>()
    };
    let change = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{from} in {text:.300}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    let without_last_line = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        fs::write(path, lines[..lines.len() - 1].join("\n")).unwrap();
    };
    let receipts = some.join(manifest(&some)["receipts"][0]["file"].as_str().unwrap());
    let manifests = [all.join("manifest.json"), some.join("manifest.json")];
    type Tampering<'t> = (&'t str, &'t Path, Box<dyn Fn() + 't>, &'t str);
    let table: Vec<Tampering<'_>> = vec![
        ("a byte", &all, Box::new(|| change(&part(&all), "flag_3", "flag_4")), "it was changed"),
        (
            "a byte, admitted",
            &all,
            Box::new(|| {
                change(&part(&all), "\"description\":\"some", "\"description\":\"Some");
                admit(&all, "parts");
            }),
            "the root of all events is",
        ),
        (
            "the last event, admitted",
            &all,
            Box::new(|| {
                without_last_line(&part(&all));
                admit(&all, "parts");
            }),
            "the root of all events is",
        ),
        (
            "a size",
            &all,
            Box::new(|| change(&manifests[0], "\"size\": 23", "\"size\": 22")),
            "the manifest is not of the log",
        ),
        ("a filter that is denied", &some, Box::new(|| change(&manifests[1], "\"flag\"", "")), ""),
        (
            "an event, admitted",
            &some,
            Box::new(|| {
                change(&part(&some), "\"description\":\"some", "\"description\":\"Some");
                admit(&some, "parts");
            }),
            "it does not show that this entry",
        ),
        (
            "an event with its receipt",
            &some,
            Box::new(|| {
                for (path, of) in [(part(&some), "parts"), (receipts.clone(), "receipts")] {
                    without_last_line(&path);
                    admit(&some, of);
                }
            }),
            "19 events were verified, and it says that it has 20",
        ),
        (
            "a receipt",
            &some,
            Box::new(|| {
                without_last_line(&receipts);
                admit(&some, "receipts");
            }),
            "its receipt is missing",
        ),
        (
            "a checkpoint",
            &some,
            Box::new(|| change(&some.join("checkpoint"), "\n23\n", "\n24\n")),
            "the checkpoint",
        ),
        (
            "an interrupted one",
            &some,
            Box::new(|| change(&manifests[1], "\"complete\": true", "\"complete\": false")),
            "it was interrupted",
        ),
    ];
    for (name, folder, tamper, why) in table {
        let before = whole(folder);
        log.verify(folder).unwrap();
        tamper();
        let complaint = log.verify(folder).expect_err(name);
        assert!(complaint.contains(why), "{name}: {complaint}");
        before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_interrupted_goes_on_with_the_log_as_it_was_then() {
    let log = Log::grown(30).await;
    let (folder, _) = log.export("some", &["--category", "flag"]);
    let before = manifest(&folder);
    let server = Node0::on_folder(log.own.folder());
    grow_sealed(&server.http(), 100, 5).await;
    // As it was before its receipts, and before its events, were written.
    for lost in [vec!["receipts"], vec!["receipts", "parts"]] {
        let mut interrupted = before.clone();
        interrupted["complete"] = json!(false);
        for of in lost {
            interrupted[of] = json!([]);
            if of == "parts" {
                interrupted["events"] = json!(0);
            }
        }
        fs::write(folder.join("manifest.json"), interrupted.to_string()).unwrap();
        log.export("some", &["--category", "flag"]);
        assert_eq!(manifest(&folder), before);
    }
    // From its address, with a token; and never into the folder of another.
    let address = format!("{}/log", server.address());
    let token = log.own.folder().join("token");
    fs::write(&token, server.http().token()).unwrap();
    let ask = |to: &str, more: &[&str]| {
        let to = log.own.folder().join(to);
        let base = ["export", &address, "--key", &log.key, "--to", text(&to), "--json"];
        let arguments: Vec<String> =
            [&base[..], more].concat().into_iter().map(str::to_owned).collect();
        tokio::task::spawn_blocking(move || run(&arguments))
    };
    let with = ["--token-file", text(&token)];
    let served = ask("served", &with).await.unwrap();
    assert_eq!(served.status.code(), Some(0), "{}", complaint(&served));
    assert_eq!(log.verify(&log.own.folder().join("served")).unwrap()["events"], log.size + 5);
    let other = ask("some", &with).await.unwrap();
    assert_eq!(other.status.code(), Some(2), "{}", complaint(&other));
    assert!(complaint(&other).contains("has another export"), "{}", complaint(&other));
    let stranger = ask("stranger", &[]).await.unwrap();
    assert_eq!(stranger.status.code(), Some(3), "{}", complaint(&stranger));
    server.stop();
}
