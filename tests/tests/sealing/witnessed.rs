//! Witnesses: real processes with keys of their own, whose word a log needs, and which no log
//! deceives.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::{
    node0::{Node0, complaint, free_place, program, run},
    own_cluster::OwnCluster,
    pristine,
};

use super::{grow, grow_sealed, key, keys, published, size, text, until, until_size, verified};

/// A running `node0 witness`. Killed when it is dropped.
struct Witness {
    child: Child,
    key: String,
    address: String,
}

impl Witness {
    fn start(folder: &Path, log: &str, place: &str) -> Witness {
        let mut command = program();
        command.args(["witness", "--json", "--name", "witness.example/w1", "--of", log]);
        command.arg("--folder").arg(folder).args(["--listen", place]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let said = |name: &str| told[name].as_str().unwrap().to_owned();
        Witness { child, key: said("key"), address: said("address") }
    }

    fn kill(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        self.child.wait().unwrap();
    }

    /// As a setting names it.
    fn named(&self) -> String {
        format!("{}@{}", self.key, self.address)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn serve(own: &OwnCluster, witnesses: &str) -> Node0 {
    let mut command = program();
    Node0::serve(command.arg("--data").arg(own.folder()).args(["--witnesses", witnesses]))
}

/// A data folder whose log has a key, and that key.
fn with_key() -> (OwnCluster, String) {
    let own = OwnCluster::initialised();
    Node0::on_folder(own.folder()).stop();
    let log = key(&own);
    (own, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_cosigned_and_waits_while_the_witness_is_away() {
    let ((own, log_key), memory, place) = (with_key(), OwnCluster::empty(), free_place());
    let witness = Witness::start(memory.folder(), &log_key, &place);
    let (witness_key, named) = (witness.key.clone(), witness.named());
    let server = serve(&own, &named);
    let http = server.http();
    let (_, log) = grow_sealed(&http, 0, 5).await;
    assert_eq!(log["witness_quorum"], 1);
    assert_eq!(log["witnesses"], json!([{ "name": "witness.example/w1", "key": witness_key }]));
    let both = ["--key", witness_key.as_str(), "--cosigned", "1"];
    let report = verified(&published(&own), &log_key, &both);
    assert_eq!(report["cosigned_by"], json!(["witness.example/w1"]));
    let older = own.folder().join("older");
    fs::copy(published(&own).join("checkpoint"), &older).unwrap();
    // Without the witness it is signed, and not published.
    witness.kill();
    let last = grow(&http, 5, 5).await;
    let signed = |log: &Value| log["signed_size"].as_str().unwrap().parse::<u64>().unwrap();
    let log = until(&http, |log| signed(log) >= last).await;
    assert!(size(&log) < last, "{log:#}");
    assert_eq!(log["refused"], json!(null));
    let early = http.get(&format!("/api/v1/log/receipts/{last}")).await;
    assert_eq!((early.status, &early.body["type"]), (503, &json!("/problems/not-sealed")));
    // It comes back with what it remembers, and goes on.
    let witness = Witness::start(memory.folder(), &log_key, &place);
    assert_eq!(witness.key, witness_key);
    until_size(&http, last).await;
    let all = ["--key", &witness_key, "--cosigned", "1", "--older", text(&older)];
    verified(&published(&own), &log_key, &all);
    // Whoever takes it up again has it cosigned again, and one signature takes the other's place.
    server.stop();
    let server = serve(&own, &named);
    until_size(&server.http(), last).await;
    let signed = fs::read_to_string(published(&own).join("checkpoint")).unwrap();
    assert_eq!(signed.matches("— witness.example/w1 ").count(), 1, "{signed}");
    verified(&published(&own), &log_key, &all);
    // Who asks for two witnesses is not content with one.
    let folder = published(&own);
    let two =
        ["verify", text(&folder), "--key", &log_key, "--key", &witness_key, "--cosigned", "2"];
    let output = run(two);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("1 of the given witnesses"), "{}", complaint(&output));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_with_all_that_was_published_is_told_by_its_witness() {
    let ((own, log_key), memory) = (with_key(), OwnCluster::empty());
    let witness = Witness::start(memory.folder(), &log_key, &free_place());
    let server = serve(&own, &witness.named());
    grow_sealed(&server.http(), 0, 5).await;
    server.stop();
    // The database and what was published, as they are now.
    let kept = OwnCluster::empty();
    pristine::copy(own.folder(), kept.folder()).unwrap();
    let copied = |from: &Path, to: &Path| {
        let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(status.unwrap().success());
    };
    copied(&published(&own), kept.folder());
    let server = serve(&own, &witness.named());
    let (last, _) = grow_sealed(&server.http(), 5, 7).await;
    server.stop();
    for folder in ["pg", "log"] {
        fs::remove_dir_all(own.folder().join(folder)).unwrap();
    }
    pristine::copy(kept.folder(), own.folder()).unwrap();
    copied(&published(&kept), own.folder());
    let server = serve(&own, &witness.named());
    let log = until(&server.http(), |log| log["refused"].is_string()).await;
    let refused = log["refused"].as_str().unwrap();
    assert!(refused.contains(&format!("has seen {last} entries of this log")), "{refused}");
    grow(&server.http(), 50, 20).await;
    let log = until(&server.http(), |log| log["refused"].is_string()).await;
    assert!(size(&log) < last, "nothing is signed over it: {log:#}");
    server.stop();
}

/// What a witness answers to a body: its status, and its text.
async fn submit(witness: &Witness, body: String) -> (u16, String) {
    let url = format!("{}/add-checkpoint", witness.address);
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_answers_by_the_letter_of_the_protocol() {
    use evidence::{Checkpoint, Hash, Role, SignerKey, Tree, record_hash};
    let log = SignerKey::generate(Role::Log, "log.example/one").unwrap();
    let other = SignerKey::generate(Role::Log, "log.example/one").unwrap();
    let memory = OwnCluster::empty();
    let (public, place) = (log.public().to_string(), free_place());
    let witness = Witness::start(memory.folder(), &public, &place);
    let leaf = |n: u8| record_hash(&[n]);
    let root = |count: u8| Tree::of(&(0..count).map(leaf).collect::<Vec<Hash>>()).root();
    let signed = |key: &SignerKey, size: u64, root: Hash| {
        String::from_utf8(Checkpoint::sign(size, root, std::slice::from_ref(key)).unwrap()).unwrap()
    };
    let two = signed(&log, 2, root(2));
    // First of all nothing is proved.
    let (status, line) = submit(&witness, format!("old 0\n\n{two}")).await;
    assert_eq!(status, 200, "{line}");
    assert!(line.starts_with("— witness.example/w1 ") && line.ends_with('\n'), "{line}");
    let keys = [log.public().clone(), witness.key.parse().unwrap()].into_iter().collect();
    let read = Checkpoint::open(format!("{two}{line}").as_bytes(), &keys).unwrap();
    assert_eq!(read.cosigned_by, ["witness.example/w1"]);
    // The same again; then from the wrong size; then larger than what it is of.
    assert_eq!(submit(&witness, format!("old 2\n\n{two}")).await.0, 200);
    let three = signed(&log, 3, root(3));
    assert_eq!(submit(&witness, format!("old 0\n\n{three}")).await, (409, "2\n".to_owned()));
    assert_eq!(submit(&witness, format!("old 3\n\n{two}")).await.0, 400);
    // With the right proof, which for 2 of 3 is the third leaf.
    let proof = leaf(2).to_string();
    assert_eq!(submit(&witness, format!("old 2\n{proof}\n\n{three}")).await.0, 200);
    // Another root of the same size; a wrong proof; a proof of what needs none.
    let forked = signed(&log, 3, root(2));
    assert_eq!(submit(&witness, format!("old 3\n\n{forked}")).await, (409, "3\n".to_owned()));
    let four = signed(&log, 4, root(4));
    assert_eq!(submit(&witness, format!("old 3\n{proof}\n\n{four}")).await.0, 422);
    assert_eq!(submit(&witness, format!("old 3\n{proof}\n\n{three}")).await.0, 422);
    // Signed by another key of that name; of a log that it does not know; and no request at all.
    let by_other = signed(&other, 4, root(4));
    assert_eq!(submit(&witness, format!("old 3\n\n{by_other}")).await.0, 403);
    let unknown = SignerKey::generate(Role::Log, "log.example/two").unwrap();
    let unknown = signed(&unknown, 4, root(4));
    assert_eq!(submit(&witness, format!("old 0\n\n{unknown}")).await.0, 404);
    for body in ["", "old 3", "old 03\n\nx", "old 3\nnothing\n\nx", "new 3\n\nx", "old 3\n\nx"] {
        let status = submit(&witness, body.to_owned()).await.0;
        assert!(matches!(status, 400 | 403 | 404), "{body}: {status}");
    }
    assert_eq!(submit(&witness, "x".repeat(100_000)).await.0, 413);
    // It is killed, and remembers.
    witness.kill();
    let witness = Witness::start(memory.folder(), &public, &place);
    assert_eq!(submit(&witness, format!("old 0\n\n{four}")).await, (409, "3\n".to_owned()));
    // Two of one memory there are not.
    let mut second = program();
    second.args(["witness", "--of", &public, "--listen", "127.0.0.1:0", "--folder"]);
    let second = second.arg(memory.folder()).output().unwrap();
    assert_eq!(second.status.code(), Some(3));
    assert!(complaint(&second).contains("another witness"), "{}", complaint(&second));
}

#[test]
fn a_witness_says_what_it_lacks() {
    let memory = OwnCluster::empty();
    let log = "log.example/one+00000000+AAAA";
    let output = run(["witness", "--of", log, "--folder", text(memory.folder())]);
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("A key of a log is none"), "{}", complaint(&output));
    let (own, log) = with_key();
    let output = run(["witness", "--of", &log, "--folder", text(memory.folder())]);
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("--name says"), "{}", complaint(&output));
    assert_eq!(keys(&own, "keys"), [log]);
}
