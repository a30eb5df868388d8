//! Sign-in by another's word, and sessions in cookies: a small OpenID Connect provider of the
//! test's own, honest and not, and a browser that keeps cookies.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap as Headers, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{
    app::TestApp,
    http::{Answer, Http},
};
use tokio::net::TcpListener;

use super::{
    identity::{EMAIL, PASSWORD, registered, text, told},
    problem,
};

const CLIENT: &str = "node0-test";
const SECRET: &str = "a secret of the client's";

/// A provider: whoever comes is `subject`.
#[derive(Clone)]
struct Provider {
    address: String,
    state: Arc<Mutex<Behaviour>>,
}

#[derive(Default)]
struct Behaviour {
    subject: String,
    /// What was asked for, by the code that was given.
    asked: HashMap<String, HashMap<String, String>>,
    /// What an ID token says otherwise than it should.
    lies: Option<Value>,
    /// Whether it is signed with a key that is not published, or not at all.
    forged: Option<&'static str>,
    exchanged: u32,
}

fn key(seed: u8) -> (EncodingKey, Value) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    // RFC 8410: PKCS #8 around the seed.
    let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
    der.extend([seed; 32]);
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": x});
    (EncodingKey::from_ed_der(&der), jwk)
}

impl Provider {
    async fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour { subject: "subject-1".to_owned(), ..Behaviour::default() };
        let provider = Provider { address, state: Arc::new(Mutex::new(behaviour)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/jwks", get(|| async { Json(json!({"keys": [key(1).1]})) }))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    async fn app(&self) -> TestApp {
        TestApp::start_with(&[
            ("oidc_issuer", &self.address),
            ("oidc_client_id", CLIENT),
            ("oidc_client_secret", SECRET),
        ])
        .await
    }

    fn lie(&self, lies: Value) {
        self.state.lock().unwrap().lies = Some(lies);
    }
}

async fn configuration(State(provider): State<Provider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.address);
    Json(json!({
        "issuer": provider.address, "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"), "jwks_uri": at("/jwks"),
    }))
}

async fn authorize(
    State(provider): State<Provider>,
    Query(asked): Query<HashMap<String, String>>,
) -> Redirect {
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
    let mut state = provider.state.lock().unwrap();
    let code = format!("code-{}", state.asked.len());
    let back = format!("{}?code={code}&state={}", asked["redirect_uri"], asked["state"]);
    state.asked.insert(code, asked);
    Redirect::to(&back)
}

async fn token(State(provider): State<Provider>, headers: Headers, body: String) -> Response {
    let form = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
    let form: HashMap<String, String> = form.query_pairs().into_owned().collect();
    let mut state = provider.state.lock().unwrap();
    let refused = |why: &str| {
        (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant", "why": why})))
            .into_response()
    };
    let encoded = |text: &str| text.replace('\'', "%27").replace(' ', "+");
    let basic = STANDARD.encode(format!("{CLIENT}:{}", encoded(SECRET)));
    if headers.get(header::AUTHORIZATION).unwrap() != &format!("Basic {basic}") {
        return refused("the client");
    }
    let Some(asked) = state.asked.remove(&form["code"]) else { return refused("the code") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    if challenge != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
        return refused("the verifier");
    }
    state.exchanged += 1;
    let now = chrono::Utc::now().timestamp();
    let mut claims = json!({
        "iss": provider.address, "aud": CLIENT, "sub": state.subject, "nonce": asked["nonce"],
        "iat": now, "exp": now + 300,
    });
    for (name, lie) in state.lies.take().iter().filter_map(Value::as_object).flatten() {
        claims[name] = lie.clone();
    }
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::EdDSA) };
    let id_token = match state.forged.take() {
        Some("none") => {
            let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(json!({"alg": "none", "kid": "k1"})), part(claims))
        }
        Some(_) => jsonwebtoken::encode(&header, &claims, &key(2).0).unwrap(),
        None => jsonwebtoken::encode(&header, &claims, &key(1).0).unwrap(),
    };
    let answer = json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token});
    Json(answer).into_response()
}

/// A browser: it keeps cookies, and says what a page of ours says.
#[derive(Clone, Default)]
struct Browser {
    cookies: HashMap<String, String>,
    client: reqwest::Client,
}

impl Browser {
    fn new() -> Browser {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Browser { client: client.build().unwrap(), cookies: HashMap::new() }
    }

