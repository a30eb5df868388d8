//! Other protocol parameters while validators run: set like any setting, and the same for all of
//! them from an epoch's first height on.

use commands::Role;
use serde_json::{Value, json};
use tests::network::{self, BALANCE, EPOCH_BLOCKS, sender, transfer};

use super::Net;
use crate::roof::{
    settings::{propose, set},
    shown,
};

const SETTING: &str = "/api/v1/settings/protocol.parameters";

/// What became of a transfer with this fee.
async fn pays(net: &Net, nonce: u64, fee: u128) -> Value {
    let sent = transfer(1, nonce, sender(2).address(), 10, fee);
    let answer = net.server().http().post("/api/v1/transactions", &json!(sent)).await;
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_set_hold_for_every_validator_from_an_epoch_on() {
    let mut net = Net::running().await;
    let admin = net.server().http();
    let approver = admin.service("service-approver", Role::Admin).await;
    let chain = format!("/api/v1/chains/{}", network::chain());

    // What the chain cannot come to is refused where it is proposed, with its place.
    let early = json!({"unbonding_epochs": 1, "evidence_age_blocks_max": 5_000});
    let refused = propose(&admin, SETTING, early).await;
    assert_eq!(
        (refused.status, &refused.body["refusal"]["code"]),
        (422, &json!("schema-violated"))
    );
    let pointers: Vec<&Value> = refused.body["refusal"]["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["pointer"])
        .collect();
    // Neither the new nor the present time of unbonding is as long as that.
    assert_eq!(pointers, ["/unbonding_epochs", "/evidence_age_blocks_max"]);

    let wanted = json!({"fee_min": "50", "block_bytes_max": 500_000, "timeout_step_ms": 100});
    set(&admin, &approver, SETTING, wanted).await;
    let seen = shown(&admin, &chain, |seen| seen["parameter_changes"][0].is_object()).await;
    let change = &seen["parameter_changes"][0];
    assert_eq!(
        (&change["parameters"]["fee_min"], &seen["genesis"]["parameters"]["fee_min"]),
        (&json!("50"), &json!("1"))
    );
    let epoch: u64 = change["epoch"].as_str().unwrap().parse().unwrap();

    // Until then little is enough; one validator hears of it only when it is over.
    net.kill(4);
    assert_eq!(pays(&net, 0, 5).await["events"][0]["type"], "transaction-accepted.v1");
    net.reaches(epoch * u64::from(EPOCH_BLOCKS)).await;
    let little = pays(&net, 1, 5).await;
    assert_eq!(little["refusal"]["code"], "fee-below-minimum", "{little}");
    assert_eq!(pays(&net, 1, 50).await["events"][0]["type"], "transaction-accepted.v1");
    net.goes_on(3).await;
    net.start(4);
    net.goes_on(2).await;

    // Without another one, what the returned one comes to counts.
    net.kill(1);
    net.goes_on(5).await;
    assert_eq!(net.balance(2).await, BALANCE + 20);
    assert_eq!(net.count("parameters-scheduled.v1").await, 1);
    net.start(1);
    net.goes_on(2).await;

    // A server that begins anew knows them too.
    net.server.take().unwrap().kill();
    net.server = Some(tests::node0::Node0::on_database_at(&net.database.url(), &net.place));
    assert_eq!(pays(&net, 2, 5).await["refusal"]["code"], "fee-below-minimum");

    // And what was before is put in force again.
    let back = json!({"reason": "too dear", "version": 0});
    net.server().http().post(&format!("{SETTING}/rollback"), &back).await.expect(200);
    shown(&net.server().http(), &chain, |seen| {
        seen["parameter_changes"][1]["parameters"] == seen["genesis"]["parameters"]
    })
    .await;
    net.stop().await;
}
