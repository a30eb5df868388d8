//! The papers: every example of a guide is run as a newcomer would type it, and every test that a
//! security paper names is there.
//!
//! Does not judge their words.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use tests::{
    database::TestDatabase,
    http::Http,
    node0::{Node0, TOKEN, free_place, program},
    own_cluster::OwnCluster,
};

/// What stands between the outputs of two examples.
const BETWEEN: &str = "=====";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is typed, and what is answered when that is shown.
struct Example {
    script: String,
    answer: Option<Answer>,
}

/// What a guide shows as an answer.
enum Answer {
    /// An object with these members.
    Object(Value),
    /// At last lines that begin with these words.
    Lines(Vec<String>),
}

/// The examples of a guide, in its order.
fn examples(guide: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut fence: Option<(&str, String)> = None;
    for line in guide.lines() {
        match (&mut fence, line.strip_prefix("```")) {
            (None, Some(language)) => fence = Some((language, String::new())),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (Some(("sh", text)), Some(_)) => {
                let script = std::mem::take(text);
                examples.push(Example { script, answer: None });
                fence = None;
            }
            (Some(("json", text)), Some(_)) => {
                let shown = serde_json::from_str(text).unwrap_or_else(|error| {
                    panic!("an answer in the guide is not JSON: {error}\n{text}")
                });
                let last = examples.last_mut().expect("an answer follows an example");
                last.answer = Some(Answer::Object(shown));
                fence = None;
            }
            (Some(("text", text)), Some(_)) => {
                let words = text.lines().filter_map(|line| line.split(' ').next());
                let last = examples.last_mut().expect("an answer follows an example");
                last.answer = Some(Answer::Lines(words.map(str::to_owned).collect()));
                fence = None;
            }
            (Some(_), Some(_)) => fence = None,
            (None, None) => {}
        }
    }
    examples
}

/// Whether an answer has every member that the guide shows, each of its kind.
fn has(answer: &Value, shown: &Value, path: &str) {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => {
            for (name, value) in shown {
                let found = answer.get(name);
                let found = found.unwrap_or_else(|| panic!("{path}/{name} is not in {answer:?}"));
                has(found, value, &format!("{path}/{name}"));
            }
        }
        (Value::Array(shown), Value::Array(answer)) => {
            for (shown, answer) in shown.iter().zip(answer) {
                has(answer, shown, path);
            }
        }
        (Value::Null, _) => {}
        (shown, answer) => assert_eq!(
            std::mem::discriminant(shown),
            std::mem::discriminant(answer),
            "{path}: {shown} is shown, {answer} is answered"
        ),
    }
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// Types every example of guides in their order, in an empty folder, and compares what is answered
/// with what is shown.
fn run(guides: &[&str], least: usize, folder: &Folder, environment: &[(&str, &str)]) {
    fs::create_dir_all(&folder.0).unwrap();
    let examples: Vec<Example> = guides.iter().flat_map(|guide| examples(&read(guide))).collect();
    assert!(examples.len() >= least, "only {} examples were found", examples.len());
    let scripts: Vec<&str> = examples.iter().map(|example| example.script.as_str()).collect();
    let script = scripts.join(&format!("\nprintf '\\n{BETWEEN}\\n'\n"));
    let run = Command::new("sh")
        .args(["-eu", "-c", &script])
        .current_dir(&folder.0)
        .envs(environment.to_vec())
        .output()
        .expect("there is a shell");
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}\n{complaint}");
    let outputs: Vec<&str> = told.split(&format!("\n{BETWEEN}\n")).collect();
    assert_eq!(outputs.len(), examples.len(), "{told}");
    for (output, example) in outputs.iter().zip(&examples) {
        compare(output, example);
    }
}

