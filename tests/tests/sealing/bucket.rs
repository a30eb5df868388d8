//! A log that is published in a bucket: the same as in a folder, while the bucket is there; while
//! it is not, commands go on, and are sealed afterwards.

use std::process::Output;

use serde_json::json;
use tests::{
    bucket::Bucket,
    node0::{Node0, complaint, lines, program},
    own_cluster::OwnCluster,
};

use super::{grow, grow_sealed, key, size, text, until_size};

/// What a verb of the program says that reaches the bucket.
fn said(bucket: &Bucket, arguments: &[&str]) -> Output {
    program().envs(bucket.environment()).args(arguments).arg("--json").output().unwrap()
}

fn done(output: &Output) -> serde_json::Value {
    assert_eq!(output.status.code(), Some(0), "{}", complaint(output));
    lines(output).remove(0)
}

fn serve(own: &OwnCluster, bucket: &Bucket) -> Node0 {
    let mut command = program();
    command.envs(bucket.environment()).env("NODE0_SEAL_STORAGE", bucket.address("log"));
    Node0::serve(command.arg("--data").arg(own.folder()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_published_and_backed_up_in_a_bucket_and_put_back_out_of_it() {
    let (own, mut bucket) = (OwnCluster::initialised(), Bucket::start());
    let server = serve(&own, &bucket);
    let http = server.http();
    grow_sealed(&http, 0, 300).await;
    let (log, key) = (bucket.address("log"), key(&own));
    let verify = |place: &str| said(&bucket, &["verify", place, "--key", &key]);
    assert!(done(&verify(&log))["entries"].as_u64() > Some(300));

    // It goes away: nobody who commands waits for it.
    bucket.go_away();
    let last = grow(&http, 1_000, 20).await;
    let published = http.get("/api/v1/log").await.expect(200);
    assert!(size(&published) < last, "{published:#}");
    assert_eq!(published["refused"], json!(null));
    let proof = http.get("/api/v1/log/receipts/5").await;
    assert_eq!(proof.body["type"], "/problems/storage-unavailable", "{proof:#?}");
    bucket.come_back();
    until_size(&http, last).await;
    let verify = |place: &str| said(&bucket, &["verify", place, "--key", &key]);
    let whole = done(&verify(&log));
    assert_eq!(whole["entries"], last);
    // Whoever takes the seal goes on from what is there.
    server.kill();
    let server = serve(&own, &bucket);
    let (last, _) = grow_sealed(&server.http(), 2_000, 5).await;

    let (backup, data) = (bucket.address("backup/of/today"), text(own.folder()));
    let mut command = program();
    command.envs(bucket.environment()).env("NODE0_SEAL_STORAGE", &log);
    let made = command.args(["backup", "--json", "--data", data, "--to", &backup]).output();
    assert_eq!(done(&made.unwrap())["events"], last);
    server.stop();
    assert_eq!(done(&verify(&backup))["entries"], last);
    let anew = OwnCluster::initialised();
    let data = text(anew.folder());
    let from = ["restore", "--from-bundle", &backup, "--key", &key, "--data", data];
    assert_eq!(done(&said(&bucket, &from))["events"], last);
}
