//! Nothing is signed twice: not by a validator that is killed at any moment, and not by two
//! processes with one key.

use std::{fs, time::Duration};

use domain::{values::Round, vote::VoteType};
use tests::{
    http::Http,
    network::{self, VALIDATORS},
    node0,
};

use super::Net;

/// How often validators are killed.
const KILLS: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_is_killed_over_and_over_never_signs_twice() {
    let mut net = Net::running().await;
    net.reaches(1).await;
    for kill in 0..KILLS {
        let n = kill % VALIDATORS + 1;
        // Any moment of a height, the same in every run.
        tokio::time::sleep(Duration::from_millis(kill * 37 % 150)).await;
        net.kill(n);
        net.start(n);
    }
    net.goes_on(6).await;
    assert_eq!(net.count("equivocation-detected.v1").await, 0);
    assert_eq!(net.count("votes-refused.v1").await, 0);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_share_what_one_has_signed() {
    let mut net = Net::running().await;
    net.reaches(1).await;
    let second = node0::run(net.homes[&1].arguments(&net.address()));
    assert_eq!(second.status.code(), Some(1));
    assert!(node0::complaint(&second).contains("is in use"), "{}", node0::complaint(&second));
    net.goes_on(1).await;
    // Free again as soon as the first is gone, however it went.
    net.kill(1);
    net.start(1);
    net.goes_on(2).await;
    assert!(net.members.get_mut(&1).unwrap().runs());
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_readable_memory_of_what_it_signed_it_does_not_start() {
    let net = Net::begun().await;
    let home = &net.homes[&1];
    let file = home.state().join(agent::LAST_SIGNED_FILE);
    fs::create_dir_all(home.state()).unwrap();
    for broken in ["", "{", "{\"address\":\"\",\"last_signed\":null,\"v\":\"other\"}"] {
        fs::write(&file, broken).unwrap();
        let refused = node0::run(home.arguments(&net.address()));
        assert_eq!(refused.status.code(), Some(1), "{broken}");
        let complaint = node0::complaint(&refused);
        assert!(complaint.contains("cannot be used"), "{complaint}");
        assert!(complaint.contains("Restore the file"), "{complaint}");
        assert_eq!(fs::read_to_string(&file).unwrap(), broken, "it is left as it was");
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_twice_is_proved_in_a_block_and_pays_for_it() {
    let net = Net::running().await;
    net.reaches(2).await;
    let liar = network::validator(4).address();
    let token = fs::read_to_string(net.homes[&4].token()).unwrap();
    let http = Http::new(net.address(), token);
    // Once it has voted for a block, its key says nil, too.
    let mut told = 0;
    while net.count("equivocation-detected.v1").await == 0 {
        let height = net.height().await + 1;
        let started = network::started(&net.commands, height).await;
        if started.vote(Round::FIRST, VoteType::Prevote, liar).is_some() {
            let nil = network::vote(&started, liar, VoteType::Prevote, None);
            let path = format!("/api/v1/heights/{}/cast-vote", network::stream(height));
            http.post(&path, &serde_json::to_value(nil).unwrap()).await;
            told += 1;
        }
        assert!(told < 200, "the record does not notice");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = net.height().await;
    net.goes_on(4).await;
    let mut burns = Vec::new();
    for number in 1..=before + 4 {
        let height = network::height(number);
        let (_, execution) =
            net.commands.applied(&network::chain(), height).await.unwrap().unwrap();
        burns.extend(execution.burns);
    }
    let burned: Vec<_> = burns.iter().map(|burn| burn.validator).collect();
    assert_eq!(burned, [liar], "once, whoever made the block");
    assert!(!burns[0].bond.is_zero());
    net.stop().await;
}
