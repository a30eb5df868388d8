//! What is done to a published log of ours, by whoever has all of its files, and even its key: none
//! of it goes unnoticed, and the report says what it is.

use std::{fs, path::PathBuf};

use evidence::SignerKey;
use tests::{
    node0::{Node0, complaint, run},
    own_cluster::OwnCluster,
    published::{publish, records},
};

use super::{grow_sealed, key, published, text};

/// A log as it was published, and what it takes to publish it anew.
struct Log {
    folder: PathBuf,
    key: SignerKey,
    records: Vec<Vec<u8>>,
    /// What was signed, as somebody has kept it.
    kept: PathBuf,
}

impl Log {
    async fn of(own: &OwnCluster) -> Log {
        let server = Node0::on_folder(own.folder());
        let (last, _) = grow_sealed(&server.http(), 0, 320).await;
        server.stop();
        let folder = published(own);
        let secret = fs::read_to_string(own.folder().join("seal.key")).unwrap();
        let records = records(&folder, last);
        let kept = own.folder().join("kept");
        fs::copy(folder.join("checkpoint"), &kept).unwrap();
        Log { folder, key: secret.trim().parse().unwrap(), records, kept }
    }

    /// Publishes it anew out of these records.
    fn publish(&self, records: &[Vec<u8>]) {
        publish(&self.folder, &self.key, records);
    }

    /// What `node0 verify` finds.
    fn found(&self, more: &[&str]) -> String {
        let key = self.key.public().to_string();
        let arguments = [&["verify", text(&self.folder), "--key", &key][..], more].concat();
        let output = run(arguments);
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }
}

/// A part of a record, replaced.
fn replaced(record: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(record).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_key_too_cannot_change_history_unnoticed() {
    let own = OwnCluster::initialised();
    let log = Log::of(&own).await;
    assert_eq!(key(&own), log.key.public().to_string());
    let whole = log.records.clone();
    let at = |position: usize| position - 1;
    // Each is signed again, with the right hashes: what gives it away is what the records say of
    // one another.
    type Change = Box<dyn Fn(&mut Vec<Vec<u8>>)>;
    let change = |position: usize, from: &'static str, to: &'static str| -> Change {
        Box::new(move |records| {
            let record = &mut records[at(position)];
            *record = replaced(record, from, to);
        })
    };
    let cases: Vec<(&str, Change, &str)> = vec![
        (
            "a version that is left out",
            change(40, "\"version\":\"1\"", "\"version\":\"2\""),
            "begins with version 2",
        ),
        (
            "a version that is no number",
            change(40, "\"version\":\"1\"", "\"version\":\"x\""),
            "no version",
        ),
        ("a blank", change(40, "{\"actor\"", "{ \"actor\""), "not in RFC 8785 form"),
        ("keys in another order", change(40, "\"v\":\"node0.event/1\",", ""), "v"),
        (
            "an event that nobody knows",
            change(40, "flag-created.v1", "flag-invented.v1"),
            "cannot be read",
        ),
        (
            "a stream of no kind",
            change(40, "\"stream\":\"flag-", "\"stream\":\"flog-"),
            "no context of this program",
        ),
        (
            "data that break the schema",
            change(40, "\"description\":", "\"descriptoin\":"),
            "cannot be read",
        ),
        ("a field too many", change(40, "\"v\":", "\"u\":1,\"v\":"), "unknown field"),
        (
            "text that is no record",
            Box::new(|records| records[39] = b"{}".to_vec()),
            "missing field",
        ),
        ("bytes that are no text", Box::new(|records| records[39] = vec![0xff; 20]), "position 40"),
        (
            "an event that stands twice",
            Box::new(|records| {
                let again = records[39].clone();
                records.push(again);
            }),
            "goes from version 1 to 1",
        ),
        (
            "a request that is done again",
            Box::new(|records| {
                let text = String::from_utf8(records[39].clone()).unwrap();
                let stream = text.split("\"stream\":\"").nth(1).unwrap().split('"').next().unwrap();
                let again = text.replace(stream, "flag-another");
                records.push(again.into_bytes());
            }),
            "stands here again",
        ),
        (
            "two events of a stream in the other order",
            Box::new(|records| {
                // The set-up's own: the service is there before it has a key.
                records.swap(0, 2);
            }),
            "begins with version",
        ),
    ];
    for (what, change, says) in &cases {
        let mut records = whole.clone();
        change(&mut records);
        log.publish(&records);
        let found = log.found(&[]);
        assert!(found.contains(says), "{what}: {found}");
    }
    // What records do not say of one another, somebody has kept: any checkpoint of before.
    let changed = replaced(&whole[at(40)], "something", "anything!");
    let mut one_word = whole.clone();
    one_word[at(40)] = changed;
    let mut one_less = whole.clone();
    one_less.remove(at(40));
    let mut swapped = whole.clone();
    swapped.swap(at(40), at(41));
    let cut = whole[..300].to_vec();
    for (what, records, says) in [
        ("a word", one_word, "history was changed"),
        ("an event that was deleted", one_less, "some are gone"),
        ("two events that were swapped", swapped, "history was changed"),
        ("the last events, cut off", cut, "some are gone"),
    ] {
        log.publish(&records);
        let found = log.found(&["--older", text(&log.kept)]);
        assert!(found.contains(says), "{what}: {found}");
    }
    // Put right, it is verified again.
    log.publish(&whole);
    let key = log.key.public().to_string();
    let older = ["--key", &key, "--older", text(&log.kept), "--json"];
    let output = run([&["verify", text(&log.folder)][..], &older].concat());
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["records"]["commands"], 323);
}