fn compare(output: &str, example: &Example) {
    let script = &example.script;
    match &example.answer {
        None => {}
        Some(Answer::Object(shown)) => {
            let answer = serde_json::from_str(output.trim())
                .unwrap_or_else(|error| panic!("{error}: {script}\nanswers {output}"));
            has(&answer, shown, script);
        }
        Some(Answer::Lines(words)) => {
            let lines: Vec<&str> = output.trim().lines().collect();
            let last = lines.iter().rev().zip(words.iter().rev());
            let begin = last.filter(|(line, word)| line.starts_with(word.as_str()));
            assert_eq!(begin.count(), words.len(), "{script}\nanswers {output}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_guide_to_authentication_does_what_it_shows() {
    let database = TestDatabase::create().await;
    let server = Node0::serve_as_it_is(program().args(["--database-url", &database.url()]));
    let link = server.setup_token().expect("it starts for the first time").to_owned();
    let folder = Folder(std::env::temp_dir().join(format!("node0-guide-{}", database.name())));
    let environment = [("BASE", server.address()), ("LINK", link.as_str())];
    run(&["docs/api/authentication.md"], 15, &folder, &environment);
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_guide_to_the_api_does_what_it_shows() {
    let database = TestDatabase::create().await;
    let server = Node0::on_database(&database.url());
    let folder = Folder(std::env::temp_dir().join(format!("node0-guide-{}", database.name())));
    run(&["docs/api/guide.md"], 12, &folder, &[("BASE", server.address()), ("TOKEN", TOKEN)]);
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_who_has_never_seen_us_proves_history_with_the_tools_of_others() {
    let own = OwnCluster::initialised();
    let mut command = program();
    command.arg("--data").arg(own.folder()).args(["--seal-origin", "node0.example/log"]);
    let server = Node0::serve(&mut command);
    let auditor = server.http().service("service-auditor", commands::Role::Auditor).await;
    let published = "/api/v1/log/receipts/2";
    let ask = || auditor.request(reqwest::Method::GET, published);
    Http::until(200, Duration::from_secs(20), ask).await;
    let folder = Folder(own.folder().join("auditor"));
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = Path::new(program().get_program()).parent().unwrap().display().to_string();
    let environment = [
        ("BASE", server.address()),
        ("TOKEN", auditor.token()),
        ("NODE0_TOKEN", auditor.token()),
        ("PATH", &format!("{path}:{programs}")),
    ];
    run(&["docs/audit/README.md"], 6, &folder, &environment);
    assert!(server.stop().success());
}

#[test]
fn an_operator_puts_a_lost_database_back_word_for_word() {
    let name = format!("node0-restore-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let program = program();
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = Path::new(program.get_program()).parent().expect("it is in a folder");
    let place = free_place();
    let environment = [
        ("PATH", format!("{path}:{}", programs.display())),
        ("NODE0_LISTEN", place.clone()),
        ("NODE0_TOKEN_ALGORITHM", "EdDSA".to_owned()),
        ("BASE", format!("http://{place}")),
        ("TOKEN", TOKEN.to_owned()),
    ];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    run(&["docs/runbooks/restore.md"], 9, &folder, &environment);
}

#[test]
fn a_newcomer_gets_from_an_empty_folder_to_a_final_transaction_word_for_word() {
    let name = format!("node0-start-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let program = program();
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = Path::new(program.get_program()).parent().expect("it is in a folder");
    let path = format!("{path}:{}", programs.display());
    // What is installed was fetched before: the network has had its chances.
    let wheels = programs.with_file_name("wheels").display().to_string();
    let environment = [
        ("PATH", path.as_str()),
        ("NODE0", root().to_str().expect("a path of text")),
        ("NODE0_LISTEN", "127.0.0.1:0"),
        ("NODE0_TOKEN_ALGORITHM", "EdDSA"),
        ("PIP_FIND_LINKS", wheels.as_str()),
        ("PIP_NO_INDEX", "1"),
        ("npm_config_prefer_offline", "true"),
    ];
    run(&["docs/api/start.md", "docs/api/signing.md"], 10, &folder, &environment);
    let mut check = Command::new("npm");
    check.args(["run", "check"]).current_dir(folder.0.join("client"));
    let checked = check.output().expect("there is npm");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// The names of all functions in the Rust sources below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_a_paper_names_exists() {
    let mut known = BTreeSet::new();
    for folder in ["api/src", "tests/tests", "domain/tests", "commands/src"] {
        functions(&root().join(folder), &mut known);
    }
    let text = read("docs/security/owasp.md");
    let words = text.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let named: Vec<&str> = words.filter(is_test).collect();
    assert!(named.len() >= 30, "only {} tests are named", named.len());
    let gone: Vec<&str> = named.into_iter().filter(|name| !known.contains(*name)).collect();
    assert!(gone.is_empty(), "there is no such test: {gone:?}");
}
