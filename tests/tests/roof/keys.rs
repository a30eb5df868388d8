//! Keys that change while everything goes on, and tokens while the database is away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::{MASTER_KEY, TestApp},
    database::TestDatabase,
    http::Http,
    node0::{complaint, lines, program},
};

use super::{
    identity::{EMAIL, PASSWORD, login, pool, refresh, registered, text, with},
    problem,
    proxy::Proxy,
    start,
};

/// How many clients work while keys change.
const CLIENTS: usize = 100;
/// How long a client goes on with an access token before it refreshes its session.
const REFRESHED_EVERY: Duration = Duration::from_secs(2);
/// How long a rotation may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Another master key: 32 bytes of 9.
const NEW_MASTER_KEY: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";

/// By which key a token was signed.
fn kid(tokens: &Value) -> String {
    jsonwebtoken::decode_header(text(&tokens["access_token"])).unwrap().kid.unwrap()
}

/// What `node0 admin keys` says beside a server on this database.
fn admin_keys(app: &TestApp, arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let mut command = program();
    command.args(["--database-url", &app.database.url(), "--token-algorithm", "EdDSA"]);
    command.args(["admin", "keys"]).args(arguments).arg("--json").envs(environment.to_vec());
    let output = command.output().expect("the program can be run");
    assert!(output.status.success(), "{}", complaint(&output));
    lines(&output).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_change_while_a_hundred_clients_work_and_no_request_fails() {
    let (app, admin) = start().await;
    let app = Arc::new(app);
    let mut sessions = Vec::new();
    for person in 0..4 {
        let email = format!("person-{person}@north.example");
        registered(&app, &admin, &email, &["viewer"]).await;
        for _ in 0..CLIENTS / 4 {
            sessions.push(login(&app, &email, PASSWORD).await.expect(200));
        }
    }
    let first = kid(&sessions[0]);
    let stop = Arc::new(AtomicBool::new(false));
    let (done, changed) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for mut tokens in sessions {
        let (app, first) = (Arc::clone(&app), first.clone());
        let (stop, done, changed) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&changed));
        clients.spawn(async move {
            let mut refreshed = Instant::now();
            let mut http = with(&app, text(&tokens["access_token"]));
            while !stop.load(Ordering::Relaxed) {
                http.get("/api/v1/auth/me").await.expect(200);
                done.fetch_add(1, Ordering::Relaxed);
                if refreshed.elapsed() > REFRESHED_EVERY {
                    let had = kid(&tokens);
                    tokens = refresh(&app, &tokens["refresh_token"]).await.expect(200);
                    http = with(&app, text(&tokens["access_token"]));
                    refreshed = Instant::now();
                    if had == first && kid(&tokens) != first {
                        changed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    admin_keys(&app, &["rotate"], &[("NODE0_MASTER_KEY", MASTER_KEY)]);
    let deadline = Instant::now() + PATIENCE;
    while changed.load(Ordering::Relaxed) < u32::try_from(CLIENTS).unwrap() {
        assert!(Instant::now() < deadline, "some clients still get the first key's tokens");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("no request of a client fails");
    }
    assert!(done.load(Ordering::Relaxed) > 10 * u32::try_from(CLIENTS).unwrap());
    assert_eq!(ask_for_keys(&app).await.len(), 2, "the first still checks what it signed");
}

/// The names of the published keys.
async fn ask_for_keys(app: &TestApp) -> Vec<String> {
    let url = format!("http://{}/.well-known/jwks.json", app.server.address());
    let set: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| text(&key["kid"]).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_takes_the_place_of_the_first_and_everything_still_opens() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let ada = with(&app, text(&tokens["access_token"]));
    let begun = Http::send(ada.request(Method::POST, "/api/v1/auth/second-factor/begin"))
        .await
        .unwrap()
        .expect(201);
    let (sealed_before, database) = (sealed(&app).await, app.database);
    app.server.stop().await.unwrap();
    assert!(sealed_before.len() >= 5, "of each kind there is one: {sealed_before:?}");

    // The new key, and the old one beside it.
    let both = [("master_key", NEW_MASTER_KEY), ("other_master_key", MASTER_KEY)];
    let app = TestApp::start_on(database, &both).await;
    with(&app, text(&tokens["access_token"])).get("/api/v1/auth/me").await.expect(200);
    login(&app, EMAIL, PASSWORD).await.expect(200);
    let environment =
        [("NODE0_MASTER_KEY", NEW_MASTER_KEY), ("NODE0_OTHER_MASTER_KEY", MASTER_KEY)];
    let told = admin_keys(&app, &["reseal"], &environment);
    let resealed = told["resealed"].as_u64().unwrap();
    assert!(resealed >= u64::try_from(sealed_before.len()).unwrap(), "{told}");
    assert_eq!(admin_keys(&app, &["reseal"], &environment)["resealed"], 0);
    let sealed_after = sealed(&app).await;
    assert!(sealed_before.iter().all(|old| !sealed_after.contains(old)), "all is sealed anew");
    let database = app.database;
    app.server.stop().await.unwrap();

    // The new one alone.
    let app = TestApp::start_on(database, &[("master_key", NEW_MASTER_KEY)]).await;
    let ada = with(&app, text(&tokens["access_token"]));
    ada.get("/api/v1/auth/me").await.expect(200);
    login(&app, EMAIL, PASSWORD).await.expect(200);
    let wrong = json!({"code": "000000x", "enrolment": begun["enrolment"]});
    let answer = ada.post("/api/v1/auth/second-factor/enrol", &wrong).await;
    assert_eq!(answer.body["errors"][0]["pointer"], "/code", "the second factor still opens");
    let found = app.http().get(&format!("/api/v1/principals?email={EMAIL}")).await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "and the address is still found");

    // The old one opens nothing any more, and the server says so before it serves.
    let mut command = program();
    command.args(["--database-url", &app.database.url(), "--master-key", MASTER_KEY]);
    let output = command.args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(complaint(&output).contains("NODE0_OTHER_MASTER_KEY"), "{}", complaint(&output));
}

/// Everything that is sealed.
async fn sealed(app: &TestApp) -> Vec<Vec<u8>> {
    let statement = "select sealed from index_keys union all select wrapped from person_keys \
                     union all select sealed from signing_keys \
                     union all select sealed from password_verifiers \
                     union all select sealed from second_factors";
    sqlx::query_scalar(statement).fetch_all(&pool(app).await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_nobody_signs_in_and_who_is_signed_in_keeps_their_rights() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database.url()).await;
    let app = TestApp::start_with(&[("database_url", &proxy.url())]).await;
    let admin = app.http();
    registered(&app, &admin, EMAIL, &["auditor"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let ada = with(&app, text(&tokens["access_token"]));
    let before = ada.get("/api/v1/auth/me").await.expect(200);
    proxy.shut();
    let away_until = Instant::now() + away();
    loop {
        assert_eq!(ada.get("/api/v1/auth/me").await.expect(200), before);
        // What the policy refuses is refused by the policy, not by the outage.
        let refused = ada.post("/api/v1/principals", &json!({"email": "x@y.example"})).await;
        assert_eq!((refused.status, problem(&refused).as_str()), (403, "not-permitted"));
        assert_eq!(ask_for_keys(&app).await.len(), 1);
        let sign_in = login(&app, EMAIL, PASSWORD).await;
        assert_eq!((sign_in.status, problem(&sign_in).as_str()), (503, "database-unavailable"));
        assert!(!sign_in.header("retry-after").is_empty());
        assert_eq!(refresh(&app, &tokens["refresh_token"]).await.status, 503);
        if Instant::now() > away_until {
            break;
        }
    }
    proxy.reopen();
    let deadline = Instant::now() + PATIENCE;
    while login(&app, EMAIL, PASSWORD).await.status != 200 {
        assert!(Instant::now() < deadline, "nobody can sign in again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What could not be used while it was away was not used up.
    refresh(&app, &tokens["refresh_token"]).await.expect(200);
    app.stop().await;
}

/// How long the database is away: a moment, or `NODE0_TEST_AWAY_S`.
fn away() -> Duration {
    let seconds = std::env::var("NODE0_TEST_AWAY_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}
