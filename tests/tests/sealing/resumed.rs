//! A verification that goes on where it stood: what was verified is not read again, and what it
//! says is the same as if it had been.

use std::fs;

use serde_json::json;
use tests::{
    node0::{Node0, complaint, lines, run},
    own_cluster::OwnCluster,
};

use super::{grow_sealed, key, published, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_is_not_read_again_and_what_comes_must_go_on_from_it() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 0, 300).await;
    let (folder, key, kept) = (published(&own), key(&own), own.folder().join("kept"));
    let first = own.folder().join("first");
    fs::copy(folder.join("checkpoint"), &first).unwrap();
    let verify = |more: &[&str]| {
        let base = ["verify", text(&folder), "--key", &key, "--json"];
        run([&base[..], more].concat())
    };
    let verified = |more: &[&str]| {
        let output = verify(more);
        assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
        lines(&output).remove(0)
    };
    let resumed = ["--resume", text(&kept)];
    assert_eq!(verified(&resumed), verified(&[]));
    grow_sealed(&server.http(), 1_000, 600).await;
    server.stop();
    let older = ["--older", text(&first)];
    let whole = verified(&older);
    // The first bundle is not read again: nobody misses it.
    let bundle = folder.join("tile/entries/000");
    let bytes = fs::read(&bundle).unwrap();
    fs::remove_file(&bundle).unwrap();
    assert_eq!(verify(&older).status.code(), Some(1));
    assert_eq!(verified(&[&resumed[..], &older].concat()), whole);
    // It stands further by now, and the same comes out once more.
    assert_eq!(verified(&[&resumed[..], &older].concat()), whole);
    fs::write(&bundle, bytes).unwrap();

    // A file that says something else of what was verified: the root does not come out of it.
    let before = fs::read(&kept).unwrap();
    let line = before.split(|byte| *byte == b'\n').next().unwrap();
    let mut head: serde_json::Value = serde_json::from_slice(line).unwrap();
    head["standing"]["levels"][0]["hashes"][0] = json!("A".repeat(43) + "=");
    let forged = [head.to_string().as_bytes(), &before[line.len()..]].concat();
    fs::write(&kept, forged).unwrap();
    let refused = verify(&resumed);
    assert_eq!(refused.status.code(), Some(1), "{}", complaint(&refused));
    // One that was cut, and one of another log, are no such files.
    fs::write(&kept, &before[..before.len() - 5]).unwrap();
    assert_eq!(verify(&resumed).status.code(), Some(2));
    head["origin"] = json!("node0.example/other");
    fs::write(&kept, [head.to_string().as_bytes(), &before[line.len()..]].concat()).unwrap();
    let refused = verify(&resumed);
    assert_eq!(refused.status.code(), Some(2), "{}", complaint(&refused));
    assert!(complaint(&refused).contains("is of node0.example/other"), "{}", complaint(&refused));
}
