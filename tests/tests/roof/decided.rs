//! What records mean is decided again by whoever doubts it: who has the log's key, and signs
//! another history with all hashes right, is given away by signatures, quorums and roots.

use std::fs;

use commands::{Actor, RequestContext, Role};
use domain::values::ChainId;
use evidence::SignerKey;
use serde_json::{Value, json};
use tests::network;
use tests::{
    app::TestApp,
    database::TestDatabase,
    headers,
    node0::{complaint, lines, run},
    published::{publish, records},
};

use super::{
    backups::{Places, done, path, published, refused},
    past::at_rest,
    register,
};

/// A log with all that can be decided again, published and backed up; how many events it has.
async fn grown(places: &Places) -> (TestApp, u64) {
    let app = places.serve(TestDatabase::create().await, "published").await;
    let http = app.http();
    let commands = app.server.commands();
    network::begin(commands).await;
    register(&http, 1..=2).await;
    for nonce in 0..3 {
        let paid = network::transfer(1, nonce, network::sender(2).address(), 500, 10);
        network::submit(commands, &paid).await;
        network::one_height(commands, nonce + 1).await;
    }
    let seen: ChainId = "seen-1".parse().unwrap();
    let context = || RequestContext::new(Actor::new("tester", Role::SuperAdmin));
    let mut blocks = headers::make(&seen, 5, 1).into_iter();
    commands.start_observation(blocks.next().unwrap(), 100, u32::MAX, context()).await.unwrap();
    for block in blocks {
        commands.observe_header(&seen, block, context()).await.unwrap();
    }
    let size = at_rest(&app).await;
    published(&http, size).await;
    places.backup(&app.database.url());
    (app, size)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_can_be_decided_again_is_decided_as_it_was() {
    let places = Places::new();
    let (app, size) = grown(&places).await;
    let bundle = places.at("bundle");
    let verify = ["--key", &places.key, "--json", "--semantics"];
    let said = done(&run([&["verify", path(&bundle)][..], &verify].concat())).remove(0);
    let decided = &said["decided"];
    assert_eq!((&said["entries"], &decided["transactions"]), (&json!(size), &json!(3)), "{said:#}");
    assert_eq!((&decided["blocks"], &decided["headers"]), (&json!(3), &json!(5)), "{said:#}");
    assert_eq!(decided["headers_undecided"], 0, "{said:#}");
    assert!(decided["said"].as_u64() > Some(20), "{said:#}");
    assert!(decided["supply"].is_string(), "{said:#}");
    // What was published has no contents; its address has.
    let folder = places.at("published");
    refused(&run([&["verify", path(&folder)][..], &verify].concat()), "is not at hand");
    let (address, token) = (format!("http://{}/log", app.server.address()), places.at("token"));
    fs::write(&token, app.http().token()).unwrap();
    let asked = ["verify", &address, "--token-file", path(&token)].map(str::to_owned);
    let verify = verify.map(str::to_owned);
    let served = tokio::task::spawn_blocking(move || run([&asked[..], &verify[..]].concat()));
    assert_eq!(&done(&served.await.unwrap())[0]["decided"], decided);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_that_is_signed_and_hashed_right_is_found_by_what_it_means() {
    let places = Places::new();
    let (app, size) = grown(&places).await;
    app.stop().await;
    let bundle = places.at("bundle");
    let key: SignerKey = places.secret.trim().parse().unwrap();
    let whole = records(&bundle, size);
    // One member of the n-th event of a type, made another one.
    let changed = |event_type: &str, nth: usize, change: &dyn Fn(&mut Value)| {
        let mut records = whole.clone();
        let of = format!("\"type\":\"{event_type}\"");
        let mut found =
            records.iter_mut().filter(|record| std::str::from_utf8(record).unwrap().contains(&of));
        let record = found.nth(nth).unwrap_or_else(|| panic!("no {event_type}"));
        let mut read: Value = serde_json::from_slice(record).unwrap();
        change(&mut read["data"]);
        *record = serde_json::to_vec(&read).unwrap();
        records
    };
    // The first letter of a text, made another one of the same kind.
    let other = |value: &mut Value| {
        let text = value.as_str().unwrap();
        let letter = if text.starts_with('A') { "B" } else { "A" };
        *value = json!(format!("{letter}{}", &text[1..]));
    };
    let without = |event_type: &str, nth: usize| {
        let mut records = whole.clone();
        let of = format!("\"type\":\"{event_type}\"");
        let is_it = |record: &Vec<u8>| std::str::from_utf8(record).unwrap().contains(&of);
        let places: Vec<usize> = (0..records.len()).filter(|at| is_it(&records[*at])).collect();
        records.remove(places[nth]);
        records
    };
    type Forged = (&'static str, Vec<Vec<u8>>, &'static str);
    let forged: Vec<Forged> = vec![
        (
            "a payment",
            changed("transaction-accepted.v1", 0, &|data| {
                let payload = &mut data["transaction"]["payload"];
                payload["amount"] = json!("900000");
            }),
            "",
        ),
        ("a vote", changed("vote-cast.v1", 1, &|data| other(&mut data["signature"])), ""),
        ("a vote that is left out", without("vote-cast.v1", 0), ""),
        (
            "a proposal",
            changed("proposal-accepted.v1", 0, &|data| other(&mut data["signature"])),
            "",
        ),
        (
            "the state after a block",
            changed("block-applied.v1", 1, &|data| other(&mut data["state_root"])),
            "comes to",
        ),
        (
            "what a block came to",
            changed("block-applied.v1", 0, &|data| other(&mut data["receipts_root"])),
            "comes to",
        ),
        (
            "the power of a member",
            changed("height-started.v1", 1, &|data| data["members"][0]["power"] = json!("999999")),
            "starts with another set",
        ),
        (
            "a block's header",
            changed("block-proposed.v1", 2, &|data| {
                let header = data["header"].as_str().unwrap().to_owned();
                let middle = header.len() / 2;
                let letter = if &header[middle..=middle] == "A" { "B" } else { "A" };
                let (begin, end) = (&header[..middle], &header[middle + 1..]);
                data["header"] = json!(format!("{begin}{letter}{end}"));
            }),
            "",
        ),
        (
            "the power that signed a header of others",
            changed("header-observed.v1", 2, &|data| data["signed_power"] = json!("1")),
            "the power that signed height",
        ),
    ];
    let verify = |more: &[&str]| {
        run([&["verify", path(&bundle), "--key", &places.key, "--json"][..], more].concat())
    };
    for (what, records, why) in &forged {
        publish(&bundle, &key, records);
        let found = verify(&["--semantics"]);
        assert_eq!(found.status.code(), Some(1), "{what}: {}", complaint(&found));
        assert!(complaint(&found).contains("position"), "{what}: {}", complaint(&found));
        assert!(complaint(&found).contains(why), "{what}: {}", complaint(&found));
        println!("{what}: {}", complaint(&found));
    }
    publish(&bundle, &key, &whole);
    assert_eq!(done(&verify(&["--semantics"]))[0]["entries"], size);
    // A genesis document, or a block's body, that is another one.
    for content in fs::read_dir(bundle.join("content")).unwrap() {
        for file in fs::read_dir(content.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, [&bytes[..], b" "].concat()).unwrap();
            let found = verify(&["--semantics"]);
            // What blocks came to is not read: it is decided again.
            let is_read = found.status.code() == Some(1);
            assert!(!is_read || complaint(&found).contains("was changed"), "{}", complaint(&found));
            fs::write(&file, bytes).unwrap();
        }
    }
    assert_eq!(lines(&verify(&[]))[0]["verified"], true);
}
