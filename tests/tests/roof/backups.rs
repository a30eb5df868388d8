//! Backups: the log with its contents in one place, the keys apart in another; out of both
//! everything is answered, signed in and signed on as before, and whoever was erased stays erased.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{
    app::{MASTER_KEY, TestApp},
    database::TestDatabase,
    files,
    http::Http,
    network,
    node0::{complaint, lines, program, run},
    own_cluster::OwnCluster,
};

use super::{
    identity::{EMAIL, PASSWORD, login, registered},
    past::{at_rest, picture},
    register, shown, validator,
};

/// Places of a test's own: where it is published, where backups go, where keys are.
pub struct Places {
    own: OwnCluster,
    pub secret: String,
    pub key: String,
}

impl Places {
    pub fn new() -> Places {
        let output = run(["seal", "new", "node0.example/log", "--json"]);
        let made = lines(&output).remove(0);
        let word = |name: &str| made[name].as_str().unwrap().to_owned();
        Places { own: OwnCluster::empty(), secret: word("secret"), key: word("key") }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.own.folder().join(name)
    }

    /// A server on this database that publishes there.
    pub async fn serve(&self, database: TestDatabase, published: &str) -> TestApp {
        let folder = self.at(published);
        let settings = [
            ("seal_interval_ms", "50"),
            ("seal_storage", folder.to_str().unwrap()),
            ("seal_key", &self.secret),
        ];
        TestApp::start_on(database, &settings).await
    }

    fn node0(&self, url: &str, arguments: &[&str]) -> Output {
        let mut command = program();
        command.env("NODE0_MASTER_KEY", MASTER_KEY).env("NODE0_SEAL_KEY", &self.secret);
        command.env("NODE0_SEAL_STORAGE", self.at("published"));
        command.args(arguments).args(["--json", "--database-url", url]).output().unwrap()
    }

    pub fn backup(&self, url: &str) -> Vec<Value> {
        let (to, keys) = (self.at("bundle"), self.at("keys"));
        let places = ["backup", "--to", path(&to), "--keys", path(&keys)];
        done(&self.node0(url, &places))
    }

    /// Puts it back, out of this place.
    fn restore(&self, url: &str, from: &str) -> Output {
        let (from, keys) = (self.at(from), self.at("keys"));
        let from = ["restore", "--from-bundle", path(&from), "--key", &self.key];
        self.node0(url, &[&from[..], &["--keys", path(&keys)]].concat())
    }
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn done(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", complaint(output));
    lines(output)
}

pub fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", complaint(output));
    assert!(complaint(output).contains(why), "{}", complaint(output));
}

