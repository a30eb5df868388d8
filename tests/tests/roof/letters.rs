//! Letters: a real SMTP conversation with a mail server of the test's own, and links that are
//! good once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use tests::{app::TestApp, http::Http};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::identity::{EMAIL, PASSWORD, ask, eventually, login, registered, text, told, with};
use super::monitoring::tell_all;

/// A mail server that keeps what it is given.
#[derive(Clone, Default)]
struct MailServer {
    letters: Arc<Mutex<Vec<String>>>,
    /// So many conversations it breaks off before it takes a letter.
    breaks_off: Arc<AtomicU32>,
}

impl MailServer {
    /// Listens, and says where.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.converse(stream).await });
            }
        });
        format!("smtp://{address}")
    }

    /// A conversation as in RFC 5321, appendix D; none when the client goes away.
    async fn converse(&self, stream: tokio::net::TcpStream) -> Option<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let still = |n: u32| n.checked_sub(1);
        if self.breaks_off.fetch_update(Ordering::Relaxed, Ordering::Relaxed, still).is_ok() {
            return None;
        }
        writer.write_all(b"220 test\r\n").await.ok()?;
        loop {
            let line = lines.next_line().await.ok()??;
            let said = line.to_uppercase();
            if said.starts_with("QUIT") {
                return writer.write_all(b"221 bye\r\n").await.ok();
            }
            if said != "DATA" {
                writer.write_all(b"250 ok\r\n").await.ok()?;
                continue;
            }
            writer.write_all(b"354 go on\r\n").await.ok()?;
            let mut letter = String::new();
            loop {
                let line = lines.next_line().await.ok()??;
                if line == "." {
                    break;
                }
                letter += &line;
                letter.push('\n');
            }
            self.letters.lock().unwrap().push(letter);
            writer.write_all(b"250 taken\r\n").await.ok()?;
        }
    }

    /// The token in the n-th letter, once it is there.
    async fn token(&self, n: usize) -> String {
        eventually(|| async { self.letters.lock().unwrap().len() > n }).await;
        let letter = self.letters.lock().unwrap()[n].clone();
        // Long lines are wrapped (RFC 2045, 6.7).
        let letter = letter.replace("=\n", "");
        let line = letter.lines().find_map(|line| line.strip_prefix("    "));
        line.unwrap_or_else(|| panic!("no token in {letter}")).trim().to_owned()
    }
}

