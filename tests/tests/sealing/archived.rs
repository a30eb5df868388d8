//! Old events leave the database, and nobody who asks for them, proves them, folds them or puts
//! them back notices; what may not go stays, and says why.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    campaign,
    http::Http,
    log::Writer,
    node0::{Node0, complaint, lines, program, run},
    own_cluster::OwnCluster,
};

use super::{
    audited::{audited, found, well},
    grow, grow_sealed, key, published,
    restored::{Backup, change, tables},
    text, until, until_size, verified,
};

/// How often whoever archives is killed.
const KILLS: &str = "NODE0_ARCHIVE_KILLS";
/// An audit that begins anew whenever it is done.
const ANEW: [(&str, &str); 1] = [("NODE0_AUDIT_ANEW_S", "1")];

/// So many flags more, in one request; the position of the last event, which is published.
async fn many(http: &Http, from: usize, count: usize) -> u64 {
    let item = |n: usize| {
        let id = format!("many_{n}");
        let body = json!({ "description": "one of many" });
        json!({ "collection": "flags", "command": "create-flag", "id": id, "body": body })
    };
    let items: Vec<Value> = (from..from + count).map(item).collect();
    let done = http.post("/api/v1/batches", &json!({ "items": items })).await;
    let last = done.header("position").parse().unwrap();
    until_size(http, last).await;
    last
}

/// Creates the first flag, always by the same command; the answer.
async fn first_flag(http: &Http) -> Value {
    let request = http.request(Method::POST, "/api/v1/flags/flag_1/create-flag");
    let request = request.header("Idempotency-Key", "the-first-flag-of-all");
    let request = request.json(&json!({ "description": "something" }));
    Http::send(request).await.unwrap().expect(200)
}

fn archive(own: &OwnCluster, more: &[&str]) -> Output {
    run([&["archive", "--json", "--data", text(own.folder())], more].concat())
}

