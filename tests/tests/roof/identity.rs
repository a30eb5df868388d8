//! Who is who, over HTTP: from an invitation to a session that ends, and everything that is no
//! proof of anything.

use std::time::Duration;

use api::identity::vault::{self, Vault};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{
    app::{MASTER_KEY, TestApp},
    database::TestDatabase,
    http::{Answer, Http},
};

use super::start;

pub(super) const EMAIL: &str = "ada@north.example";
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// The kind of problem that an answer of this status tells.
fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{:#}", answer.body);
    super::problem(answer)
}

pub(super) fn with(app: &TestApp, token: &str) -> Http {
    Http::new(format!("http://{}", app.server.address()), token.to_owned())
}

/// Somebody without a token.
pub(super) async fn ask(app: &TestApp, path: &str, body: Value) -> Answer {
    let url = format!("http://{}{path}", app.server.address());
    Http::send(reqwest::Client::new().post(url).json(&body)).await.unwrap()
}

pub(super) async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    ask(app, "/api/v1/auth/login", json!({"email": email, "password": password})).await
}

pub(super) async fn refresh(app: &TestApp, token: &Value) -> Answer {
    ask(app, "/api/v1/auth/refresh", json!({"refresh_token": token})).await
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Somebody who was invited with these roles and has registered.
pub(super) async fn registered(app: &TestApp, admin: &Http, email: &str, roles: &[&str]) -> String {
    let invited = admin.post("/api/v1/principals", &json!({"email": email, "roles": roles})).await;
    let invited = invited.expect(201);
    let body = json!({"display_name": "Ada", "password": PASSWORD, "token": invited["token"]});
    let made = ask(app, "/api/v1/auth/register", body).await.expect(201);
    assert_eq!(made["principal"], invited["principal"]);
    text(&made["principal"]).to_owned()
}

pub(super) async fn pool(app: &TestApp) -> PgPool {
    PgPool::connect(&app.database.url()).await.unwrap()
}

/// How many events of a type there are.
pub(super) async fn told(admin: &Http, event_type: &str) -> usize {
    let path = format!("/api/v1/events?type={event_type}");
    admin.get(&path).await.expect(200)["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_invited_registers_signs_in_acts_and_signs_out() {
    let (app, admin) = start().await;
    let principal = registered(&app, &admin, EMAIL, &["auditor"]).await;
    let tokens = login(&app, " Ada@North.example ", PASSWORD).await.expect(200);
    assert_eq!(
        (tokens["expires_in"].as_u64(), &tokens["token_type"]),
        (Some(900), &json!("Bearer"))
    );
    let ada = with(&app, text(&tokens["access_token"]));
    let me = ada.get("/api/v1/auth/me").await.expect(200);
    assert_eq!((&me["name"], &me["principal"]), (&json!(principal), &json!(principal)));
    assert!(me["permissions"].as_array().unwrap().contains(&json!("event:export")));
    ada.get("/api/v1/events").await.expect(200);
    let refused = ada.post("/api/v1/principals", &json!({"email": "x@y.z"})).await;
    assert_eq!(problem(&refused, 403), "not-permitted");
    let signed_out = ada.request(Method::POST, "/api/v1/auth/logout");
    assert_eq!(Http::send(signed_out).await.unwrap().status, 204);
    assert_eq!(problem(&ada.get("/api/v1/auth/me").await, 401), "not-authenticated");
    assert_eq!(refresh(&app, &tokens["refresh_token"]).await.status, 401);
    // A link is followed once.
    let again = json!({"email": EMAIL});
    assert_eq!(problem(&admin.post("/api/v1/principals", &again).await, 422), "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_session() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let first = login(&app, EMAIL, PASSWORD).await.expect(200);
    let other = login(&app, EMAIL, PASSWORD).await.expect(200);
    let second = refresh(&app, &first["refresh_token"]).await.expect(200);
    assert_eq!(second["session"], first["session"]);
    with(&app, text(&second["access_token"])).get("/api/v1/auth/me").await.expect(200);
    // Whoever stole the first token uses it now.
    assert_eq!(problem(&refresh(&app, &first["refresh_token"]).await, 401), "not-authenticated");
    assert_eq!(with(&app, text(&second["access_token"])).get("/api/v1/auth/me").await.status, 401);
    assert_eq!(refresh(&app, &second["refresh_token"]).await.status, 401);
    // The person's other session is not concerned.
    refresh(&app, &other["refresh_token"]).await.expect(200);
    let nothing = refresh(&app, &json!("nr_made-up")).await;
    assert_eq!(nothing.status, 401);
    assert_eq!(told(&admin, "refresh-reuse-detected.v1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_where_somebody_came_is_in_the_event_under_their_own_key() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    login(&app, EMAIL, "another password of somebody").await;
    eventually(async || told(&admin, "login-failed.v1").await == 1).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    refresh(&app, &tokens["refresh_token"]).await.expect(200);
    refresh(&app, &tokens["refresh_token"]).await;
    let statement = "select key_id from person_keys where principal = $1";
    let key = sqlx::query_scalar(statement).bind(tokens["principal"].as_str());
    let key: String = key.fetch_one(&pool(&app).await).await.unwrap();
    for event_type in ["login-failed.v1", "session-started.v1", "refresh-reuse-detected.v1"] {
        let path = format!("/api/v1/events?type={event_type}");
        let events = admin.get(&path).await.expect(200);
        let origin = &events["items"][0]["record"]["data"]["origin"];
        assert_eq!(origin["key_id"], key, "{event_type}");
        // A nonce of 12 bytes, the address, and a tag of 16.
        let sealed = STANDARD.decode(text(&origin["ciphertext"])).unwrap();
        assert_eq!(sealed.len(), 12 + "127.0.0.1".len() + 16, "{event_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_for_the_first_time_set_up_one_service_together() {
    const SERVERS: usize = 4;
    let database = TestDatabase::create().await;
    let url = database.url();
    let settings = [("database_url", url.as_str())];
    let all = (0..SERVERS).map(|_| TestApp::start_with(&settings));
    let apps = futures::future::join_all(all).await;
    for app in &apps {
        app.http().get("/api/v1/auth/me").await.expect(200);
    }
    let admin = apps[0].http();
    for event_type in ["principal-registered.v1", "role-granted.v1", "api-key-issued.v1"] {
        assert_eq!(told(&admin, event_type).await, 1, "{event_type}");
    }
    for app in apps {
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_one_refresh_token_at_once_at_most_one_goes_on() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let all = (0..8).map(|_| refresh(&app, &tokens["refresh_token"]));
    let answers = futures::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_from_a_failed_login_who_has_an_account() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    admin.post("/api/v1/principals", &json!({"email": "invited@north.example"})).await.expect(201);
    let words = |answer: Answer| {
        assert_eq!(problem(&answer, 401), "not-authenticated");
        text(&answer.body["detail"]).to_owned()
    };
    let wrong = words(login(&app, EMAIL, "another password").await);
    assert_eq!(words(login(&app, "nobody@north.example", PASSWORD).await), wrong);
    assert_eq!(words(login(&app, "invited@north.example", PASSWORD).await), wrong);
    assert_eq!(words(login(&app, "", "").await), wrong);
    assert_eq!(words(login(&app, EMAIL, &"x".repeat(5_000)).await), wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_locks_the_account_and_the_right_password_is_refused_in_the_same_words() {
    let (app, admin) = start().await;
    let principal = registered(&app, &admin, EMAIL, &["viewer"]).await;
    let signed_in = login(&app, EMAIL, PASSWORD).await.expect(200);
    for failed in 1..=5 {
        assert_eq!(login(&app, EMAIL, "not this one either").await.status, 401);
        // That somebody failed is recorded after the answer.
        while told(&admin, "login-failed.v1").await < failed {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let refused = login(&app, EMAIL, PASSWORD).await;
    assert_eq!(problem(&refused, 401), "not-authenticated");
    assert_eq!(told(&admin, "principal-locked.v1").await, 1);
    // Who is signed in is not thrown out by somebody's guesses.
    refresh(&app, &signed_in["refresh_token"]).await.expect(200);
    let unlock = format!("/api/v1/principals/{principal}/unlock");
    admin.post(&unlock, &json!({})).await.expect(200);
    login(&app, EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_taken_or_suspended_counts_at_the_next_request() {
    let (app, admin) = start().await;
    let principal = registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let ada = with(&app, text(&tokens["access_token"]));
    assert_eq!(ada.get("/api/v1/events").await.status, 403);
    let command = |name: &str| format!("/api/v1/principals/{principal}/{name}");
    admin.post(&command("grant-role"), &json!({"role": "auditor"})).await.expect(200);
    eventually(|| async { ada.get("/api/v1/events").await.status == 200 }).await;
    admin.post(&command("revoke-role"), &json!({"role": "auditor"})).await.expect(200);
    eventually(|| async { ada.get("/api/v1/events").await.status == 403 }).await;
    admin.post(&command("suspend"), &json!({"reason": "on leave"})).await.expect(200);
    eventually(|| async { ada.get("/api/v1/auth/me").await.status == 401 }).await;
    assert_eq!(login(&app, EMAIL, PASSWORD).await.status, 401);
    // What a person does to itself cannot be done for it.
    for name in ["start-session", "register", "verify-email", "change-password", "issue-api-key"] {
        let answer = admin.post(&command(name), &json!({})).await;
        assert_eq!(problem(&answer, 404), "unknown-command", "{name}");
    }
}

/// Within the time in which another process's word counts.
pub(super) async fn eventually<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to hold within two seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_every_other_session() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let here = login(&app, EMAIL, PASSWORD).await.expect(200);
    let there = login(&app, EMAIL, PASSWORD).await.expect(200);
    let ada = with(&app, text(&here["access_token"]));
    let path = "/api/v1/auth/change-password";
    let wrong =
        json!({"current_password": "a guess of mine", "new_password": "another battery staple"});
    assert_eq!(problem(&ada.post(path, &wrong).await, 422), "invalid-body");
    let short = json!({"current_password": PASSWORD, "new_password": "short"});
    assert_eq!(problem(&ada.post(path, &short).await, 422), "invalid-body");
    let right = json!({"current_password": PASSWORD, "new_password": "another battery staple"});
    assert_eq!(ada.post(path, &right).await.status, 204);
    ada.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(with(&app, text(&there["access_token"])).get("/api/v1/auth/me").await.status, 401);
    assert_eq!(login(&app, EMAIL, PASSWORD).await.status, 401);
    login(&app, EMAIL, "another battery staple").await.expect(200);
}

/// The code that a device with this secret shows, so many steps of 30 seconds from now.
fn code(secret: &Value, away: i64) -> String {
    let secret = totp_rs::Secret::Encoded(text(secret).to_owned()).to_bytes().unwrap();
    let totp = totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 0, 30, secret).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    totp.generate(now.as_secs().checked_add_signed(away * 30).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_second_factor_a_login_needs_a_code_that_was_not_used() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let ada = with(&app, text(&tokens["access_token"]));
    let path = |step: &str| format!("/api/v1/auth/second-factor/{step}");
    let begun = Http::send(ada.request(Method::POST, &path("begin"))).await.unwrap().expect(201);
    // It counts only once the device is proved.
    login(&app, EMAIL, PASSWORD).await.expect(200);
    let wrong = json!({"enrolment": begun["enrolment"], "code": "000000x"});
    assert_eq!(problem(&ada.post(&path("enrol"), &wrong).await, 422), "invalid-body");
    let first = code(&begun["secret"], -1);
    let right = json!({"enrolment": begun["enrolment"], "code": first});
    assert_eq!(ada.post(&path("enrol"), &right).await.status, 204);

    let with_code = async |code: &str| {
        let body = json!({"email": EMAIL, "password": PASSWORD, "code": code});
        ask(&app, "/api/v1/auth/login", body).await
    };
    let asked = login(&app, EMAIL, PASSWORD).await;
    assert_eq!(problem(&asked, 401), "not-authenticated");
    assert_eq!(asked.body["second_factor"], "required");
    assert_eq!(with_code(&first).await.status, 401, "it was used to enrol");
    assert_eq!(with_code("123 45").await.status, 401);
    let next = code(&begun["secret"], 1);
    // Of two who saw the same code, one gets in.
    let both = tokio::join!(with_code(&next), with_code(&next));
    assert_eq!([both.0.status, both.1.status].iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(with_code(&next).await.status, 401);
    let backup = text(&begun["backup_codes"][3]).to_lowercase();
    with_code(&format!("{}-{}", &backup[..8], &backup[8..])).await.expect(200);
    assert_eq!(with_code(&backup).await.status, 401, "a backup code is good once");

    let wrong = json!({"password": "not the password"});
    assert_eq!(problem(&ada.post(&path("remove"), &wrong).await, 422), "invalid-body");
    let right = json!({"password": PASSWORD});
    assert_eq!(ada.post(&path("remove"), &right).await.status, 204);
    assert_eq!(ada.get("/api/v1/auth/me").await.status, 401, "all sessions ended");
    login(&app, EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_may_what_it_is_for_until_it_is_revoked_and_makes_no_other() {
    let (app, admin) = start().await;
    let service = json!({"display_name": "Nightly export", "roles": ["auditor"]});
    let service = admin.post("/api/v1/services", &service).await.expect(201);
    let wanted = |scopes: Value| {
        json!({
            "principal": service["principal"], "label": "export", "scopes": scopes,
            "expires_at": "2027-06-01T00:00:00Z",
        })
    };
    let beyond = admin.post("/api/v1/api-keys", &wanted(json!(["validator:jail"]))).await;
    assert_eq!(problem(&beyond, 422), "refused");
    let key = admin.post("/api/v1/api-keys", &wanted(json!(["event:read"]))).await.expect(201);
    let export = with(&app, text(&key["token"]));
    export.get("/api/v1/events").await.expect(200);
    let me = export.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(me["permissions"], json!(["event:read"]), "the role gives more, the key does not");
    assert_eq!(export.get("/api/v1/projections").await.status, 403);
    let mut own = wanted(json!(["event:export"]));
    own.as_object_mut().unwrap().remove("principal");
    let refused = export.post("/api/v1/auth/api-keys", &own).await;
    assert_eq!(problem(&refused, 401), "not-authenticated");
    let mut forged = text(&key["token"]).to_owned();
    forged.pop();
    assert_eq!(with(&app, &forged).get("/api/v1/events").await.status, 401);
    let revoke = format!("/api/v1/principals/{}/revoke-api-key", text(&service["principal"]));
    let why = json!({"key": key["key"], "reason": "no more"});
    admin.post(&revoke, &why).await.expect(200);
    eventually(|| async { export.get("/api/v1/events").await.status == 401 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_invites_anybody_to_more_than_they_may_do_themselves() {
    let (app, root) = start().await;
    registered(&app, &root, "admin@north.example", &["admin"]).await;
    let tokens = login(&app, "admin@north.example", PASSWORD).await.expect(200);
    let admin = with(&app, text(&tokens["access_token"]));
    let invite = |roles: &[&str]| json!({"email": EMAIL, "roles": roles});
    let refused = admin.post("/api/v1/principals", &invite(&["super_admin"])).await;
    assert_eq!(problem(&refused, 403), "not-permitted");
    let refused = admin.post("/api/v1/principals", &invite(&["viewer"])).await;
    assert_eq!(problem(&refused, 403), "not-permitted", "granting is its own permission");
    admin.post("/api/v1/principals", &invite(&[])).await.expect(201);
    // What is not asked for is refused, not ignored.
    let more = json!({"email": EMAIL, "roles": [], "standing": "active"});
    assert_eq!(problem(&admin.post("/api/v1/principals", &more).await, 422), "invalid-body");
}

/// The private key by which this server signs, and its name.
async fn signing_key(app: &TestApp) -> (String, EncodingKey) {
    let rows: (String, Vec<u8>) = sqlx::query_as("select kid, sealed from signing_keys")
        .fetch_one(&pool(app).await)
        .await
        .unwrap();
    let vault = Vault::new(&vault::parse(MASTER_KEY).unwrap());
    let key = vault.open(&format!("signing key {}", rows.0), &rows.1).unwrap();
    (rows.0, EncodingKey::from_ed_der(&key))
}

fn claims(tokens: &Value) -> Value {
    let payload = text(&tokens["access_token"]).split('.').nth(1).unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forged_token_is_anybody_s() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["super_admin"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let good = claims(&tokens);
    let (kid, key) = signing_key(&app).await;
    let header = |algorithm| Header { kid: Some(kid.clone()), ..Header::new(algorithm) };
    let sign =
        |claims: &Value| jsonwebtoken::encode(&header(Algorithm::EdDSA), claims, &key).unwrap();
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        sign(&claims)
    };
    let now = good["iat"].as_u64().unwrap();
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        sign(&claims)
    };
    with(&app, &sign(&good)).get("/api/v1/auth/me").await.expect(200);

    let keys = admin.get("/.well-known/jwks.json").await.expect(200);
    let public = text(&keys["keys"][0]["x"]).as_bytes().to_vec();
    let hs =
        jsonwebtoken::encode(&header(Algorithm::HS256), &good, &EncodingKey::from_secret(&public));
    let other = ed25519_pkcs8([9; 32]);
    let other = EncodingKey::from_ed_der(&other);
    let base = |json: &Value| {
        let bytes = serde_json::to_vec(json).unwrap();
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
    };
    let none =
        format!("{}.{}.", base(&json!({"alg": "none", "kid": kid, "typ": "JWT"})), base(&good));
    let mut no_kid = header(Algorithm::EdDSA);
    no_kid.kid = None;
    let mut strange_kid = header(Algorithm::EdDSA);
    strange_kid.kid = Some("../../etc/passwd".to_owned());
    let mut touched = sign(&good);
    touched.pop();
    let forged = [
        ("alg none", none),
        ("the public key as a shared secret", hs.unwrap()),
        (
            "another key under our key's name",
            jsonwebtoken::encode(&header(Algorithm::EdDSA), &good, &other).unwrap(),
        ),
        ("no key's name", jsonwebtoken::encode(&no_kid, &good, &key).unwrap()),
        ("a made-up key's name", jsonwebtoken::encode(&strange_kid, &good, &key).unwrap()),
        ("expired", changed("exp", json!(now - 60))),
        ("not yet valid", changed("nbf", json!(now + 600))),
        ("for somebody else", changed("aud", json!("another-api"))),
        ("by somebody else", changed("iss", json!("another"))),
        ("another session", changed("sid", json!("session-1"))),
        ("another principal", changed("sub", json!("user-000000000000"))),
        ("no end", without("exp")),
        ("for nobody", without("aud")),
        ("cut short", touched),
    ];
    for (what, token) in forged {
        let answer = with(&app, &token).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401, "{what}: {:#}", answer.body);
        assert_eq!(problem(&answer, 401), "not-authenticated", "{what}");
    }
}

/// An Ed25519 private key in PKCS #8 (RFC 8410, section 7).
fn ed25519_pkcs8(seed: [u8; 32]) -> Vec<u8> {
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    der.extend(seed);
    der
}

#[tokio::test(flavor = "multi_thread")]
async fn rs256_tokens_are_signed_under_4096_bits_and_checked_by_the_published_key() {
    let app = TestApp::start_with(&[("token_algorithm", "RS256")]).await;
    let admin = app.http();
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    with(&app, text(&tokens["access_token"])).get("/api/v1/auth/me").await.expect(200);
    let keys = admin.get("/.well-known/jwks.json").await.expect(200);
    let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(keys["keys"][0].clone()).unwrap();
    let modulus = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        text(&keys["keys"][0]["n"]),
    );
    assert_eq!(modulus.unwrap().len() * 8, 4_096);
    let key = jsonwebtoken::DecodingKey::from_jwk(&key).unwrap();
    let mut rules = jsonwebtoken::Validation::new(Algorithm::RS256);
    rules.set_audience(&["node0-api"]);
    let checked = jsonwebtoken::decode::<Value>(text(&tokens["access_token"]), &key, &rules);
    assert_eq!(checked.unwrap().claims["iss"], "node0");
}

/// Every row of every table.
pub(super) async fn everything(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables \
         where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut found = String::new();
    for table in &tables {
        let statement = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let rows: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(pool).await.unwrap();
        found.push_str(&rows);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_or_personal_is_in_an_event_or_in_the_clear_in_a_table() {
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let again = refresh(&app, &tokens["refresh_token"]).await.expect(200);
    let looked_at = everything(&pool(&app).await).await;
    assert!(looked_at.contains("password_verifiers") || looked_at.len() > 1_000);
    let mut secrets =
        vec![PASSWORD.to_owned(), EMAIL.to_owned(), "Ada".to_owned(), MASTER_KEY.to_owned()];
    for tokens in [&tokens, &again] {
        secrets.push(text(&tokens["access_token"]).to_owned());
        secrets.push(text(&tokens["refresh_token"]).to_owned());
    }
    for secret in secrets {
        // Bytes are shown in hexadecimal.
        let as_bytes = hex::encode(&secret);
        assert!(!looked_at.contains(&secret) && !looked_at.contains(&as_bytes), "{secret}");
    }
}
