//! The server as a process among others: a second one, a killed one, a full disk, a taken port, an
//! orderly end.
//!
//! Does not know what is asked of it, beyond a health check and one command.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use rustix::process::Signal;
use tests::{
    database::TestDatabase,
    http::Http,
    keys::ValidatorKey,
    node0::{Node0, complaint, program, run},
    own_cluster::{OwnCluster, SmallDisk},
};

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A registration of one validator, to be sent as often as one likes: its key makes it one command.
fn registration(http: &Http, number: u64) -> reqwest::RequestBuilder {
    let chain = "serving-1".parse().expect("a chain id");
    let command = ValidatorKey::number(number).register(&chain);
    let mut body = serde_json::to_value(command).expect("JSON");
    body.as_object_mut().expect("an object").remove("command");
    let request = http.request(Method::POST, "/api/v1/validators").json(&body);
    request.header("idempotency-key", format!("register-{number}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_is_told_which_process_holds_it() {
    let own = OwnCluster::initialised();
    let first = Node0::on_folder(own.folder());
    let data = own.folder().to_str().unwrap();
    let second = run(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert_eq!(second.status.code(), Some(3));
    let said = complaint(&second);
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    assert!(said.contains("--data"), "{said}");
    first.http().get("/readyz").await.expect(200);
    assert!(first.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_before_any_data_is_touched() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let own = OwnCluster::empty();
    let data = own.folder().to_str().unwrap();
    let output = run(["serve", "--listen", &address, "--data", data]);
    assert_eq!(output.status.code(), Some(3));
    let said = complaint(&output);
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    assert_eq!(fs::read_dir(own.folder()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_followed_by_one_that_has_everything() {
    let own = OwnCluster::initialised();
    let first = Node0::on_folder(own.folder());
    let told = Http::send(registration(&first.http(), 1)).await.unwrap().expect(201);
    first.kill();
    assert!(own.postgres_processes() > 1, "its PostgreSQL is still there");
    let second = Node0::on_folder(own.folder());
    let again = Http::send(registration(&second.http(), 1)).await.unwrap();
    assert_eq!(again.body["position"], told["position"], "the same answer to the same key");
    assert_eq!(again.body["events"], told["events"]);
    assert!(second.stop().success());
    assert_eq!(own.postgres_processes(), 0, "nothing is left behind after an orderly end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_database_is_answered_with_503_and_passes_by_itself() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    Http::send(registration(&http, 1)).await.unwrap().expect(201);
    own.kill_postgres();
    let during = Http::send(registration(&http, 2)).await.unwrap();
    assert!([201, 503].contains(&during.status), "{}: {:#}", during.status, during.body);
    if during.status == 503 {
        assert!(!during.header("retry-after").is_empty(), "{:?}", during.headers);
        Http::until(201, PATIENCE, || registration(&http, 2)).await;
    }
    assert!(server.log().contains("has fallen"), "{}", server.log());
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_full_disk_says_so_and_goes_on_when_there_is_room_again() {
    let own = OwnCluster::empty();
    let Some(_disk) = SmallDisk::mount(own.folder(), "size=300m,mode=755") else { return };
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    Http::send(registration(&http, 1)).await.unwrap().expect(201);
    fill(&own.folder().join("ballast"));
    // What is written already has its place; sooner or later the log needs a new one.
    let mut number = 2;
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        let answer = Http::send(registration(&http, number)).await.unwrap();
        match answer.status {
            201 => number += 1,
            503 => break answer,
            status => panic!("{status}: {:#}", answer.body),
        }
        assert!(Instant::now() < deadline, "the disk is full and {number} were written");
    };
    assert!(!refused.header("retry-after").is_empty());
    fs::remove_file(own.folder().join("ballast")).unwrap();
    Http::until(201, PATIENCE, || registration(&http, number)).await;
    for known in 1..number {
        let answer = Http::send(registration(&http, known)).await.unwrap();
        assert_eq!(answer.status, 201, "{known} is kept: {:#}", answer.body);
    }
    assert!(server.stop().success());
}

/// Takes all the room there is.
fn fill(file: &Path) {
    let status = Command::new("dd")
        .args(["if=/dev/zero", "bs=1M"])
        .arg(format!("of={}", file.display()))
        .stderr(std::process::Stdio::null())
        .status();
    assert!(!status.unwrap().success(), "dd ends when there is no room left");
}

#[test]
fn a_server_that_cannot_begin_on_a_full_disk_says_what_to_do() {
    let own = OwnCluster::empty();
    let Some(_disk) = SmallDisk::mount(own.folder(), "size=20m,mode=755") else { return };
    let data = own.folder().to_str().unwrap();
    let output = run(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert_eq!(output.status.code(), Some(3));
    let said = complaint(&output);
    assert!(said.contains("full") && said.contains("Free some space"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_cut_when_a_server_is_asked_to_stop() {
    const CLIENTS: u32 = 16;
    let database = TestDatabase::create().await;
    let server = Node0::on_database(&database.url());
    let answered = Arc::new(AtomicU32::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let (http, answered) = (server.http(), Arc::clone(&answered));
        clients.spawn(async move {
            for number in 0.. {
                let request = registration(&http, u64::from(client) * 1_000_000 + number);
                match Http::send(request).await {
                    Ok(answer) if answer.status == 201 => answered.fetch_add(1, Ordering::Relaxed),
                    // It says itself that it stops: nothing more is sent.
                    Ok(answer) if answer.status == 503 => return,
                    Ok(answer) => panic!("{}: {:#}", answer.status, answer.body),
                    Err(error) => panic!("a request was cut: {error:?}"),
                };
            }
        });
    }
    let deadline = Instant::now() + PATIENCE;
    while answered.load(Ordering::Relaxed) < CLIENTS * 4 {
        assert!(Instant::now() < deadline, "the clients are not answered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.signal(Signal::TERM);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert!(server.wait().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_master_key_a_server_says_how_to_make_one_and_does_not_start() {
    let database = TestDatabase::create().await;
    let output = run(["--database-url", &database.url(), "serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3));
    let said = complaint(&output);
    assert!(
        said.contains("openssl rand -base64 32") && said.contains("NODE0_MASTER_KEY"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_first_start_s_link_is_the_super_admin_and_nobody_else_is() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let start = || {
        let mut command = program();
        command.args(["--database-url", &url]);
        Node0::serve_as_it_is(&mut command)
    };
    let before = start();
    let older = before.setup_token().expect("nobody can sign in").to_owned();
    assert!(before.stop().success());

    let first = start();
    let token = first.setup_token().expect("still nobody can").to_owned();
    let stranger = Http::new(first.address().to_owned(), token.clone());
    assert_eq!(Http::send(registration(&stranger, 1)).await.unwrap().status, 401);
    let follow = |token: &str, password: &str| {
        let body = serde_json::json!({
            "display_name": "Ada", "email": "ada@north.example", "password": password,
            "token": token,
        });
        let url = format!("{}/api/v1/auth/set-up", first.address());
        Http::send(reqwest::Client::new().post(url).json(&body))
    };
    let password = "correct horse battery staple";
    assert_eq!(follow(&older, password).await.unwrap().status, 422, "a newer one is there");
    assert_eq!(follow(&token, "short").await.unwrap().status, 422, "the link stays good");
    let (one, other) = tokio::join!(follow(&token, password), follow(&token, password));
    let mut statuses = [one.as_ref().unwrap().status, other.as_ref().unwrap().status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422], "a link is good once");
    let tokens = [one, other].into_iter().flatten().find(|answer| answer.status == 200).unwrap();
    let access = tokens.body["access_token"].as_str().unwrap().to_owned();
    let owner = Http::new(first.address().to_owned(), access.clone());
    Http::send(registration(&owner, 1)).await.unwrap().expect(201);
    assert!(!first.log().contains(&token), "the token is not in the log");
    assert!(!first.log().contains(&access), "no token is");
    assert!(first.stop().success());

    let second = start();
    assert_eq!(second.setup_token(), None, "somebody can sign in");
    let owner = Http::new(second.address().to_owned(), access);
    Http::send(registration(&owner, 2)).await.unwrap().expect(201);
    assert!(second.stop().success());
}
