//! Secrets: those of the configuration are told nowhere, time tells nobody who has an account, no
//! client writes lines into the log, and a person who was erased is forgotten.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{
    database::TestDatabase,
    http::Http,
    node0::{Node0, TOKEN, program},
};

use super::{
    identity::{EMAIL, PASSWORD, everything, login, pool, registered, text, told, with},
    start,
};

/// What every secret of this test holds.
const MARKER: &str = "MaRk3r";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_configuration_is_told_anywhere() {
    let database = TestDatabase::create().await;
    let token = format!("{MARKER}-setup-token-0123456789abcdef");
    let key = |end: &str| STANDARD.encode(format!("{MARKER:-<26}{end}"));
    let (master, other) = (key("master"), key("_other"));
    // The key of the harness is not used: ours comes from the environment.
    let mut command = program();
    command.args(["--database-url", &database.url(), "--log", "trace"]);
    command.env("NODE0_SETUP_TOKEN", &token);
    command.env("NODE0_OTHER_MASTER_KEY", &other);
    command.env("NODE0_SMTP_URL", format!("smtp://user:{MARKER}-smtp@127.0.0.1:9"));
    command.env("NODE0_MAIL_FROM", "node0@north.example");
    command.env("NODE0_OIDC_ISSUER", "http://127.0.0.1:9");
    command.env("NODE0_OIDC_CLIENT_ID", "node0");
    command.env("NODE0_OIDC_CLIENT_SECRET", format!("{MARKER}-oidc"));
    let server = Node0::serve_as_it_is(&mut command);
    let http = Http::new(server.address().to_owned(), token.clone());
    let mut heard = Vec::new();
    for path in [
        "/metrics",
        "/readyz",
        "/version",
        "/api/openapi.json",
        "/api/v1/auth/me",
        "/api/v1/events?first=100",
        "/api/v1/principals",
        "/api/v1/access-records",
        "/api/v1/auth/oidc/begin",
        "/api/v1/nowhere",
        "/.well-known/jwks.json",
    ] {
        heard.push(http.get(path).await.body.to_string());
    }
    let invite = json!({"email": EMAIL, "roles": ["viewer"]});
    heard.push(http.post("/api/v1/principals", &invite).await.expect(201).to_string());
    let wrong = json!({"query": "{ nothing }"});
    heard.push(http.post("/graphql", &wrong).await.body.to_string());
    heard.push(http.post("/api/v1/services", &json!([])).await.body.to_string());
    let bad = Http::new(server.address().to_owned(), format!("{token}x"));
    heard.push(bad.get("/api/v1/events").await.body.to_string());
    let shown = program()
        .args(["config", "show"])
        .env("NODE0_SETUP_TOKEN", &token)
        .env("NODE0_MASTER_KEY", &master)
        .env("NODE0_OTHER_MASTER_KEY", &other)
        .env("NODE0_SMTP_URL", format!("smtp://user:{MARKER}-smtp@127.0.0.1:9"))
        .env("NODE0_MAIL_FROM", "node0@north.example")
        .env("NODE0_OIDC_ISSUER", "http://127.0.0.1:9")
        .env("NODE0_OIDC_CLIENT_ID", "node0")
        .env("NODE0_OIDC_CLIENT_SECRET", format!("{MARKER}-oidc"))
        .env("DATABASE_URL", format!("postgres://user:{MARKER}-database@localhost/base"))
        .output()
        .expect("the program can be run");
    assert!(shown.status.success());
    heard.push(String::from_utf8_lossy(&shown.stdout).into_owned());
    let pool = PgPool::connect(&database.url()).await.unwrap();
    heard.push(everything(&pool).await);
    pool.close().await;
    let log = server.log();
    assert!(log.contains("TRACE") && log.len() > 10_000, "everything is logged: {log}");
    heard.push(log);
    for text in heard {
        for secret in [MARKER, &STANDARD.encode(MARKER), &hex::encode(MARKER)] {
            let place = text.find(secret).map(|at| &text[at.saturating_sub(200)..at + 60]);
            assert_eq!(place, None, "{secret} is told");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_forgotten_and_a_certificate_says_so() {
    let (app, admin) = start().await;
    let ada = registered(&app, &admin, EMAIL, &["viewer"]).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    with(&app, text(&tokens["access_token"])).get("/api/v1/auth/me").await.expect(200);
    let command = |name: &str| format!("/api/v1/principals/{ada}/{name}");
    let why = json!({"reason": "asked for it"});
    let early = admin.post(&command("erase-personal-data"), &why).await;
    assert_eq!(early.status, 422, "whoever is there is closed first");
    admin.post(&command("close"), &why).await.expect(200);
    // A legal hold is stronger.
    admin.post(&command("lay-legal-hold"), &why).await.expect(200);
    let held = admin.post(&command("erase-personal-data"), &why).await;
    assert_eq!(
        (held.status, &held.body["refusal"]["code"]),
        (422, &json!("legal-hold")),
        "{held:#?}"
    );
    let seen = admin.get(&format!("/api/v1/principals/{ada}")).await.expect(200);
    assert_eq!((&seen["legal_hold"], &seen["erased"]), (&json!(true), &json!(false)));
    admin.post(&command("lift-legal-hold"), &why).await.expect(200);
    admin.post(&command("erase-personal-data"), &why).await.expect(200);
    for _ in 0..10 {
        if told(&admin, "subject-key-destroyed.v1").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(told(&admin, "subject-key-destroyed.v1").await, 1);
    let pool = pool(&app).await;
    let rows: i64 = sqlx::query_scalar(
        "select (select count(*) from person_keys where principal = $1) \
         + (select count(*) from password_verifiers where principal = $1) \
         + (select count(*) from refresh_tokens where principal = $1)",
    )
    .bind(&ada)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(rows, 0, "nothing is kept that would open anything");
    let certificate: String =
        sqlx::query_scalar("select certificate from erasure_certificates where principal = $1")
            .bind(&ada)
            .fetch_one(&pool)
            .await
            .unwrap();
    let certificate: Value = serde_json::from_str(&certificate).unwrap();
    assert_eq!(certificate["principal"], json!(ada));
    assert_eq!(login(&app, EMAIL, PASSWORD).await.status, 401);
    // Whoever has the address now is somebody else.
    let again = admin.post("/api/v1/principals", &json!({"email": EMAIL})).await.expect(201);
    assert_ne!(again["principal"], json!(ada));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_login_takes_as_long_whoever_it_names() {
    const EACH: usize = 31;
    let (app, admin) = start().await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    login(&app, EMAIL, PASSWORD).await.expect(200);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for number in 0..EACH {
        // One after the other, so that whatever else the machine does happens to both.
        let other = format!("nobody-{number}@north.example");
        for (email, took) in [(EMAIL, &mut known), (other.as_str(), &mut unknown)] {
            let began = Instant::now();
            assert_eq!(login(&app, email, "not the password").await.status, 401);
            took.push(began.elapsed().as_secs_f64());
        }
    }
    let median = |took: &mut Vec<f64>| {
        took.sort_by(f64::total_cmp);
        took[EACH / 2]
    };
    let ratio = median(&mut known) / median(&mut unknown);
    // To leave the work out, or to do it twice, is a factor of two and more.
    assert!((0.67..1.5).contains(&ratio), "known / unknown = {ratio}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_writes_lines_into_the_log() {
    let database = TestDatabase::create().await;
    let mut command = program();
    command.args(["--database-url", &database.url(), "--log", "debug"]);
    command.env("NODE0_SETUP_TOKEN", TOKEN);
    let server = Node0::serve_as_it_is(&mut command);
    let forged = "%0a2026-01-01T00:00:00Z%20%20INFO%20forged";
    let http = server.http();
    http.get(&format!("/api/v1/{forged}")).await.expect(404);
    http.get(&format!("/api/v1/validators/{forged}")).await.expect(400);
    http.get(&format!("/api/v1/events?type={forged}")).await;
    let request = http.request(reqwest::Method::GET, "/api/v1/nowhere");
    let request = request.header("x-request-id", "a\tforged").header("user-agent", "forged");
    tests::http::Http::send(request).await.unwrap();
    let body = json!({"email": "x\n2026-01-01T00:00:00Z  INFO forged", "password": "x"});
    http.post("/api/v1/auth/login", &body).await.expect(401);
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("forged")).collect();
    assert_eq!(lines, Vec::<&str>::new(), "what clients send is not in the log at all");
}
