//! Others' code walks our log: the reference code of Go's checksum database.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tests::{http::Http, node0::Node0, own_cluster::OwnCluster};

use super::{grow_sealed, key, published, text};

/// Where Debian has Go's libraries.
const GOPATH: &str = "/usr/share/gocode";

/// Runs the walker of `tests/sumdb`.
fn walk(arguments: &[&str]) -> std::process::Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("sumdb/walk.go");
    let mut go = Command::new("go");
    go.arg("run").arg(program).args(arguments);
    go.env("GO111MODULE", "off").env("GOPATH", GOPATH).env("GOFLAGS", "");
    go.env("GOCACHE", std::env::temp_dir().join("node0-go-cache"));
    go.output().expect("Go is installed: `make test` does it")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_code_of_gos_checksum_database_walks_our_log_and_checks_our_receipts() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http: Http = server.http();
    let (last, _) = grow_sealed(&http, 0, 600).await;
    let mut arguments = vec![text(&published(&own)).to_owned(), key(&own)];
    for position in [1, 256, 257, last] {
        let receipt = http.get(&format!("/api/v1/log/receipts/{position}")).await.expect(200);
        let event = http.get(&format!("/api/v1/events/{position}")).await.expect(200);
        for (name, content) in [
            ("tlog-proof", receipt.as_str().unwrap().to_owned()),
            ("record", serde_json::to_string(&event["record"]).unwrap()),
        ] {
            let file = own.folder().join(format!("{position}.{name}"));
            fs::write(&file, content).unwrap();
            arguments.push(text(&file).to_owned());
        }
    }
    server.stop();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let walked = walk(&arguments);
    let said = String::from_utf8_lossy(&walked.stderr).into_owned();
    assert!(walked.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&walked.stdout).unwrap();
    assert_eq!((&report["entries"], &report["receipts"]), (&last.into(), &4.into()));
    // It is no rubber stamp.
    let tile = published(&own).join("tile/0/001");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[77] ^= 1;
    fs::write(&tile, bytes).unwrap();
    assert!(!walk(&arguments[..2]).status.success(), "a changed tile went unnoticed");
}
