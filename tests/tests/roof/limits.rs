//! Limits: how often one may ask, across all servers; how much at once; and what is kept of who
//! came in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    operations::Class,
    rates::{Quotas, Rates},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::TestApp,
    database::TestDatabase,
    http::{Answer, Http},
    node0::Node0,
};

use super::{
    identity::{EMAIL, PASSWORD, ask, eventually, login, registered, text, with},
    locked, problem, register, send, start, validator,
};

/// The `RateLimit` field of a reply: what is left, and for how many seconds its window lasts.
fn left(answer: &Answer) -> (u32, u32) {
    let field = answer.header("ratelimit");
    let number = |name: &str| {
        let (_, rest) = field.split_once(&format!(";{name}=")).expect("a parameter");
        rest.split(';').next().unwrap().parse().expect("a number")
    };
    (number("r"), number("t"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_servers_grant_one_caller_together_is_the_limit_and_no_more() {
    const QUOTA: u32 = 50;
    let quota = QUOTA.to_string();
    let one = TestApp::start_with(&[("rate_commands_max", &quota)]).await;
    let (database, first) = (one.database.url(), one.http());
    register(&first, 1..2).await;
    let settings = [("database_url", database.as_str()), ("rate_commands_max", &quota)];
    let other = TestApp::start_with(&settings).await;
    let second = other.http();
    let began = Instant::now();
    let path = format!("{}/bond", validator(1));
    let bond = |http: &Http| {
        let request = http.request(Method::POST, &path).header("dry-run", "true");
        send(request.json(&json!({"amount": "1"})))
    };
    let all = (0..100).map(|n| bond(if n % 2 == 0 { &first } else { &second }));
    let answers = futures::future::join_all(all).await;
    let granted = answers.iter().filter(|answer| answer.status == 200).count() as u32;
    // The registration was one as well; in a new window a part of the one before is free again.
    let free_again = (began.elapsed().as_secs_f64() * f64::from(QUOTA) / 60.0).ceil() as u32;
    assert!((QUOTA - 1..=QUOTA - 1 + free_again).contains(&granted), "{granted}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((refused.status, problem(refused).as_str()), (429, "rate-limited"));
        let retry: u32 = refused.header("retry-after").parse().unwrap();
        assert!((1..=120).contains(&retry), "{retry}");
        assert_eq!(refused.header("ratelimit-policy"), format!("\"command\";q={quota};w=60"));
        assert_eq!(refused.body["quota"], QUOTA);
    }
    // Another class, and another caller, are not concerned.
    let seen = first.get("/api/v1/validators").await;
    let (remaining, lasts) = left(&seen);
    seen.expect(200);
    assert!(remaining > 50_000 && (1..=60).contains(&lasts));
    other.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_servers_take_in_advance_is_never_more_than_the_limit() {
    const QUOTA: u32 = 20_000;
    let database = TestDatabase::create().await;
    let app = TestApp::start_with(&[("database_url", &database.url())]).await;
    let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
    let quotas = Quotas { queries: QUOTA, commands: 0, consensus: 0, sign_ins: 0 };
    let servers: Vec<Arc<Rates>> =
        (0..3).map(|_| Arc::new(Rates::start(pool.clone(), quotas))).collect();
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for server in servers.iter().cycle().take(24) {
        let server = Arc::clone(server);
        callers.spawn(async move {
            let mut granted = 0;
            for _ in 0..2 * QUOTA / 24 {
                granted += u32::from(server.take(Class::Query, "somebody").await.is_ok());
            }
            granted
        });
    }
    let mut granted = 0;
    while let Some(part) = callers.join_next().await {
        granted += part.unwrap();
    }
    // Of the window before, a part is free again as time goes on.
    let free_again = (began.elapsed().as_secs_f64() * f64::from(QUOTA) / 60.0).ceil() as u32;
    assert!(granted <= QUOTA + free_again, "{granted}");
    assert!(granted >= QUOTA - 3 * QUOTA / 1_000, "{granted}");
    pool.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_passwords_or_keys_is_slowed_down_whoever_they_claim_to_be() {
    let app = TestApp::start_with(&[("rate_sign_ins_max", "5")]).await;
    let url = format!("http://{}/api/v1/auth/login", app.server.address());
    let mut statuses = Vec::new();
    for n in 0..7 {
        let guess = json!({"email": format!("user-{n}@north.example"), "password": "a guess"});
        // Nobody becomes somebody else by saying so.
        let forwarded = format!("198.51.100.{n}");
        let request = reqwest::Client::new().post(&url).header("x-forwarded-for", forwarded);
        statuses.push(send(request.json(&guess)).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
    let guess = with(&app, "nk_key-1_guess").get("/api/v1/validators").await;
    assert_eq!((guess.status, problem(&guess).as_str()), (429, "rate-limited"));
    // Who has a good key is not kept out by others behind the same address.
    app.http().get("/api/v1/validators").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_address_has_a_limit_of_its_own() {
    let settings = [("rate_sign_ins_max", "2"), ("trusted_proxies", "127.0.0.1, 10.0.0.1")];
    let app = TestApp::start_with(&settings).await;
    let url = format!("http://{}/api/v1/auth/login", app.server.address());
    let guess = async |from: &str| {
        let request = reqwest::Client::new().post(&url).header("x-forwarded-for", from);
        send(request.json(&json!({"email": EMAIL, "password": "a guess"}))).await.status
    };
    for from in ["198.51.100.1", "198.51.100.2", "2001:db8::1"] {
        let statuses = [guess(from).await, guess(from).await, guess(from).await];
        assert_eq!(statuses, [401, 401, 429], "{from}");
    }
    assert_eq!(guess("2001:db8::2").await, 429, "it is the same site");
    app.stop().await;
}

/// The access records that this asks for, once there are so many.
async fn records(auditor: &Http, query: &str, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = auditor.get(&format!("/api/v1/access-records?first=100&{query}")).await;
        let items = answer.expect(200)["items"].as_array().unwrap().clone();
        if items.len() >= count {
            return items;
        }
        assert!(Instant::now() < deadline, "{query}: {items:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_in_and_who_was_refused_is_recorded_for_auditors() {
    let (app, admin) = start().await;
    let ada = registered(&app, &admin, EMAIL, &["viewer"]).await;
    let auditor = admin.service("service-auditor", commands::Role::Auditor).await;
    let tokens = login(&app, EMAIL, PASSWORD).await.expect(200);
    assert_eq!(login(&app, EMAIL, "a guess of mine").await.status, 401);
    let session = with(&app, text(&tokens["access_token"]));
    assert_eq!(session.get("/api/v1/events").await.status, 403);
    auditor.get("/api/v1/events").await.expect(200);
    auditor.get("/api/v1/events").await.expect(200);

    let signed_in = records(&auditor, &format!("principal={ada}&operation=login"), 1).await;
    assert_eq!(signed_in.len(), 1);
    assert_eq!(signed_in[0]["outcome"], "allowed");
    assert_eq!(signed_in[0]["address"], "127.0.0.1");
    let failed = records(&auditor, "operation=login&outcome=refused", 1).await;
    assert_eq!(
        (&failed[0]["principal"], &failed[0]["problem"]),
        (&Value::Null, &json!("not-authenticated"))
    );
    let refused = records(&auditor, &format!("principal={ada}&outcome=refused"), 1).await;
    assert_eq!(refused[0]["operation"], "list-events");
    assert_eq!(refused[0]["problem"], "not-permitted");
    let by_key = records(&auditor, "principal=service-auditor&operation=list-events", 1).await;
    assert_eq!(by_key.len(), 1, "the same thing within a minute is one record: {by_key:#?}");
    assert!((1..=2).contains(&by_key[0]["count"].as_u64().unwrap()));
    assert!(text(&by_key[0]["api_key"]).starts_with("key-"));
    // What one may not see oneself.
    assert_eq!(session.get("/api/v1/access-records").await.status, 403);
    let bad = auditor.get("/api/v1/access-records?outcome=maybe&colour=red").await;
    assert_eq!(super::faults(&bad), ["colour", "outcome"]);
    // Pages do not overlap.
    let page = auditor.get("/api/v1/access-records?first=2").await.expect(200);
    let next = text(&page["page"]["next"]).to_owned();
    let after = auditor.get(&format!("/api/v1/access-records?first=2&after={next}")).await;
    assert_ne!(page["items"][1]["id"], after.expect(200)["items"][0]["id"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_records_go_after_their_days_unless_a_legal_hold_keeps_them() {
    let database = TestDatabase::create().await;
    let server = Node0::on_database(&database.url());
    let admin = server.http();
    for (name, held) in [("service-held", true), ("service-free", false)] {
        admin.service(name, commands::Role::Viewer).await;
        if held {
            let path = format!("/api/v1/principals/{name}/lay-legal-hold");
            admin.post(&path, &json!({"reason": "a case"})).await.expect(200);
        }
    }
    server.stop();
    let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
    let plant = "insert into access_records (first_at, last_at, count, principal, address, operation, outcome)
                 select now() - d, now() - d, 1, p, '192.0.2.7', 'planted', 'allowed'
                   from unnest(array[interval '91 days', interval '89 days']) d,
                        unnest(array['service-held', 'service-free', null]) p";
    sqlx::raw_sql(plant).execute(&pool).await.unwrap();
    let planted = async || {
        let rows = "select coalesce(principal, 'nobody') || ' ' || (now()::date - last_at::date)
                      from access_records where operation = 'planted' order by 1";
        sqlx::query_scalar::<_, String>(rows).fetch_all(&pool).await.unwrap()
    };
    assert_eq!(planted().await.len(), 6);
    let server = Node0::on_database(&database.url());
    let deadline = Instant::now() + Duration::from_secs(10);
    while planted().await.len() > 4 {
        assert!(Instant::now() < deadline, "{:?}", planted().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = ["nobody 89", "service-free 89", "service-held 89", "service-held 91"];
    assert_eq!(planted().await, kept);
    server.stop();
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_queries_is_shed_and_votes_commands_and_health_go_on() {
    let app = TestApp::start_with(&[("queries_in_flight_max", "2")]).await;
    let http = app.http();
    register(&http, 1..2).await;
    let table = locked(&app, "validators_v1.validators").await;
    let slow = |_| tokio::spawn(http.request(Method::GET, "/api/v1/validators").send());
    let slow: Vec<_> = (0..2).map(slow).collect();
    let under_way = async || {
        let text = http.get("/metrics").await.expect(200);
        let mut lines = text.as_str().unwrap().lines();
        let line = lines.find_map(|line| line.strip_prefix("node0_http_requests_in_flight "));
        line.unwrap().parse::<u32>().unwrap()
    };
    eventually(|| async { under_way().await == 3 }).await;
    let shed = http.get("/api/v1/validators").await;
    assert_eq!((shed.status, problem(&shed).as_str()), (503, "overloaded"));
    assert!(!shed.header("retry-after").is_empty());
    let body = json!({"amount": "1"});
    http.post(&format!("{}/bond", validator(1)), &body).await.expect(200);
    let vote = http.post("/api/v1/heights/roof-1-1/cast-vote", &json!({})).await;
    assert_eq!(vote.status, 403, "let in, and refused by the policy");
    http.get("/livez").await.expect(200);
    let wrong = ask(&app, "/api/v1/auth/login", json!({"email": EMAIL, "password": "x"})).await;
    assert_eq!(wrong.status, 401);
    table.rollback().await.unwrap();
    for one in slow {
        assert_eq!(one.await.unwrap().unwrap().status(), 200);
    }
    http.get("/api/v1/validators").await.expect(200);
    app.stop().await;
}