/// What a pass over small objects did, by settings that let everything go.
fn archived(own: &OwnCluster) -> Value {
    let output = archive(own, &["--object-events", "256", "--retention-days", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    lines(&output).remove(0)
}

async fn in_the_table(own: &OwnCluster) -> (i64, Option<i64>) {
    let pool = tables(own).await;
    let count = "select count(*), min(position) from events";
    let counted = sqlx::query_as(count).fetch_one(&pool).await.unwrap();
    pool.close().await;
    counted
}

/// What a server says of the past, up to a position, each with what was asked.
async fn picture(http: &Http, last: u64) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    for after in (0..last).step_by(100) {
        let page = format!("/api/v1/events?first={}&after={after}", (last - after).min(100));
        let answer = http.get(&page).await.expect(200);
        told.push((page, answer["items"].clone()));
    }
    for path in [
        "/api/v1/events/1",
        "/api/v1/events/256",
        "/api/v1/events/257",
        "/api/v1/streams/flag-flag_1",
        "/api/v1/events?stream=flag-flag_1",
        "/api/v1/events?category=principal",
        "/api/v1/flags/flag_1?as_of=8",
        "/api/v1/flags/many_20?as_of=200",
        "/api/v1/flags/many_20?as_of=2100-01-01T00:00:00Z",
    ] {
        let mut answer = http.get(path).await.expect(200);
        // How far was looked depends on how long the log is.
        answer.as_object_mut().unwrap().remove("page");
        told.push((path.to_owned(), answer));
    }
    let again = first_flag(http).await;
    told.push(("the first command again".to_owned(), again["position"].clone()));
    told
}

/// The same is said, to the last word.
async fn assert_same(http: &Http, last: u64, before: &[(String, Value)]) {
    let now = picture(http, last).await;
    assert_eq!(now.len(), before.len());
    for ((path, now), (_, before)) in now.iter().zip(before) {
        assert!(now == before, "{path} was {before:.500}, and is {now:.500}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_leave_the_database_and_nobody_notices() {
    let own = OwnCluster::initialised();
    let server = audited(&own, &ANEW);
    let http = server.http();
    first_flag(&http).await;
    grow(&http, 2, 20).await;
    let last = many(&http, 0, 700).await;
    let before = picture(&http, last).await;

    let done = archived(&own);
    assert_eq!((&done["removed"], &done["archived_to"]), (&json!(512), &json!(512)));
    assert_eq!(done["waits"], json!({ "for": "events", "until": 768 }));
    assert_eq!(in_the_table(&own).await, (i64::try_from(last).unwrap() - 512, Some(513)));
    let log = http.get("/api/v1/log").await.expect(200);
    assert_eq!(log["archived_size"], "512");
    let told = http.graphql("{ log { archivedSize } }", json!({})).await;
    assert_eq!(told["log"]["archivedSize"], "512");
    assert_same(&http, last, &before).await;

    // What is there is what is published: anybody reads it, and the root is that of its events.
    let moved = &done["moved"][0];
    let object = published(&own).join(moved["path"].as_str().unwrap());
    let plain = Command::new("zcat").arg(&object).output().unwrap();
    assert_eq!(plain.stdout, fs::read(published(&own).join("tile/entries/000")).unwrap());
    let size = fs::metadata(&object).unwrap().len();
    assert_eq!(moved["bytes"], size);
    assert!(size * 2 < moved["record_bytes"].as_u64().unwrap(), "{moved:#}");
    let told = fs::read(object.with_extension("json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((&told["root"], &told["last"]), (&moved["root"], &json!(256)));
    let tile = fs::read(published(&own).join("tile/1/000.p/2"));
    let tile = tile.unwrap_or_else(|_| fs::read(published(&own).join("tile/1/000")).unwrap());
    assert_eq!(moved["root"], base64(&tile[..32]), "its root is a hash of the log's own tree");

    // Who folds, compares and proves.
    well(&http, last).await;
    let replay = http.post("/api/v1/replays", &json!({ "until": "400" })).await.expect(201);
    let id = replay["id"].as_str().unwrap();
    let deadline = std::time::Instant::now() + super::PATIENCE;
    while http.get(&format!("/api/v1/replays/{id}")).await.expect(200)["state"] != "ready" {
        assert!(std::time::Instant::now() < deadline);
        sleep(Duration::from_millis(50));
    }
    let then = http.get(&format!("/api/v1/flags/many_20?replay={id}")).await;
    assert_eq!(then.expect(200)["description"], "one of many");
    server.stop();
    let ok = |arguments: &[&str]| {
        let output = run([arguments, &["--data", text(own.folder())]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", complaint(&output));
        output
    };
    ok(&["projections", "rebuild", "flags", "--json"]);
    ok(&["events", "check", "--json"]);

    // A server that has never seen them anywhere else.
    let server = Node0::on_folder(own.folder());
    assert_same(&server.http(), last, &before).await;
    let (last, _) = grow_sealed(&server.http(), 100, 3).await;
    server.stop();
    verified(&published(&own), &key(&own), &[]);

    // Put back into another place, and over what is here.
    let kept = OwnCluster::empty();
    let place = kept.folder().join("backup");
    ok(&["backup", "--to", text(&place), "--json"]);
    let other = OwnCluster::initialised();
    let bundle = ["restore", "--from-bundle", text(&place), "--key", &key(&own), "--json"];
    for (folder, before) in [(&own, last), (&other, 0)] {
        let restored = run([&bundle[..], &["--data", text(folder.folder())]].concat());
        assert_eq!(restored.status.code(), Some(0), "{}", complaint(&restored));
        let restored = lines(&restored).remove(0);
        assert_eq!(
            (&restored["events"], &restored["events_before"]),
            (&json!(last), &json!(before))
        );
    }
    let server = Node0::on_folder(other.folder());
    assert_eq!(in_the_table(&other).await.1, Some(1));
    server.stop();
}

fn base64(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_archives_is_killed_at_any_point_and_the_next_pass_goes_on() {
    let own = OwnCluster::initialised();
    let server = audited(&own, &ANEW);
    let http = server.http();
    first_flag(&http).await;
    let known = many(&http, 0, 900).await;
    let (mut last, before) = (known, picture(&http, known).await);
    let kills: u64 = campaign::number(KILLS, 10);
    for kill in 0..kills {
        let mut command = program();
        command.args(["archive", "--object-events", "256", "--retention-days", "0", "--json"]);
        command.arg("--data").arg(own.folder()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut pass = command.spawn().unwrap();
        sleep(Duration::from_millis(20 + (kill * 37) % 260));
        pass.kill().unwrap();
        pass.wait().unwrap();
        assert_same(&http, known, &before).await;
        // Whoever comes next has something to move again.
        last = many(&http, 1_000 + usize::try_from(kill).unwrap() * 256, 256).await;
    }
    until_size(&http, last).await;
    let done = archived(&own);
    let archived_to = done["archived_to"].as_u64().unwrap();
    assert!(archived_to + 256 > last && archived_to >= 768, "{done:#}");
    let (_, first) = in_the_table(&own).await;
    assert_eq!(first.map(i64::unsigned_abs), Some(archived_to + 1));
    well(&http, last).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_young_stays_by_the_class_of_its_stream() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let last = many(&http, 0, 300).await;
    let waits = |settings: &[&str]| {
        let output = archive(&own, &[&["--object-events", "256"], settings].concat());
        assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
        let told = lines(&output).remove(0);
        assert_eq!((&told["moved"], &told["removed"]), (&json!([]), &json!(0)));
        told["waits"].clone()
    };
    // A year where nothing is said; the one that stays longest is named.
    let year = waits(&[]);
    assert_eq!((&year["for"], &year["position"]), (&json!("retention"), &json!(256)));
    let until = year["until"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let days = (until - chrono::Utc::now()).num_days();
    assert!((363..=365).contains(&days), "{days}");
    let flags = waits(&["--retention-days", "0", "--retention-classes", "flag=30"]);
    assert_eq!((&flags["category"], &flags["position"]), (&json!("flag"), &json!(256)));
    let people = waits(&["--retention-days", "0", "--retention-classes", "principal=30,flag=1"]);
    assert_eq!((&people["category"], &people["position"]), (&json!("principal"), &json!(3)));
    // An object of the usual size needs more events.
    let output = archive(&own, &["--retention-days", "0"]);
    assert_eq!(lines(&output)[0]["waits"], json!({ "for": "events", "until": 65_536 }));
    assert_eq!(in_the_table(&own).await, (i64::try_from(last).unwrap(), Some(1)));
    for (wrong, code, sentence) in [
        (
            ["--retention-classes", "fleg=3"],
            2,
            "\"fleg\" is no category of streams: there are account",
        ),
        (["--retention-classes", "flag=ever"], 2, "0 to 36500 days are expected for flag"),
        (["--object-events", "100"], 2, "a multiple of 256 is expected, 65536 at most"),
    ] {
        let output = archive(&own, &wrong);
        assert_eq!(output.status.code(), Some(code), "{wrong:?}");
        assert!(complaint(&output).contains(sentence), "{}", complaint(&output));
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_published_does_not_leave_the_database() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let last = many(&server.http(), 0, 300).await;
    change(&own, 77).await;
    let output = archive(&own, &["--object-events", "256", "--retention-days", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let told = complaint(&output);
    assert!(told.contains("the event at position 77 is not the one that was published"), "{told}");
    assert_eq!(in_the_table(&own).await, (i64::try_from(last).unwrap(), Some(1)));
    assert!(!published(&own).join("archive").exists());
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_and_is_lost_is_named_before_anything_leaves_the_database() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let (last, _) = grow_sealed(&server.http(), 0, 3).await;
    server.stop();
    let before = Backup::of(&own);
    let server = Node0::on_folder(own.folder());
    many(&server.http(), 0, 300).await;
    server.stop();
    before.put_back(&own);
    let output = archive(&own, &["--object-events", "256", "--retention-days", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let told = complaint(&output);
    assert!(told.contains(&format!("has no event at position {}", last + 1)), "{told}");
    assert!(!published(&own).join("archive").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_end_an_object_before_it_has_so_many() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let cluster = api::cluster::Cluster::attach(&own.options()).unwrap().unwrap();
    let writer = Writer::open(&cluster.url(api::cluster::DATABASE)).await;
    let mut last = 0;
    for version in (0..2_560).step_by(32) {
        last = writer.append("large-one", version, &["thing-happened.v1"; 32], 60_000).await;
    }
    writer.close().await;
    until_size(&http, last).await;
    let done = archive(&own, &["--object-events", "2560", "--retention-days", "0"]);
    assert_eq!(done.status.code(), Some(0), "{}", complaint(&done));
    let done = lines(&done).remove(0);
    let object = &done["moved"][0];
    assert!(object["record_bytes"].as_u64() >= Some(128 * 1024 * 1024), "{object}");
    // The first of them are small.
    assert_eq!((&object["last"], &done["removed"]), (&json!(2_304), &json!(2_304)));
    assert_eq!(done["waits"], json!({ "for": "events", "until": 2_304 + 2_560 }));
    let events = http.get("/api/v1/events?first=3&after=2300").await.expect(200);
    let event = &events["items"][0]["record"];
    assert_eq!(
        (&event["stream"], &event["type"]),
        (&json!("large-one"), &json!("thing-happened.v1"))
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_away_or_changed_is_told_apart_from_a_log_without_events() {
    let own = OwnCluster::initialised();
    let server = audited(&own, &ANEW);
    let http = server.http();
    let last = many(&http, 0, 300).await;
    let third = http.get("/api/v1/events/3").await.expect(200);
    let done = archived(&own);
    server.stop();
    let server = audited(&own, &ANEW);
    let http = server.http();
    let (folder, aside) = (published(&own).join("archive"), own.folder().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    let object = done["moved"][0]["path"].as_str().unwrap();
    for path in ["/api/v1/events/3", "/api/v1/events?first=5", "/api/v1/flags/many_1?as_of=200"] {
        let away = http.get(path).await;
        assert_eq!(away.status, 503, "{path}");
        assert_eq!(away.body["type"], "/problems/storage-unavailable");
        assert_eq!(away.body["detail"], format!("{object} in the archive cannot be read"));
        assert!(away.headers.contains_key("retry-after"), "{path}");
    }
    // What is in the database, and what is to be done, is not concerned.
    http.get(&format!("/api/v1/events/{last}")).await.expect(200);
    grow(&http, 0, 2).await;
    http.get("/api/v1/flags/many_1").await.expect(200);
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(http.get("/api/v1/events/3").await.expect(200), third);
    well(&http, last).await;

    // Whoever can change an object and what the database knows of it is found by the audit.
    let packed = published(&own).join(object);
    rewrite(&packed, |plain| {
        let place = plain.windows(11).position(|bytes| bytes == b"one of many").unwrap();
        plain[place] = b'O';
    });
    let size = i64::try_from(fs::metadata(&packed).unwrap().len()).unwrap();
    let pool = tables(&own).await;
    let changed = sqlx::query("update archives set offsets = array[0, $1]").bind(size);
    changed.execute(&pool).await.unwrap();
    pool.close().await;
    let difference = found(&http).await;
    assert_eq!(
        difference["sentence"],
        "event 4 in the database is not the one that is published in tile/entries/000"
    );
    until(&http, |log| log["refused"].is_null()).await;
    server.kill();
}

/// Unpacks an object, changes what is in it, and packs it again.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let plain = Command::new("zcat").arg(path).output().unwrap();
    let mut plain = plain.stdout;
    change(&mut plain);
    let raw = path.with_extension("");
    fs::write(&raw, plain).unwrap();
    let packed = Command::new("gzip").arg("--force").arg(&raw).status().unwrap();
    assert!(packed.success());
}
