//! The continuous audit of read models: what is as the log makes it is said to be, and a row that
//! somebody changed, added or removed is named, in an alert as well, until it is mended.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tests::{app::TestApp, http::Http, network};

use super::{past::at_rest, problem, register, shown, validator};

const AUDIT: &str = "/api/v1/audit";
/// Looks every second, and at as much as there is.
const EAGER: [(&str, &str); 2] = [("audit_interval_s", "1"), ("audit_events_per_s", "1000000")];

/// Waits until all read models were compared with what the log makes of so many events at least.
async fn compared(http: &Http, least: u64) -> Value {
    let reaches = |model: &Value| {
        let position = model["position"].as_str().and_then(|text| text.parse::<u64>().ok());
        position.is_some_and(|position| position >= least)
    };
    let all = |audit: &Value| {
        let models = audit["read_models"].as_array().unwrap();
        !models.is_empty() && models.iter().all(reaches)
    };
    shown(http, AUDIT, all).await
}

async fn until_found(http: &Http, count: usize) -> Vec<Value> {
    let is_so = |audit: &Value| audit["differences"].as_array().unwrap().len() == count;
    shown(http, AUDIT, is_so).await["differences"].as_array().unwrap().clone()
}

/// A little of everything that read models are made of.
async fn much(app: &TestApp, http: &Http) {
    let commands = app.server.commands();
    network::begin(commands).await;
    register(http, 1..=3).await;
    network::one_height(commands, 1).await;
    let paid = network::transfer(1, 0, network::sender(2).address(), 500, 10);
    network::submit(commands, &paid).await;
    network::one_height(commands, 2).await;
    let waits = network::transfer(1, 1, network::sender(2).address(), 5, 10);
    network::submit(commands, &waits).await;
    let value = json!({"queries": 600});
    for (path, body) in [
        (format!("{}/bond", validator(1)), json!({"amount": "500"})),
        ("/api/v1/flags/flag_1/create-flag".to_owned(), json!({"description": "first"})),
        ("/api/v1/flags/flag_2/create-flag".to_owned(), json!({"description": "second"})),
        (
            "/api/v1/settings/server.rate_limits/propose".to_owned(),
            json!({"reason": "as a test", "value": value}),
        ),
    ] {
        http.post(&path, &body).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_what_the_log_makes_of_it_is_named_until_it_is_mended() {
    let watching = [("monitor_ms", "100"), ("default_rules", "true")];
    let app = TestApp::start_with(&[&EAGER[..], &watching[..]].concat()).await;
    let http = app.http();
    much(&app, &http).await;
    let audit = compared(&http, at_rest(&app).await).await;
    assert_eq!((&audit["differences"], &audit["error"]), (&json!([]), &Value::Null));
    let rows = |name: &str| {
        let models = audit["read_models"].as_array().unwrap().iter();
        let model = models.into_iter().find(|model| model["name"] == name).unwrap();
        model["rows"].as_str().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((rows("flags"), rows("validators")), (2, 3));
    let empty = projections::all().into_iter().map(|one| one.name()).filter(|one| rows(one) == 0);
    let empty: Vec<&str> = empty.collect();
    assert!(empty.len() < 8, "{empty:?}");

    let tables = PgPool::connect(&app.database.url()).await.unwrap();
    for change in [
        "update validators_v1.validators set power = power + 1, moniker = 'another'
          where address = (select address from validators_v1.validators order by 1 limit 1)",
        "delete from flags_v1.flags where key = 'flag_1'",
        "insert into accounts_v1.accounts values ('\\x01', 1000000, 0, 1)",
        "update alert_rules_v1.rows set row = jsonb_set(row, '{title}', '\"harmless\"')
          where id = 'disk-used'",
    ] {
        assert_eq!(sqlx::query(change).execute(&tables).await.unwrap().rows_affected(), 1);
    }
    let found = until_found(&http, 4).await;
    let of = |model: &str| {
        let row = found.iter().map(|one| &one["row"]).find(|row| row["read_model"] == model);
        row.unwrap_or_else(|| panic!("{model}: {found:#?}"))
    };
    let changed = of("validators");
    assert_eq!(changed["fault"], "changed");
    let columns: Vec<&str> = changed["columns"].as_array().unwrap().iter().map(column).collect();
    assert_eq!(columns, ["moniker", "power"]);
    assert_eq!(changed["columns"][0]["in_use"], "\"another\"");
    let (missing, unexpected) = (of("flags"), of("accounts"));
    assert_eq!((&missing["fault"], &missing["key"]), (&json!("missing"), &json!(FLAG_KEY)));
    assert_eq!(unexpected["fault"], "unexpected");
    assert_eq!(unexpected["key"], json!(r#"{"address": "\\x01"}"#));
    assert_eq!(of("alert_rules")["columns"][0]["column"], "row");

    let first = found[0]["sentence"].as_str().unwrap();
    let alert = |standing: &'static str| move |alert: &Value| alert["standing"] == standing;
    let raised = shown(&http, "/api/v1/alerts/audit-divergence", alert("firing")).await;
    let summary = raised["summary"].as_str().unwrap();
    assert!(summary.contains(&first[..60]), "{summary}\n{first}");
    let told = http.graphql("{ audit { differences { sentence } } }", json!({})).await;
    assert_eq!(told["audit"]["differences"][0]["sentence"], first);

    for model in ["validators", "flags", "accounts", "alert_rules"] {
        let rebuild = format!("/api/v1/projections/{model}/rebuild");
        assert!(http.post(&rebuild, &json!({})).await.status < 300);
    }
    until_found(&http, 0).await;
    shown(&http, "/api/v1/alerts/audit-divergence", alert("resolved")).await;
    tables.close().await;
    app.stop().await;
}

const FLAG_KEY: &str = r#"{"key": "flag_1"}"#;

fn column(one: &Value) -> &str {
    one["column"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_create_databases_is_told_of_by_all_that_needs_one() {
    let app = TestApp::start().await;
    let (name, url) = (app.database.name().to_owned(), app.database.url());
    let TestApp { server, database } = app;
    server.stop().await.unwrap();
    let user = format!("{name}_user");
    let tables = PgPool::connect(&url).await.unwrap();
    let allow = format!(
        "create role {user} login;
         grant create on schema public to {user};
         do $$
         declare one text;
         begin
             for one in select nspname from pg_namespace
                         where nspname !~ '^pg_' and nspname <> 'information_schema' loop
                 execute format('grant usage on schema %I to {user}', one);
                 execute format('grant all on all tables in schema %I to {user}', one);
                 execute format('grant all on all sequences in schema %I to {user}', one);
             end loop;
         end $$;"
    );
    sqlx::raw_sql(AssertSqlSafe(allow)).execute(&tables).await.unwrap();
    let theirs = url.replacen("//node0@", &format!("//{user}@"), 1);
    assert_ne!(theirs, url);
    let settings = [&EAGER[..], &[("database_url", theirs.as_str())]].concat();
    let app = TestApp::start_on(database, &settings).await;
    let http = app.http();
    let audit = shown(&http, AUDIT, |audit| !audit["error"].is_null()).await;
    let wanted = format!("ALTER ROLE {user} CREATEDB");
    assert!(audit["error"].as_str().unwrap().contains(&wanted), "{audit:#}");
    let then = http.get("/api/v1/flags/flag_1?as_of=1").await;
    assert_eq!(problem(&then), "not-configured");
    assert!(then.body["detail"].as_str().unwrap().contains(&wanted), "{then:#?}");
    let replay = http.post("/api/v1/replays", &json!({})).await.expect(201);
    let path = format!("/api/v1/replays/{}", replay["id"].as_str().unwrap());
    let replay = shown(&http, &path, |replay| !replay["error"].is_null()).await;
    assert!(replay["error"].as_str().unwrap().contains(&wanted), "{replay:#}");
    let TestApp { server, database } = app;
    server.stop().await.unwrap();
    let forget = format!("drop owned by {user}; drop role {user};");
    sqlx::raw_sql(AssertSqlSafe(forget)).execute(&tables).await.unwrap();
    tables.close().await;
    drop(database);
}