    fn request(&self, app: &TestApp, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", app.server.address());
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client.request(method, url).header("cookie", cookies.join("; "))
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let answer = Http::send(request).await.unwrap();
        for cookie in answer.headers.get_all("set-cookie") {
            let text = cookie.to_str().unwrap();
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            match text.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    async fn get(&mut self, app: &TestApp, path: &str) -> Answer {
        self.send(self.request(app, Method::GET, path)).await
    }

    /// As a page of ours posts.
    async fn post(&mut self, app: &TestApp, path: &str, body: Option<Value>) -> Answer {
        let csrf = self.cookies.get("__Host-node0_csrf").cloned().unwrap_or_default();
        let request = self.request(app, Method::POST, path).header("x-csrf-token", csrf);
        self.send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Goes to the provider, and says where on our server it sends us back to.
    async fn visit(&self, location: &str) -> String {
        let there = Http::send(self.client.get(location)).await.unwrap();
        assert_eq!(there.status, 303, "{:#}", there.body);
        let back: reqwest::Url = there.header("location").parse().unwrap();
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    /// Signs in by the provider's word.
    async fn sign_in(&mut self, app: &TestApp) -> Answer {
        let begun = self.get(app, "/api/v1/auth/oidc/begin").await;
        assert_eq!(begun.status, 303, "{:#}", begun.body);
        let back = self.visit(begun.header("location")).await;
        self.get(app, &back).await
    }

    async fn login(&mut self, app: &TestApp) -> Answer {
        let body = json!({"email": EMAIL, "password": PASSWORD});
        self.post(app, "/api/v1/auth/browser/login", Some(body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_s_session_lives_in_cookies_and_another_site_cannot_use_it() {
    let app = TestApp::start().await;
    let ada = registered(&app, &app.http(), EMAIL, &["viewer"]).await;
    let mut browser = Browser::new();
    let began = browser.login(&app).await;
    assert_eq!(began.body["principal"], json!(ada));
    assert!(began.body.get("access_token").is_none(), "a page sees no token");
    let began = began.expect(200);
    assert_eq!(browser.cookies["__Host-node0_csrf"], text(&began["csrf_token"]));
    let me = browser.get(&app, "/api/v1/auth/me").await.expect(200);
    assert_eq!(me["principal"], json!(ada));

    // Another site makes the browser ask, but cannot read what must be repeated.
    let end = "/api/v1/auth/logout-everywhere";
    let forged = browser.request(&app, Method::POST, end);
    assert_eq!(problem(&Http::send(forged).await.unwrap()), "not-authenticated");
    let forged = browser.request(&app, Method::POST, end).header("x-csrf-token", "a guess");
    assert_eq!(Http::send(forged).await.unwrap().status, 401);
    let forged = browser.request(&app, Method::POST, "/api/v1/auth/browser/refresh");
    assert_eq!(Http::send(forged).await.unwrap().status, 401);
    let query = json!({"query": "{ validators { nodes { id } } }"});
    let forged = browser.request(&app, Method::POST, "/graphql").json(&query);
    assert_eq!(Http::send(forged).await.unwrap().status, 401);
    let socket = |origin: String| {
        let request = browser.request(&app, Method::GET, "/graphql").header("origin", origin);
        let request = request.header("upgrade", "websocket").header("connection", "upgrade");
        let request = request.header("sec-websocket-version", "13");
        request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send()
    };
    assert_eq!(socket("https://evil.example".to_owned()).await.unwrap().status(), 401);
    let own = socket(format!("http://{}", app.server.address())).await.unwrap();
    assert_eq!(own.status(), 101);
    drop(own);

    let before = browser.cookies["__Host-node0_access"].clone();
    let went_on = browser.post(&app, "/api/v1/auth/browser/refresh", None).await.expect(200);
    assert_eq!(went_on["session"], began["session"]);
    assert_ne!(browser.cookies["__Host-node0_access"], before);
    assert_eq!(browser.post(&app, "/graphql", Some(query)).await.status, 200);
    // A session that somebody else planted is not gone on with.
    let planted = browser.cookies.clone();
    let again = browser.login(&app).await.expect(200);
    assert_ne!(again["session"], began["session"]);
    assert_ne!(browser.cookies, planted);
    let ended = browser.post(&app, "/api/v1/auth/browser/logout", None).await;
    assert_eq!(ended.status, 204);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
    assert_eq!(browser.get(&app, "/api/v1/auth/me").await.status, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_linked_signs_in_by_the_provider_s_word() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    let admin = app.http();
    let ada = registered(&app, &admin, EMAIL, &["viewer"]).await;
    let mut browser = Browser::new();
    let stranger = Browser::new().sign_in(&app).await;
    assert_eq!((stranger.status, problem(&stranger).as_str()), (401, "not-authenticated"));
    browser.login(&app).await.expect(200);
    let link = browser.post(&app, "/api/v1/auth/oidc/link", None).await.expect(200);
    let back = browser.visit(text(&link["location"])).await;
    assert_eq!(browser.get(&app, &back).await.status, 303);
    assert_eq!(told(&admin, "oidc-linked.v1").await, 1);

    let mut other = Browser::new();
    let signed_in = other.sign_in(&app).await;
    assert_eq!((signed_in.status, signed_in.header("location")), (303, "/"));
    assert_eq!(other.get(&app, "/api/v1/auth/me").await.expect(200)["principal"], json!(ada));
    // Another account there is nobody here.
    provider.state.lock().unwrap().subject = "subject-2".to_owned();
    assert_eq!(Browser::new().sign_in(&app).await.status, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_invited_registers_without_a_password_by_the_provider_s_word() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    let admin = app.http();
    let body = json!({"email": EMAIL, "roles": ["viewer"]});
    let invited = admin.post("/api/v1/principals", &body).await.expect(201);
    let mut browser = Browser::new();
    let body = json!({"display_name": "Ada", "token": format!("{}x", text(&invited["token"]))});
    let path = "/api/v1/auth/oidc/register";
    let begun = browser.post(&app, path, Some(body)).await.expect(200);
    let back = browser.visit(text(&begun["location"])).await;
    assert_eq!(browser.get(&app, &back).await.status, 422, "a wrong token is told in the end");
    let body = json!({"display_name": "Ada", "token": invited["token"]});
    let begun = browser.post(&app, path, Some(body)).await.expect(200);
    let back = browser.visit(text(&begun["location"])).await;
    assert_eq!(browser.get(&app, &back).await.status, 303);
    let me = browser.get(&app, "/api/v1/auth/me").await.expect(200);
    assert_eq!(me["principal"], invited["principal"]);
    let login = browser.login(&app).await;
    assert_eq!(login.status, 401, "there is no password");
    Browser::new().sign_in(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_did_not_sign_for_us_now_about_this_sign_in_is_not_believed() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    registered(&app, &app.http(), EMAIL, &["viewer"]).await;
    let mut browser = Browser::new();
    browser.login(&app).await.expect(200);
    let link = browser.post(&app, "/api/v1/auth/oidc/link", None).await.expect(200);
    let back = browser.visit(text(&link["location"])).await;
    assert_eq!(browser.get(&app, &back).await.status, 303);

    let hour_ago = chrono::Utc::now().timestamp() - 3_600;
    for lie in [
        json!({"nonce": "of another sign-in"}),
        json!({"nonce": null}),
        json!({"aud": "another client"}),
        json!({"iss": "https://elsewhere.example"}),
        json!({"exp": hour_ago}),
        json!({"nbf": hour_ago + 7_200}),
        json!({"sub": null}),
    ] {
        provider.lie(lie.clone());
        assert_eq!(Browser::new().sign_in(&app).await.status, 401, "{lie}");
    }
    for forged in ["none", "another key"] {
        provider.state.lock().unwrap().forged = Some(forged);
        assert_eq!(Browser::new().sign_in(&app).await.status, 401, "{forged}");
    }
    // Whoever begins a sign-in and lets another's browser end it, signs nobody in.
    let mut mallory = Browser::new();
    let begun = mallory.get(&app, "/api/v1/auth/oidc/begin").await;
    let back = mallory.visit(begun.header("location")).await;
    let exchanged = provider.state.lock().unwrap().exchanged;
    let mut victim = Browser::new();
    assert_eq!(victim.get(&app, &back).await.status, 401);
    assert!(victim.cookies.keys().all(|name| name.ends_with("_oidc")), "{:?}", victim.cookies);
    assert_eq!(provider.state.lock().unwrap().exchanged, exchanged, "the code was not used");
    assert_eq!(mallory.clone().get(&app, &back).await.status, 303);
    assert_eq!(mallory.get(&app, &back).await.status, 401, "a sign-in ends once");
    let denied = "/api/v1/auth/oidc/callback?error=access_denied&state=x";
    assert_eq!(mallory.get(&app, denied).await.status, 401);
    assert_eq!(mallory.get(&app, "/api/v1/auth/oidc/callback?state=x").await.status, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_is_left_alone_and_passwords_go_on_to_do() {
    let settings = [("oidc_issuer", "http://127.0.0.1:9"), ("oidc_client_id", CLIENT)];
    let app = TestApp::start_with(&settings).await;
    registered(&app, &app.http(), EMAIL, &["viewer"]).await;
    for _ in 0..3 {
        let away = Browser::new().get(&app, "/api/v1/auth/oidc/begin").await;
        assert_eq!((away.status, problem(&away).as_str()), (503, "issuer-unavailable"));
        assert!(!away.header("retry-after").is_empty());
    }
    let began = std::time::Instant::now();
    assert_eq!(Browser::new().get(&app, "/api/v1/auth/oidc/begin").await.status, 503);
    assert!(began.elapsed() < std::time::Duration::from_millis(150), "it is not even tried");
    Browser::new().login(&app).await.expect(200);
    app.stop().await;
    let app = TestApp::start().await;
    let none = Browser::new().get(&app, "/api/v1/auth/oidc/begin").await;
    assert_eq!((none.status, problem(&none).as_str()), (404, "not-configured"));
    app.stop().await;
}
