//! Connections: TLS with and without certificates of clients, heads that never end or are too
//! large, and more connections than there may be.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use agent::{Answer, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::json;
use tests::{
    app::TestApp,
    database::TestDatabase,
    node0::{self, Node0, TOKEN},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{register, send, start, validator};

/// An authority of a test's own, in a folder.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let folder = std::env::temp_dir().join(format!("node0-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    fn path(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    /// A certificate and its key for a name, each in a file.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str| self.folder.join(format!("{kind}.pem")).display().to_string();
        let (certificate_file, key_file) = (file("certificate"), file("key"));
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        (certificate_file, key_file)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// A client that trusts an authority, and shows a certificate.
fn client(authority: &Authority, shown: Option<&(String, String)>) -> reqwest::Client {
    let pem = fs::read(authority.path()).unwrap();
    let builder = reqwest::Client::builder()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).unwrap());
    match shown {
        None => builder,
        Some(files) => builder.identity(reqwest::Identity::from_pem(&both(files)).unwrap()),
    }
    .build()
    .unwrap()
}

fn both((certificate, key): &(String, String)) -> Vec<u8> {
    [fs::read(certificate).unwrap(), fs::read(key).unwrap()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_server_shows_its_certificate_and_plain_text_gets_nothing() {
    let authority = Authority::new("plain");
    let (certificate, key) = authority.issue("127.0.0.1");
    let settings = [("tls_certificate", certificate.as_str()), ("tls_key", key.as_str())];
    let app = TestApp::start_with(&settings).await;
    assert!(app.server.url().starts_with("https://"));
    let url = format!("{}/api/v1/validators", app.server.url());
    send(client(&authority, None).get(&url).bearer_auth(TOKEN)).await.expect(200);
    let other = Authority::new("other");
    assert!(client(&other, None).get(&url).send().await.is_err(), "another authority's word");
    let plain = format!("http://{}/livez", app.server.address());
    assert!(reqwest::get(plain).await.is_err());
    // A peer that does not say a word in TLS keeps nobody else waiting.
    let mut silent = TcpStream::connect(app.server.address()).await.unwrap();
    send(client(&authority, None).get(&url)).await.expect(200);
    silent.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_for_clients_only_who_shows_its_certificate_is_talked_to() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (certificate, key) = servers.issue("127.0.0.1");
    let authority = clients.path();
    let settings = [
        ("tls_certificate", certificate.as_str()),
        ("tls_key", key.as_str()),
        ("tls_client_ca", authority.as_str()),
    ];
    let app = TestApp::start_with(&settings).await;
    let url = format!("{}/livez", app.server.url());
    assert!(client(&servers, None).get(&url).send().await.is_err(), "no certificate");
    let others = Authority::new("foreign");
    let foreign = others.issue("validator");
    assert!(client(&servers, Some(&foreign)).get(&url).send().await.is_err());
    let good = clients.issue("validator");
    send(client(&servers, Some(&good)).get(&url)).await.expect(200);
    // A validator speaks the same.
    let trust = Trust {
        authorities: Some(fs::read(Path::new(&servers.path())).unwrap()),
        identity: Some(both(&good)),
    };
    let server = agent::Server::new(app.server.url(), TOKEN, &trust).unwrap();
    let answer = server.post(&format!("{}/bond", validator(1)), &json!({"amount": "1"})).await;
    assert!(matches!(answer, Answer::Refused(_)), "there is no such validator: {answer:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_are_cut_and_harm_nobody() {
    const LORISES: usize = 200;
    let app = TestApp::start_with(&[("head_ms_max", "1500")]).await;
    let http = app.http();
    register(&http, 1..2).await;
    let began = Instant::now();
    let mut lorises = tokio::task::JoinSet::new();
    for _ in 0..LORISES {
        let mut stream = TcpStream::connect(app.server.address()).await.unwrap();
        lorises.spawn(async move {
            stream.write_all(b"GET /api/v1/validators HTTP/1.1\r\nhost: x\r\n").await.unwrap();
            // A byte now and then, for as long as it is let.
            while stream.write_all(b"x-a: b\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(began.elapsed() < Duration::from_secs(20), "it is never cut");
            }
        });
    }
    let asked = Instant::now();
    http.get("/api/v1/validators").await.expect(200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    while let Some(loris) = lorises.join_next().await {
        loris.unwrap();
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let (app, http) = start().await;
    let mut stream = TcpStream::connect(app.server.address()).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ").await.unwrap();
    // It may be cut before all is sent.
    stream.write_all(&vec![b'a'; 1 << 20]).await.unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
    http.get("/livez").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_may_be_wait_for_their_turn() {
    let app = TestApp::start_with(&[("connections_max", "2"), ("head_ms_max", "1000")]).await;
    let address = app.server.address();
    let idle: Vec<TcpStream> = futures::future::join_all(
        (0..2).map(|_| async { TcpStream::connect(address).await.unwrap() }),
    )
    .await;
    let http = app.http();
    let began = Instant::now();
    http.get("/livez").await.expect(200);
    assert!(began.elapsed() > Duration::from_millis(500), "it came after one that was cut");
    drop(idle);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_begins_with_few_files_opens_as_many_as_it_is_granted() {
    const FEW: usize = 128;
    let database = TestDatabase::create().await;
    let limit = format!("ulimit -Sn {FEW}; exec \"$0\" \"$@\"");
    let mut limited = node0::program_under(&["sh", "-c", &limit]);
    let server = Node0::serve(limited.args(["--database-url", &database.url()]));
    let address = server.address().strip_prefix("http://").unwrap();
    let connect = |_| async { TcpStream::connect(address).await.unwrap() };
    let idle = futures::future::join_all((0..2 * FEW).map(connect)).await;
    server.http().get("/readyz").await.expect(200);
    drop(idle);
    assert!(server.stop().success());
}
