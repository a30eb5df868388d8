//! Lists walked to their end, and what happened found again.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{app::SETUP_EVENTS, http::Http};

use super::{CHAIN, problem, register, start, validator};

/// Everything a list holds, page by page along its `Link` headers.
async fn walk(http: &Http, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let answer = http.get(&path).await;
        let link = answer.header("link").to_owned();
        let page = answer.expect(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        next = link.split_once('>').map(|(url, _)| url.trim_start_matches('<').to_owned());
        assert_eq!(next.is_some(), page["page"]["has_next"].as_bool().unwrap());
        assert!(items.len() < 1_000, "the walk does not end");
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_along_the_pages_meets_everything_once_in_every_order() {
    let (app, http) = start().await;
    register(&http, 1..46).await;
    for sort in ["power", "reputation", "moniker", "newest", "address"] {
        let path = format!("/api/v1/validators?first=7&sort={sort}&chain_id={CHAIN}");
        let items = walk(&http, &path).await;
        let addresses: BTreeSet<_> = items.iter().map(|item| item["address"].to_string()).collect();
        assert_eq!((items.len(), addresses.len()), (45, 45), "{sort}");
    }
    assert_eq!(walk(&http, "/api/v1/activity?first=100").await.len(), 45);
    let newest = http.get("/api/v1/validators?sort=newest&first=2").await.expect(200);
    let cursor = newest["page"]["next"].as_str().unwrap();
    let other = http.get(&format!("/api/v1/validators?sort=power&after={cursor}")).await;
    assert_eq!((other.status, problem(&other).as_str()), (400, "invalid-parameter"));
    let filtered = http.get("/api/v1/validators?standing=active").await.expect(200);
    assert_eq!(filtered["items"].as_array().unwrap().len(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_in_order_by_position_and_by_stream() {
    let (app, http) = start().await;
    register(&http, 1..31).await;
    let (mut positions, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = http.get(&format!("/api/v1/events?first=8&after={after}")).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            positions.push(item["position"].as_str().unwrap().parse::<u64>().unwrap());
            assert_eq!(item["record"]["v"], "node0.event/1");
        }
        if page["page"]["has_next"] == false {
            break;
        }
        after = page["page"]["next"].as_str().unwrap().to_owned();
    }
    assert_eq!(positions, (1..=SETUP_EVENTS + 30).collect::<Vec<u64>>());
    let one = http.get("/api/v1/events/7").await.expect(200);
    let stream = one["record"]["stream"].as_str().unwrap();
    let events = http.get(&format!("/api/v1/streams/{stream}")).await.expect(200);
    assert_eq!(events["items"][0], one);
    let typed = "/api/v1/events?type=validator-jailed.v1";
    assert_eq!(http.get(typed).await.expect(200)["items"].as_array().unwrap().len(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_a_validator_is_found_under_it() {
    let (app, http) = start().await;
    register(&http, 1..2).await;
    let delegator = "D5B865BA26FDF5285105626B708E8556809737F7";
    let body = serde_json::json!({"amount": "2000000", "delegator": delegator});
    let made = http.post(&format!("{}/delegate", validator(1)), &body).await;
    let position = made.header("position").to_owned();
    made.expect(200);
    for (path, count) in [
        (format!("{}/delegations", validator(1)), 1),
        (format!("/api/v1/delegations?delegator={delegator}"), 1),
        (format!("{}/reputation", validator(1)), 1),
        (format!("{}/slashings", validator(1)), 0),
        (format!("{}/performances", validator(1)), 0),
        (format!("{}/unbondings", validator(1)), 0),
        (format!("/api/v1/unbondings?delegator={delegator}"), 0),
        ("/api/v1/slashings?offence=downtime".to_owned(), 0),
        ("/api/v1/chains".to_owned(), 0),
        (format!("/api/v1/chains/{CHAIN}/headers"), 0),
        (format!("/api/v1/chains/{CHAIN}/forks"), 0),
        (format!("/api/v1/chains/{CHAIN}/rejections"), 0),
        (format!("/api/v1/validator-sets/{CHAIN}/epochs"), 0),
    ] {
        let request = http.request(reqwest::Method::GET, &path).header("min-position", &position);
        let answer = super::send(request).await.expect(200);
        assert_eq!(answer["items"].as_array().unwrap().len(), count, "{path}: {answer:#}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_say_how_they_are_and_are_built_anew() {
    let (app, http) = start().await;
    register(&http, 1..4).await;
    let statuses = http.get("/api/v1/projections").await.expect(200);
    assert_eq!(statuses["items"].as_array().unwrap().len(), projections::all().len());
    let rebuilt =
        super::send(http.request(reqwest::Method::POST, "/api/v1/projections/validators/rebuild"));
    assert_eq!(rebuilt.await.expect(202)["projection"], "validators");
    let path = "/api/v1/validators";
    let request = http.request(reqwest::Method::GET, path).header("min-position", SETUP_EVENTS + 3);
    let found = super::send(request).await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
    app.stop().await;
}