/// Waits until so much is published; the checkpoint.
pub async fn published(http: &Http, least: u64) -> String {
    let size = |log: &Value| log["size"].as_str().and_then(|size| size.parse::<u64>().ok());
    let log = shown(http, "/api/v1/log", |log| size(log) >= Some(least)).await;
    log["checkpoint"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_put_back_out_of_its_backup_and_goes_on_as_if_nothing_had_been() {
    let places = Places::new();
    let app = places.serve(TestDatabase::create().await, "published").await;
    let http = app.http();
    let commands = app.server.commands();
    network::begin(commands).await;
    register(&http, 1..=2).await;
    let ada = registered(&app, &http, EMAIL, &["auditor"]).await;
    network::one_height(commands, 1).await;
    let paid = network::transfer(1, 0, network::sender(2).address(), 500, 10);
    network::submit(commands, &paid).await;
    network::one_height(commands, 2).await;
    let keyed = async |http: &Http, amount: &str| {
        let bond = http.request(Method::POST, &format!("{}/bond", validator(2)));
        let bond = bond.header("idempotency-key", "bond-77").json(&json!({ "amount": amount }));
        Http::send(bond).await.unwrap().expect(200)
    };
    let bonded = keyed(&http, "77").await;
    let chain = network::chain();
    let paths = [
        format!("/api/v1/chains/{chain}"),
        format!("/api/v1/heights/{chain}-2"),
        validator(1),
        format!("/api/v1/transactions/{}", paid.hash()),
        format!("/api/v1/accounts/{}", network::sender(2).address()),
        format!("/api/v1/principals/{ada}"),
    ];
    let before = picture(&app, &http, &paths).await;
    assert!(before.answers.values().all(Value::is_object), "{:#?}", before.answers);
    let checkpoint = published(&http, before.position).await;
    let made = places.backup(&app.database.url());
    assert_eq!(made[0]["events"], before.position, "{made:#?}");
    assert!(made[0]["contents"].as_u64() >= Some(3), "{made:#?}");
    // Once more: nothing is written that is there.
    let again = places.backup(&app.database.url());
    assert_eq!(
        (&again[0]["pieces_written"], &again[0]["contents_written"]),
        (&json!(0), &json!(0))
    );
    app.stop().await;

    let database = TestDatabase::create().await;
    let restored = done(&places.restore(&database.url(), "bundle"));
    assert_eq!(
        (&restored[0]["root"], &restored[0]["events_before"]),
        (&made[0]["root"], &json!(0))
    );
    assert_eq!(restored[0]["without_content"], json!([]));
    assert_eq!((&restored[1]["keys"], &restored[1]["erased"]), (&made[1]["keys"], &json!(0)));
    // Whoever does it twice does no harm.
    let twice = done(&places.restore(&database.url(), "bundle"));
    assert_eq!(twice[0]["events_before"], before.position);

    let app = places.serve(database, "anew").await;
    let http = app.http();
    let after = picture(&app, &http, &paths).await;
    assert_eq!(after.answers, before.answers);
    assert_eq!(after.position, before.position, "nothing was done again");
    // What was asked for before is not done again, whatever is said to be asked: the log does not
    // hold it.
    for amount in ["77", "78"] {
        let again = keyed(&http, amount).await;
        assert_eq!(again["events"], bonded["events"]);
    }
    assert_eq!(at_rest(&app).await, before.position);
    login(&app, EMAIL, PASSWORD).await.expect(200);
    network::one_height(app.server.commands(), 3).await;
    let height = format!("/api/v1/heights/{chain}-3");
    shown(&http, &height, |height| height["block_hash"].is_string()).await;
    let head = at_rest(&app).await;
    published(&http, head).await;
    let older = places.at("older");
    fs::write(&older, checkpoint).unwrap();
    let anew = places.at("anew");
    done(&run(["verify", path(&anew), "--json", "--key", &places.key, "--older", path(&older)]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_erased_is_not_put_back_and_is_nowhere_in_the_clear() {
    let places = Places::new();
    let app = places.serve(TestDatabase::create().await, "published").await;
    let http = app.http();
    let ada = registered(&app, &http, EMAIL, &["viewer"]).await;
    registered(&app, &http, "eve@north.example", &["viewer"]).await;
    published(&http, at_rest(&app).await).await;
    places.backup(&app.database.url());
    let receipt = http.get("/api/v1/log/receipts/5").await;
    let record = http.get("/api/v1/events/5").await;
    let why = json!({"reason": "asked for it"});
    for command in ["close", "erase-personal-data"] {
        http.post(&format!("/api/v1/principals/{ada}/{command}"), &why).await.expect(200);
    }
    let erased = |events: &Value| events["items"].as_array().is_some_and(|all| all.len() == 1);
    shown(&http, "/api/v1/events?type=subject-key-destroyed.v1", erased).await;
    published(&http, at_rest(&app).await).await;
    certified(&places, &http, &ada).await;
    // The log is backed up again; of the keys the old file is all there is.
    let bundle = places.at("bundle");
    done(&places.node0(&app.database.url(), &["backup", "--to", path(&bundle)]));
    app.stop().await;

    let database = TestDatabase::create().await;
    let restored = done(&places.restore(&database.url(), "bundle"));
    assert_eq!(restored[1]["erased"], 2, "a key and a password: {restored:#?}");
    let app = places.serve(database, "anew").await;
    assert_eq!(login(&app, EMAIL, PASSWORD).await.status, 401);
    login(&app, "eve@north.example", PASSWORD).await.expect(200);
    for place in ["bundle", "published", "anew"] {
        for file in files::below(&places.at(place)) {
            let bytes = fs::read(&file).unwrap();
            for secret in [EMAIL, "eve@north.example", "Ada", PASSWORD, MASTER_KEY] {
                let is_there = bytes.windows(secret.len()).any(|some| some == secret.as_bytes());
                assert!(!is_there, "{secret} is in {}", file.display());
            }
        }
    }
    let keys = fs::read_to_string(places.at("keys")).unwrap();
    assert!(!keys.contains(EMAIL) && !keys.contains("Ada") && !keys.contains(MASTER_KEY));
    // What was proved before the erasure is proved still.
    let (proof, bytes) = (places.at("receipt"), places.at("record"));
    fs::write(&proof, receipt.body.as_str().unwrap()).unwrap();
    assert_eq!(record.status, 200);
    let bundle = fs::read(bundle.join("tile/entries/000.p").join(widest(&bundle))).unwrap();
    let entries = evidence::bundle::read(&bundle, widest(&places.at("bundle")).parse().unwrap());
    fs::write(&bytes, entries.unwrap()[4]).unwrap();
    done(&run(["receipt", path(&proof), path(&bytes), "--json", "--key", &places.key]));
    app.stop().await;
}

/// That the key is destroyed is proved by the log's key alone.
async fn certified(places: &Places, http: &Http, principal: &str) {
    let path_of = format!("/api/v1/principals/{principal}/erasure-certificate");
    let told = http.get(&path_of).await.expect(200);
    let certificate = told["certificate"].as_str().unwrap();
    assert!(certificate.contains(principal), "{told:#}");
    assert_eq!(told["hash"], hex::encode_upper(Sha256::digest(certificate)));
    let event = http.get(&format!("/api/v1/events/{}", told["position"].as_str().unwrap())).await;
    let event = event.expect(200);
    assert_eq!(event["record"]["data"]["certificate"], told["hash"]);
    let (receipt, record) = (places.at("certified"), places.at("certifying"));
    fs::write(&receipt, told["receipt"].as_str().unwrap()).unwrap();
    fs::write(&record, event_store::canonical::to_string(&event["record"]).unwrap()).unwrap();
    done(&run(["receipt", path(&receipt), path(&record), "--json", "--key", &places.key]));
    let query = "query($of: String!) { erasureCertificate(principal: $of) { hash } }";
    let asked = http.graphql(query, json!({"of": principal})).await;
    assert_eq!(asked["erasureCertificate"]["hash"], told["hash"]);
    let nobody = http.get("/api/v1/principals/service-admin/erasure-certificate").await;
    assert_eq!(nobody.status, 404, "{nobody:#?}");
}

/// The widest bundle of entries that is not full.
fn widest(bundle: &Path) -> String {
    let names = fs::read_dir(bundle.join("tile/entries/000.p")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.max_by_key(|name| name.parse::<u64>().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_log_whole_is_not_put_back() {
    let places = Places::new();
    let app = places.serve(TestDatabase::create().await, "published").await;
    let http = app.http();
    register(&http, 1..=3).await;
    published(&http, at_rest(&app).await).await;
    places.backup(&app.database.url());
    let TestApp { server, database: full } = app;
    server.stop().await.unwrap();

    let empty = TestDatabase::create().await;
    let bundle = places.at("bundle");
    let other = Places::new();
    let with_other_key = ["restore", "--from-bundle", path(&bundle), "--key", &other.key];
    refused(&places.node0(&empty.url(), &with_other_key), "is not signed by the key");
    let entries = bundle.join("tile/entries/000.p").join(widest(&bundle));
    let whole = fs::read(&entries).unwrap();
    let mut changed = whole.clone();
    changed[40] ^= 1;
    fs::write(&entries, &changed).unwrap();
    refused(&places.restore(&empty.url(), "bundle"), "nothing was put back: entry 0");
    fs::write(&entries, &whole).unwrap();
    fs::create_dir(places.at("nothing")).unwrap();
    refused(&places.restore(&empty.url(), "nothing"), "it is no bundle");
    let head = async |database: &TestDatabase| -> i64 {
        let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
        sqlx::query_scalar("select position from head").fetch_one(&pool).await.unwrap()
    };
    assert_eq!(head(&empty).await, 0, "not one event was put in");

    // More events than the bundle has, and other ones.
    let before = head(&full).await;
    let app = places.serve(full, "published").await;
    register(&app.http(), 4..=4).await;
    let TestApp { server, database: full } = app;
    server.stop().await.unwrap();
    refused(&places.restore(&full.url(), "bundle"), "there is nothing to put back");
    assert!(head(&full).await > before);
    let app = other.serve(TestDatabase::create().await, "published").await;
    let TestApp { server, database: another } = app;
    server.stop().await.unwrap();
    refused(&places.restore(&another.url(), "bundle"), "the database has another log");

    // And in the end the right one.
    done(&places.restore(&empty.url(), "bundle"));
    assert_eq!(head(&empty).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_while_putting_back_begins_again() {
    let places = Places::new();
    let app = places.serve(TestDatabase::create().await, "published").await;
    let http = app.http();
    for from in 0..12 {
        let items: Vec<Value> = (0..100)
            .map(|n| {
                let id = format!("flag_{}", from * 100 + n);
                json!({"collection": "flags", "command": "create-flag", "id": id,
                       "body": {"description": "x"}})
            })
            .collect();
        http.post("/api/v1/batches", &json!({"items": items})).await.expect(200);
    }
    let last = at_rest(&app).await;
    assert!(last > 1_200);
    published(&http, last).await;
    let made = places.backup(&app.database.url());
    app.stop().await;
    let database = TestDatabase::create().await;
    let deadline = Instant::now() + Duration::from_secs(60);
    for round in 0.. {
        let mut command = program();
        command.env("NODE0_MASTER_KEY", MASTER_KEY);
        let bundle = places.at("bundle");
        command.args(["restore", "--from-bundle", path(&bundle), "--key", &places.key]);
        command.args(["--json", "--database-url", &database.url()]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(100 + 40 * round)).await;
        child.kill().unwrap();
        if child.wait().unwrap().success() || round == 12 {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    let restored = done(&places.restore(&database.url(), "bundle"));
    assert_eq!((&restored[0]["root"], &restored[0]["events"]), (&made[0]["root"], &json!(last)));
    let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
    let report = event_store::check::check_log(&pool, None).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    pool.close().await;
}