async fn with_mail() -> (MailServer, TestApp, Http) {
    let server = MailServer::default();
    let url = server.start().await;
    let settings = [("smtp_url", url.as_str()), ("mail_from", "Node-0 <node0@north.example>")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.http();
    (server, app, admin)
}

async fn post(app: &TestApp, path: &str, body: Value) -> u16 {
    ask(app, path, body).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invited_get_their_link_by_mail_and_nobody_else_gets_it() {
    let (mail, app, admin) = with_mail().await;
    mail.breaks_off.store(1, Ordering::Relaxed);
    let invited = admin.post("/api/v1/principals", &json!({"email": EMAIL})).await.expect(201);
    assert_eq!(invited["token"], Value::Null);
    let token = mail.token(0).await;
    let body = json!({"display_name": "Ada", "password": PASSWORD, "token": token});
    ask(&app, "/api/v1/auth/register", body).await.expect(201);
    let letter = mail.letters.lock().unwrap()[0].clone();
    assert!(letter.contains("To: ada@north.example") && letter.contains("/api/v1/auth/register"));
    login(&app, EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_by_a_link_that_is_good_once() {
    let (mail, app, admin) = with_mail().await;
    let invited = admin.post("/api/v1/principals", &json!({"email": EMAIL})).await.expect(201);
    let body = json!({"display_name": "Ada", "password": PASSWORD, "token": mail.token(0).await});
    ask(&app, "/api/v1/auth/register", body).await.expect(201);
    let before = login(&app, EMAIL, PASSWORD).await.expect(200);
    let request = "/api/v1/auth/request-password-reset";
    // Nobody learns who has an account.
    assert_eq!(post(&app, request, json!({"email": "nobody@north.example"})).await, 204);
    assert_eq!(post(&app, request, json!({"email": EMAIL})).await, 204);
    let token = mail.token(1).await;
    let reset = "/api/v1/auth/reset-password";
    let new = "another horse, another battery";
    assert_eq!(post(&app, reset, json!({"token": token, "password": "short"})).await, 422);
    let forged = format!("{}x", text(&invited["principal"]));
    assert_eq!(post(&app, reset, json!({"token": forged, "password": new})).await, 422);
    assert_eq!(post(&app, reset, json!({"token": token, "password": new})).await, 204);
    assert_eq!(post(&app, reset, json!({"token": token, "password": new})).await, 422);
    assert_eq!(login(&app, EMAIL, PASSWORD).await.status, 401);
    let session = with(&app, text(&before["access_token"]));
    assert_eq!(session.get("/api/v1/auth/me").await.status, 401, "all sessions ended");
    login(&app, EMAIL, new).await.expect(200);
    assert_eq!(mail.letters.lock().unwrap().len(), 2, "nobody else was written to");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_their_mail_shows_it_by_a_link() {
    let (mail, app, admin) = with_mail().await;
    admin.post("/api/v1/principals", &json!({"email": EMAIL})).await.expect(201);
    let body = json!({"display_name": "Ada", "password": PASSWORD, "token": mail.token(0).await});
    let ada = ask(&app, "/api/v1/auth/register", body).await.expect(201);
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    let session = with(&app, text(&tokens["access_token"]));
    let request = "/api/v1/auth/request-email-verification";
    let other = session.post(request, &json!({"email": "other@north.example"})).await;
    assert_eq!(other.status, 422);
    assert_eq!(session.post(request, &json!({"email": EMAIL})).await.status, 204);
    let token = mail.token(1).await;
    let verify = "/api/v1/auth/verify-email";
    let mut later = token.splitn(3, '.').map(str::to_owned).collect::<Vec<_>>();
    later[1] = "99999999999".to_owned();
    assert_eq!(post(&app, verify, json!({"token": later.join(".")})).await, 422);
    assert_eq!(post(&app, verify, json!({"token": token})).await, 204);
    assert_eq!(post(&app, verify, json!({"token": token})).await, 204, "again changes nothing");
    assert_eq!(told(&admin, "email-verified.v1").await, 1);
    let path = format!("/api/v1/principals/{}", text(&ada["principal"]));
    assert_eq!(admin.get(&path).await.expect(200)["email_verified"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_there_is_is_listed_by_id_and_found_by_address() {
    let app = TestApp::start().await;
    let admin = app.http();
    let ada = registered(&app, &admin, EMAIL, &["viewer"]).await;
    for number in 0..3 {
        registered(&app, &admin, &format!("person-{number}@north.example"), &[]).await;
    }
    let all = admin.get("/api/v1/principals").await.expect(200);
    let ids: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|one| text(&one["principal"])).collect();
    assert_eq!(ids.len(), 5, "and the service that was set up: {ids:?}");
    assert!(ids.is_sorted());
    let mut paged = Vec::new();
    let mut path = "/api/v1/principals?first=2".to_owned();
    loop {
        let page = admin.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        paged.extend(items.iter().map(|one| text(&one["principal"]).to_owned()));
        let Some(next) = page["page"]["next"].as_str() else { break };
        path = format!("/api/v1/principals?first=2&after={next}");
    }
    assert_eq!(paged, ids);
    let found = admin.get(&format!("/api/v1/principals?email={EMAIL}")).await.expect(200);
    assert_eq!(found["items"][0]["principal"], json!(ada));
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let viewers = admin.get("/api/v1/principals?role=viewer&standing=active").await.expect(200);
    assert_eq!(viewers["items"].as_array().unwrap().len(), 1);
    let jailer = json!({"description": "jails", "permissions": ["validator:jail"]});
    admin.post("/api/v1/roles/jailer/define", &jailer).await.expect(200);
    let grant = format!("/api/v1/principals/{ada}/grant-role");
    admin.post(&grant, &json!({"role": "jailer"})).await.expect(200);
    let roles = admin.get("/api/v1/roles").await.expect(200);
    assert_eq!(roles["items"].as_array().unwrap().last().unwrap()["role"], "jailer");
    let retired = admin.post("/api/v1/roles/jailer/retire", &json!({})).await;
    assert_eq!(retired.status, 422, "somebody holds it");

    // Somebody signed in at three places ends one of them.
    let here = login(&app, EMAIL, PASSWORD).await.expect(200);
    let there = login(&app, EMAIL, PASSWORD).await.expect(200);
    let session = with(&app, text(&here["access_token"]));
    let own = session.get("/api/v1/auth/sessions").await.expect(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 2);
    let seen = admin.get(&format!("/api/v1/principals/{ada}/sessions")).await.expect(200);
    assert_eq!(seen["items"], own["items"]);
    let end = json!({"session": there["session"]});
    assert_eq!(session.post("/api/v1/auth/revoke-session", &end).await.status, 204);
    let ended = with(&app, text(&there["access_token"]));
    assert_eq!(ended.get("/api/v1/auth/me").await.status, 401);
    session.get("/api/v1/auth/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_named_is_told_of_alerts_by_mail_at_an_address_that_no_event_holds() {
    let server = MailServer::default();
    let url = server.start().await;
    let from = "Node-0 <node0@north.example>";
    let settings = [("smtp_url", url.as_str()), ("mail_from", from), ("monitor_ms", "100")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.http();
    admin.post("/api/v1/principals", &json!({"email": EMAIL})).await.expect(201);
    let token = server.token(0).await;
    let body = json!({"display_name": "Ada", "password": PASSWORD, "token": token});
    let ada = ask(&app, "/api/v1/auth/register", body).await.expect(201);
    let mails = json!([
        {"principal": ada["principal"], "severity": "critical"},
        {"principal": "user-nobody", "severity": "info"},
    ]);
    tell_all(&admin, json!({ "mails": mails })).await;
    let fire = |severity: &str, summary: &str| json!({"severity": severity, "source": {"kind": "program"}, "summary": summary});
    let fired = |alert: &str| format!("/api/v1/alerts/{alert}/fire");
    admin.post(&fired("small"), &fire("warning", "a small thing")).await.expect(200);
    admin.post(&fired("big"), &fire("critical", "the house burns")).await.expect(200);
    eventually(|| async { server.letters.lock().unwrap().len() == 2 }).await;
    let letter = server.letters.lock().unwrap()[1].replace("=\n", "");
    for word in
        ["To: ada@north.example", "[critical] big fired", "the house burns", "/api/v1/alerts/big"]
    {
        assert!(letter.contains(word), "{word} is not in {letter}");
    }
    let over = json!({"reason": "it was put out"});
    admin.post("/api/v1/alerts/big/resolve", &over).await.expect(200);
    eventually(|| async { server.letters.lock().unwrap().len() == 3 }).await;
    let letter = server.letters.lock().unwrap()[2].replace("=\n", "");
    assert!(letter.contains("big resolved") && letter.contains("it was put out"), "{letter}");
    let log = admin.get("/api/v1/events?first=100").await.expect(200).to_string();
    assert!(!log.contains(EMAIL), "no event names the address");
    app.stop().await;
}
