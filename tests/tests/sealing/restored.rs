//! A database that is put back, events that are changed, tiles that are lost: nothing is signed
//! that does not go on from what was signed.

use std::{
    fs,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{
    http::Http,
    node0::{Node0, complaint, lines, program, run},
    own_cluster::OwnCluster,
    pristine,
};

use super::{PATIENCE, grow, grow_sealed, key, published, size, text, until, until_size, verified};

/// The database of a data folder, kept beside it.
pub struct Backup(OwnCluster);

impl Backup {
    pub fn of(own: &OwnCluster) -> Backup {
        let kept = OwnCluster::empty();
        pristine::copy(own.folder(), kept.folder()).unwrap();
        Backup(kept)
    }

    pub fn put_back(&self, own: &OwnCluster) {
        fs::remove_dir_all(own.folder().join("pg")).unwrap();
        pristine::copy(self.0.folder(), own.folder()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lacks_what_was_signed_is_not_sealed_on_until_it_is_there_again() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 0, 10).await;
    server.stop();
    let before = Backup::of(&own);

    let server = Node0::on_folder(own.folder());
    let (last, _) = grow_sealed(&server.http(), 10, 40).await;
    server.stop();
    let after = Backup::of(&own);
    let signed = fs::read(published(&own).join("checkpoint")).unwrap();

    // Fewer events than were signed.
    before.put_back(&own);
    let server = Node0::on_folder(own.folder());
    let log = until(&server.http(), |log| log["refused"].is_string()).await;
    let refused = log["refused"].as_str().unwrap();
    assert!(refused.contains("the last 40 are lost"), "{refused}");
    // As many, and more: but others.
    grow(&server.http(), 100, 60).await;
    let log = until(&server.http(), |log| {
        log["refused"].as_str().is_some_and(|refused| refused.contains("is not the one"))
    })
    .await;
    assert!(size(&log) < last, "{log:#}");
    // Commands are done all the same; nothing more is signed.
    assert_eq!(fs::read(published(&own).join("checkpoint")).unwrap(), signed);
    server.stop();
    let older = own.folder().join("older");
    fs::write(&older, &signed).unwrap();
    verified(&published(&own), &key(&own), &["--checkpoint", text(&older)]);

    // The right one is put back: it goes on.
    after.put_back(&own);
    let server = Node0::on_folder(own.folder());
    let (_, log) = grow_sealed(&server.http(), 200, 3).await;
    assert_eq!(log["refused"], json!(null));
    verified(&published(&own), &key(&own), &["--older", text(&older)]);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thousand_events_that_a_backup_lacks_are_put_back_and_followers_are_told() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 0, 10).await;
    server.stop();
    let before = Backup::of(&own);

    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let items: Vec<Value> = (0..1_000)
        .map(|n| {
            let id = format!("late_{n}");
            let body = json!({"description": "soon lost"});
            json!({"collection": "flags", "command": "create-flag", "id": id, "body": body})
        })
        .collect();
    let done = http.post("/api/v1/batches", &json!({"items": items})).await;
    let last: u64 = done.header("position").parse().unwrap();
    until_size(&http, last).await;
    let then = http.get(&format!("/api/v1/events/{last}")).await.expect(200);
    let follower = incarnation(&own).await;
    server.stop();
    let signed = fs::read(published(&own).join("checkpoint")).unwrap();

    before.put_back(&own);
    let mut command = program();
    command.env("NODE0_MONITOR_MS", "200").env("NODE0_DEFAULT_RULES", "true");
    command.arg("--data").arg(own.folder());
    let server = Node0::serve(&mut command);
    let http = server.http();
    let log = until(&http, |log| log["refused"].is_string()).await;
    assert!(log["refused"].as_str().unwrap().contains("the last 1000 are lost"), "{log:#}");
    let follow = format!("/api/v1/events/stream?after={last}&incarnation={follower}");
    let told = http.get(&follow).await;
    assert_eq!(told.body["type"], "/problems/log-restored", "{told:#?}");
    // Whoever is on call learns of it.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let alert = http.get("/api/v1/alerts/audit-divergence").await.body;
        if alert["standing"] == "firing" {
            assert!(alert["summary"].as_str().unwrap().contains("are lost"), "{alert:#}");
            break;
        }
        assert!(Instant::now() < deadline, "{alert:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.stop();

    // What was appended since, the alert itself, stands where the lost events stood.
    let folder = published(&own);
    let (from, key) = (text(&folder).to_owned(), key(&own));
    let restore = |more: &[&str]| {
        let arguments = ["restore", "--from-bundle", &from, "--key", &key, "--json"];
        run([&arguments[..], &["--data", text(own.folder())], more].concat())
    };
    let refused = restore(&[]);
    assert_eq!(refused.status.code(), Some(1), "{}", complaint(&refused));
    assert!(complaint(&refused).contains("--set-aside FILE keeps"), "{}", complaint(&refused));
    let aside = own.folder().join("aside");
    let restored = restore(&["--set-aside", text(&aside)]);
    assert_eq!(restored.status.code(), Some(0), "{}", complaint(&restored));
    let restored = lines(&restored).remove(0);
    let events_before = restored["events_before"].as_u64().unwrap();
    assert_eq!((&restored["events"], events_before + 1_000), (&json!(last), last));
    let kept = fs::read_to_string(&aside).unwrap();
    assert_eq!(restored["set_aside"], kept.lines().count());
    assert!(kept.contains("\"alert-fired.v1\""), "{kept}");

    let server = Node0::on_folder(own.folder());
    let http = server.http();
    assert_eq!(http.get(&format!("/api/v1/events/{last}")).await.expect(200), then);
    let told = http.get(&follow).await;
    assert_eq!(told.body["type"], "/problems/log-restored", "{told:#?}");
    assert_eq!(told.body["incarnation"], incarnation(&own).await.to_string());
    let flag = http.request(Method::GET, "/api/v1/flags/late_999");
    Http::send(flag.header("min-position", last)).await.unwrap().expect(200);
    let (_, log) = grow_sealed(&http, 200, 3).await;
    assert_eq!(log["refused"], json!(null));
    let older = own.folder().join("older");
    fs::write(&older, &signed).unwrap();
    verified(&folder, &key, &["--older", text(&older)]);
    server.stop();
}

/// Which log the database of a data folder has.
async fn incarnation(own: &OwnCluster) -> uuid::Uuid {
    let pool = tables(own).await;
    let found = sqlx::query_scalar("select incarnation from head").fetch_one(&pool).await.unwrap();
    pool.close().await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_that_are_lost_are_made_anew_out_of_the_log() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 0, 300).await;
    server.stop();
    let older = own.folder().join("older");
    fs::copy(published(&own).join("checkpoint"), &older).unwrap();
    // All of them, with the checkpoint; then the edge alone; then one that was cut; then what had
    // not settled on the disk when a machine went down.
    let all = ["everything", "the edge", "a half", "a full tile", "a bundle", "both, and torn"];
    for (round, lose) in all.into_iter().enumerate() {
        let folder = published(&own);
        match lose {
            "everything" => fs::remove_dir_all(&folder).unwrap(),
            "the edge" => fs::remove_dir_all(folder.join("tile/0/001.p")).unwrap(),
            "a half" => fs::write(folder.join("tile/1/000.p/1"), [0; 16]).unwrap(),
            "a full tile" => fs::remove_file(folder.join("tile/0/000")).unwrap(),
            "a bundle" => fs::write(folder.join("tile/entries/000"), []).unwrap(),
            _ => {
                fs::write(folder.join("tile/0/000"), [0; 8_192]).unwrap();
                fs::write(folder.join("tile/entries/000"), [0; 512]).unwrap();
            }
        }
        let server = Node0::on_folder(own.folder());
        let (last, _) = grow_sealed(&server.http(), 1_000 + round * 10, 2).await;
        server.stop();
        let report = verified(&folder, &key(&own), &["--older", text(&older)]);
        assert_eq!(report["entries"], last, "{lose}");
    }
}

/// The tables of a data folder whose server runs.
pub async fn tables(own: &OwnCluster) -> PgPool {
    let cluster = api::cluster::Cluster::attach(&own.options()).unwrap().unwrap();
    PgPool::connect(&cluster.url(api::cluster::DATABASE)).await.unwrap()
}

/// Changes a byte of the event at a position, past all that guards it.
pub async fn change(own: &OwnCluster, position: i64) {
    let pool = tables(own).await;
    let guarded = async |how: &str| {
        let sql = format!("alter table events {how} trigger all");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    };
    guarded("disable").await;
    let change = "update events set record = overlay(record placing '!'::bytea from 30 for 1)
                   where position = $1";
    let changed = sqlx::query(change).bind(position).execute(&pool).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    guarded("enable").await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_changed_is_not_signed_again() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let (last, _) = grow_sealed(&server.http(), 0, 10).await;
    change(&own, i64::try_from(last).unwrap()).await;
    server.kill();
    let server = Node0::on_folder(own.folder());
    let log = until(&server.http(), |log| log["refused"].is_string()).await;
    assert!(log["refused"].as_str().unwrap().contains("is not the one that was signed"), "{log}");
    verified(&published(&own), &key(&own), &[]);
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_of_an_event_stays_when_the_event_is_changed() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 0, 300).await;
    server.stop();
    // Its bundle is full, and has not settled: it would be made anew.
    let kept = ["tile/entries/000", "tile/0/000"].map(|path| published(&own).join(path));
    let before = kept.clone().map(|path| fs::read(path).unwrap());
    let server = Node0::on_folder(own.folder());
    change(&own, 10).await;
    server.kill();
    let server = Node0::on_folder(own.folder());
    let log = until(&server.http(), |log| log["refused"].is_string()).await;
    assert!(log["refused"].as_str().unwrap().contains("is not the one that was signed"), "{log}");
    server.kill();
    assert_eq!(kept.map(|path| fs::read(path).unwrap()), before);
    verified(&published(&own), &key(&own), &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_of_another_log_is_never_written_over() {
    let (own, other) = (OwnCluster::initialised(), OwnCluster::initialised());
    let server = Node0::on_folder(other.folder());
    until_size(&server.http(), 3).await;
    server.stop();
    let theirs = fs::read(published(&other).join("checkpoint")).unwrap();
    fs::create_dir_all(published(&own)).unwrap();
    fs::write(published(&own).join("checkpoint"), &theirs).unwrap();
    let mut command = program();
    command.env("NODE0_MONITOR_MS", "100").env("NODE0_DEFAULT_RULES", "true");
    let server = Node0::serve(command.arg("--data").arg(own.folder()));
    let http = server.http();
    let log = until(&http, |log| log["refused"].is_string()).await;
    assert!(log["refused"].as_str().unwrap().contains("is none of ours"), "{log}");
    grow(&http, 0, 3).await;
    // And somebody is called.
    let alerts = || http.request(Method::GET, "/api/v1/alerts?first=100");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = Http::send(alerts()).await.unwrap().body.to_string();
        if told.contains("is none of ours") {
            break;
        }
        assert!(Instant::now() < deadline, "no alert among {told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(fs::read(published(&own).join("checkpoint")).unwrap(), theirs);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_does_not_answer_holds_up_no_command_and_is_caught_up_with() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    grow_sealed(&http, 0, 3).await;
    let (folder, away) = (published(&own), own.folder().join("away"));
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "no folder").unwrap();
    let last = grow(&http, 3, 3).await;
    let answer = http.get("/api/v1/log/receipts/1").await;
    let kind = &answer.body["type"];
    assert_eq!((answer.status, kind), (503, &json!("/problems/storage-unavailable")));
    let told = answer.body.to_string();
    assert!(!told.contains(text(own.folder())), "where it is kept is nobody's affair: {told}");
    assert_eq!(http.get("/log/tile/0/000.p/3").await.status, 503);
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    let log = until_size(&http, last).await;
    assert_eq!(log["refused"], json!(null));
    verified(&folder, &key(&own), &[]);
    server.stop();
}
