//! As much as a block may hold.

use commands::{Reactions, RequestContext};
use domain::transaction::{Account, Command};
use tests::network::{self, SENDERS, as_validator, height, sender, transfer};

use super::{PROCESSES, process, standing};
use domain::block::Standing;
use tests::database::TestDatabase;

/// The most transactions of a block, by the default parameters.
const BLOCK_TXS: u64 = 10_000;
/// How many are submitted at once.
const BATCH: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_block_of_ten_thousand_transactions_becomes_final_and_leaves_what_does_not_fit() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    let to = sender(1).address();
    let transfers = (0..BLOCK_TXS + 50).map(|nth| {
        let (from, nonce) = (nth % SENDERS + 1, nth / SENDERS);
        transfer(from, nonce, to, 1, 1)
    });
    let transfers: Vec<_> = transfers.collect();
    for batch in transfers.chunks(BATCH) {
        let items = batch.iter().map(|transaction| {
            let command = Command::Submit { transaction: transaction.clone() };
            let context: RequestContext = as_validator();
            (transaction.sender(), command, context)
        });
        for answer in commands.execute_all::<Account>(items.collect()).await {
            answer.expect("it is accepted");
        }
    }
    let contents = network::one_height(&commands, 1).await;
    assert_eq!(contents.body.transactions.len() as u64, BLOCK_TXS);
    network::started(&commands, 2).await;
    assert!(matches!(standing(&commands, &contents).await, Standing::Final(_)));
    let (applied, execution) =
        commands.applied(&network::chain(), height(1)).await.unwrap().unwrap();
    assert_eq!(u64::from(applied.transactions), BLOCK_TXS);
    assert!(execution.receipts.iter().all(|receipt| receipt.failure.is_none()));
    let next = network::next_block(&commands).await;
    assert_eq!(next.waiting.transactions, 50);
    let totals = next.ledger.totals();
    assert_eq!(totals.sum(), Some(next.ledger.supply()));
    running.stop().await;
}
