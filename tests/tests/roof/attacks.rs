//! Attacks that are not of one feature: each is tried, and gets nowhere.

use domain::identity::principal::FAILURES_BEFORE_LOCK;
use futures::stream;
use reqwest::{Body, Client, Method};
use serde_json::{Value, json};
use tests::{app::TestApp, http::Http};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    identity::{EMAIL, PASSWORD, ask, eventually, login, refresh, registered, text, told, with},
    problem, send, start,
};

/// What a request's reply is, byte by byte, when nothing tidies the request up.
async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_planted_before_is_not_the_one_that_signs_in() {
    let (app, admin) = start().await;
    registered(&app, &admin, "mallory@north.example", &["viewer"]).await;
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let planted = login(&app, "mallory@north.example", PASSWORD).await.expect(200);
    let cookies = format!(
        "__Host-node0_access={}; __Host-node0_refresh={}; __Host-node0_csrf=x",
        text(&planted["access_token"]),
        text(&planted["refresh_token"])
    );
    let url = format!("http://{}/api/v1/auth/browser/login", app.server.address());
    let request = Client::new().post(url).header("cookie", cookies);
    let answer = send(request.json(&json!({"email": EMAIL, "password": PASSWORD}))).await;
    let fresh: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    assert_eq!(fresh.len(), 3, "every cookie is replaced: {fresh:?}");
    assert!(fresh.iter().all(|cookie| !cookie.contains(text(&planted["refresh_token"]))));
    let session = answer.expect(200);
    assert_ne!(session["session"], planted["session"]);
    assert_ne!(session["principal"], planted["principal"]);
    // Whoever planted it has their own session still, and no other.
    let mallory = refresh(&app, &planted["refresh_token"]).await.expect(200);
    assert_eq!(mallory["principal"], planted["principal"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_nobody_asked_for_are_refused_and_change_nothing() {
    let (app, admin) = start().await;
    let invite = json!({"email": EMAIL, "roles": ["viewer"]});
    let invited = admin.post("/api/v1/principals", &invite).await.expect(201);
    let register = |more: Value| {
        let mut body =
            json!({"display_name": "Ada", "password": PASSWORD, "token": invited["token"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for more in [
        json!({"roles": ["super_admin"]}),
        json!({"principal": "service-setup"}),
        json!({"kind": "service"}),
        json!({"email_verified": true}),
    ] {
        let refused = ask(&app, "/api/v1/auth/register", register(more.clone())).await;
        assert_eq!((refused.status, problem(&refused).as_str()), (422, "invalid-body"), "{more}");
    }
    ask(&app, "/api/v1/auth/register", register(json!({}))).await.expect(201);
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let ada = with(&app, text(&tokens["access_token"]));
    let key = json!({
        "expires_at": "2027-01-01T00:00:00Z", "label": "mine", "scopes": ["validator:read"],
        "principal": "service-setup",
    });
    let refused = ada.post("/api/v1/auth/api-keys", &key).await;
    assert_eq!(problem(&refused), "invalid-body", "a key of one's own is one's own");
    let roles = admin.get(&format!("/api/v1/principals/{}", text(&invited["principal"]))).await;
    assert_eq!(roles.expect(200)["roles"], json!(["viewer"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_from_many_addresses_meets_the_lock_of_the_account() {
    let app = TestApp::start_with(&[("trusted_proxies", "127.0.0.1")]).await;
    let admin = app.http();
    registered(&app, &admin, EMAIL, &["viewer"]).await;
    let url = format!("http://{}/api/v1/auth/login", app.server.address());
    let from = async |n: u32, password: &str| {
        let request = Client::new().post(&url).header("x-forwarded-for", format!("198.51.100.{n}"));
        send(request.json(&json!({"email": EMAIL, "password": password}))).await.status
    };
    for n in 1..=FAILURES_BEFORE_LOCK {
        assert_eq!(from(n, "a guess of many").await, 401);
        let recorded = async || told(&admin, "login-failed.v1").await == n as usize;
        eventually(recorded).await;
    }
    assert_eq!(told(&admin, "principal-locked.v1").await, 1);
    assert_eq!(from(200, PASSWORD).await, 401, "from an address that never guessed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_hundred_megabytes_is_not_kept() {
    let (app, http) = start().await;
    let piece = || Ok::<_, std::io::Error>(vec![b'x'; 1_000_000]);
    let pieces = stream::iter(std::iter::repeat_with(piece).take(100));
    let request = http.request(Method::POST, "/api/v1/transactions");
    let request = request.header("content-type", "application/json");
    // Refused, or cut off while it is still sending.
    if let Ok(answer) = Http::send(request.body(Body::wrap_stream(pieces))).await {
        assert_eq!((answer.status, problem(&answer).as_str()), (413, "body-too-large"));
    }
    http.get("/api/v1/auth/me").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_its_folder_and_none_adds_a_header() {
    let (app, _) = start().await;
    for path in [
        "/docs/../../../../etc/passwd",
        "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/....//....//etc/passwd",
        "/problems/..%2f..%2fetc%2fpasswd",
        "/api/v1/validators?operator=a%0d%0aset-cookie:%20planted=1",
        "/api/v1/validators?after=a%0d%0aset-cookie:%20planted=1",
        "/api/v1/%0d%0aset-cookie:%20planted=1",
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let reply = raw(&app, &request).await;
        let (head, _) = reply.split_once("\r\n\r\n").unwrap_or_default();
        assert!(!head.to_lowercase().contains("\nset-cookie"), "{path}: {head}");
        assert!(!reply.contains("root:"), "{path}");
        assert!(!reply.starts_with("HTTP/1.1 5"), "{path}: {head}");
    }
    // A head that is two is none.
    let smuggled = "GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\
                    transfer-encoding: chunked\r\nx-request-id: a\r\n b\r\n\r\n";
    assert!(raw(&app, smuggled).await.starts_with("HTTP/1.1 400"));
    app.stop().await;
}
