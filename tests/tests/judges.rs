//! Judges and clients of other people: what they say of the interface, and whether they can use it.
//!
//! Does not know what they look at: `tests/judges` runs them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tests::{
    app::TestApp,
    node0::{TOKEN, program},
};

fn judges() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("judges")
}

/// Runs a program beside the judges; what it said, when it ended well.
async fn run(mut command: Command) -> String {
    command.current_dir(judges()).env("TOKEN", TOKEN).env("REDOCLY_TELEMETRY", "off");
    let run = tokio::task::spawn_blocking(move || command.output());
    let Output { status, stdout, stderr } =
        run.await.expect("no panic").expect("it is installed: make prepares it");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{said}\n{}", String::from_utf8_lossy(&stderr));
    said
}

/// Runs a script of the judges' on a server.
async fn script(name: &str, app: &TestApp) -> Vec<Value> {
    let mut command = Command::new("node");
    command.arg(name).arg(format!("http://{}", app.server.address()));
    let said = run(command).await;
    said.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_of_graphql_over_http_finds_nothing() {
    let app = TestApp::start().await;
    let told = script("audit.js", &app).await;
    assert_eq!(told, [json!({"audits": 61, "unwell": 0})]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_clients_in_javascript_query_command_and_subscribe() {
    let app = TestApp::start().await;
    let told = script("clients.js", &app).await;
    let names: Vec<&str> = told.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["graphql-ws", "graphql-sse", "urql", "apollo"]);
    for one in &told {
        let key = format!("client.{}", one["name"].as_str().unwrap().replace('-', "_"));
        assert_eq!((&one["asked"], &one["heard"]), (&json!(key), &json!(key)), "{one}");
        assert_eq!(one["shown"], true);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_python_queries_commands_and_subscribes() {
    let app = TestApp::start().await;
    let libraries = env::temp_dir().join(format!("node0-gql-{}", app.database.name()));
    let mut made = Command::new("python3");
    made.args(["-m", "venv"]).arg(&libraries);
    run(made).await;
    let wheels = Path::new(program().get_program()).parent().unwrap().with_file_name("wheels");
    let mut installed = Command::new(libraries.join("bin/pip"));
    installed.args(["install", "--quiet", "--no-index", "--find-links"]).arg(wheels);
    installed.args(["--requirement", "../../examples/python/requirements.txt"]);
    run(installed).await;
    let mut client = Command::new(libraries.join("bin/python"));
    client.arg("client.py").arg(format!("http://{}", app.server.address()));
    let told: Value = serde_json::from_str(&run(client).await).unwrap();
    let shown = json!({"asked": "client.gql", "heard": "client.gql", "name": "gql", "shown": true});
    assert_eq!(told, shown);
    fs::remove_dir_all(&libraries).unwrap_or_default();
    app.stop().await;
}

/// Lints the committed contract, and a contract that is wrong: a judge that cannot say no is none.
async fn lint(linter: &str, arguments: &[&str]) {
    let lint = |document: &Path| {
        let mut command = Command::new(format!("node_modules/.bin/{linter}"));
        command.arg("lint").arg(document).args(arguments);
        command
    };
    run(lint(Path::new("../../api/contract/openapi.json"))).await;
    let operation = json!({"operationId": "again", "responses": {"200": {"description": "Done."}}});
    let wrong = json!({
        "openapi": "3.1.0", "info": {"title": "Wrong", "version": "1"},
        "paths": {"/one": {"get": operation}, "/other": {"get": operation}},
    });
    let name = format!("node0-wrong-{linter}-{}.json", std::process::id());
    let file = env::temp_dir().join(name);
    fs::write(&file, wrong.to_string()).unwrap();
    let mut command = lint(&file);
    command.current_dir(judges());
    let judged = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    fs::remove_file(&file).unwrap();
    let said = String::from_utf8_lossy(&judged.stdout).to_string()
        + &String::from_utf8_lossy(&judged.stderr);
    assert!(!judged.status.success() && said.contains("unique"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redocly_finds_no_fault_in_the_contract() {
    lint("redocly", &["--config", "redocly.yaml", "--format", "stylish"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spectral_finds_no_fault_in_the_contract() {
    lint("spectral", &["--ruleset", "spectral.yaml", "--fail-severity", "warn"]).await;
}
