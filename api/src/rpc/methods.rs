//! The methods of CometBFT's RPC, each answered from the record of our own chain.
//!
//! Does not know how a call came in.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use commands::{FinalBlock, OwnHead};
use domain::{
    consensus::HeightStarted,
    hashes,
    values::{Address, Hash, Height, PublicKey},
};
use ed25519_dalek::SigningKey;
use projections::transactions;
use serde_json::{Value, json};

use super::{arguments::Arguments, shapes};
use crate::{
    problem::{Kind, Problem},
    rest::reply::read_problem,
    server::App,
};

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is CometBFT's, by its name")]
pub enum Method {
    Health,
    Status,
    Genesis,
    Block,
    BlockResults,
    Header,
    Commit,
    Validators,
    Tx,
}

impl Method {
    /// What there is.
    pub const ALL: [Method; 9] = [
        Method::Health,
        Method::Status,
        Method::Genesis,
        Method::Block,
        Method::BlockResults,
        Method::Header,
        Method::Commit,
        Method::Validators,
        Method::Tx,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Health => "health",
            Method::Status => "status",
            Method::Genesis => "genesis",
            Method::Block => "block",
            Method::BlockResults => "block_results",
            Method::Header => "header",
            Method::Commit => "commit",
            Method::Validators => "validators",
            Method::Tx => "tx",
        }
    }

    /// The method of a name.
    pub fn named(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// Whose shapes these are: clients choose by it how they read them.
const COMETBFT_VERSION: &str = "0.38.0";
/// The protocol of blocks those are of, and that of peers, which is not spoken here.
const BLOCK_PROTOCOL: u64 = 11;
const PEER_PROTOCOL: u64 = 0;
/// Validators on a page, when it is not said how many, and at most.
const VALIDATORS_PER_PAGE: usize = 30;
const VALIDATORS_PER_PAGE_MAX: usize = 100;
const PAGES_MAX: usize = 1_000_000;

/// The answer of a method.
pub async fn answer(app: &App, method: Method, arguments: Arguments) -> Result<Value, Problem> {
    match method {
        Method::Health => arguments.finish().map(|()| json!({})),
        Method::Status => status(app, arguments).await,
        Method::Genesis => genesis(app, arguments).await,
        Method::Block => block(app, arguments).await,
        Method::BlockResults => block_results(app, arguments).await,
        Method::Header => header(app, arguments).await,
        Method::Commit => commit(app, arguments).await,
        Method::Validators => validators(app, arguments).await,
        Method::Tx => tx(app, arguments).await,
    }
}

/// Our own chain.
async fn own(app: &App) -> Result<OwnHead, Problem> {
    let own = app.commands.own_head().await?;
    own.ok_or_else(|| Problem::new(Kind::NotFound, "no chain of our own has begun here"))
}

/// The final block at a height, or the newest one.
async fn final_block(app: &App, asked: Option<Height>) -> Result<FinalBlock, Problem> {
    let own = own(app).await?;
    let newest =
        own.height().ok_or_else(|| Problem::new(Kind::NotFound, "no block is final yet"))?;
    let height = asked.unwrap_or(newest);
    let beyond = || {
        let detail = format!("height {height} is not final: the newest that is is {newest}");
        Problem::invalid_parameter("height", detail)
    };
    if height > newest {
        return Err(beyond());
    }
    let found = app.commands.final_block(&own.genesis.chain_id, height).await?;
    found.ok_or_else(beyond)
}

async fn status(app: &App, arguments: Arguments) -> Result<Value, Problem> {
    arguments.finish()?;
    let own = own(app).await?;
    let chain = &own.genesis.chain_id;
    let first = match &own.head {
        Some(_) => app.commands.final_block(chain, own.genesis.initial_height).await?,
        None => None,
    };
    let first = first.as_ref().map(|block| &block.proposed.header);
    let last = own.head.as_ref().map(|head| &head.proposed.header);
    let (key, id) = nobody(app);
    let mut sync = json!({"catching_up": false});
    for (which, header) in [("earliest", first), ("latest", last)] {
        let app_hash = header.map(|header| hex::encode_upper(header.app_hash().as_bytes()));
        let time = header.map_or(shapes::NO_TIME.to_owned(), |h| shapes::time(h.header().time));
        sync[format!("{which}_block_hash")] =
            json!(header.map_or(String::new(), |header| header.hash().to_string()));
        sync[format!("{which}_app_hash")] = json!(app_hash.unwrap_or_default());
        sync[format!("{which}_block_height")] =
            json!(header.map_or("0".to_owned(), |header| header.height().to_string()));
        sync[format!("{which}_block_time")] = json!(time);
    }
    Ok(json!({
        "node_info": {
            "protocol_version": {
                "p2p": PEER_PROTOCOL.to_string(),
                "block": BLOCK_PROTOCOL.to_string(),
                "app": "1",
            },
            "id": id.to_string().to_lowercase(),
            "listen_addr": "tcp://0.0.0.0:0",
            "network": chain,
            "version": COMETBFT_VERSION,
            "channels": "",
            "moniker": "node0",
            "other": {"tx_index": "on", "rpc_address": ""},
        },
        "sync_info": sync,
        "validator_info": {
            "address": key.address(),
            "pub_key": shapes::public_key(key),
            "voting_power": "0",
        },
    }))
}

/// The server validates nothing: it has a key and an id in name only, for those who read replies
/// that must have them. They are derived from the log's incarnation, and nobody's.
fn nobody(app: &App) -> (PublicKey, Address) {
    let seed = Hash::of(app.store.incarnation().as_bytes());
    let key = SigningKey::from_bytes(seed.as_bytes()).verifying_key();
    let key = PublicKey::from_bytes(key.to_bytes()).expect("a key of a seed is of full order");
    (key, key.address())
}

async fn genesis(app: &App, arguments: Arguments) -> Result<Value, Problem> {
    arguments.finish()?;
    let own = own(app).await?;
    let bytes = app.store.blob(own.genesis.genesis_hash.as_bytes()).await?;
    let document = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let document = document.ok_or_else(|| Problem::internal("the genesis document is not kept"))?;
    Ok(json!({"genesis": shapes::genesis(document, &own.genesis)}))
}

async fn block(app: &App, mut arguments: Arguments) -> Result<Value, Problem> {
    let height = arguments.height();
    arguments.finish()?;
    let block = final_block(app, height).await?;
    let transactions = bytes(app, &block.body.transactions).await?;
    Ok(json!({
        "block_id": shapes::block_id(Some(&block.proposed.block_id)),
        "block": shapes::block(&block.proposed.header, &block.body, &transactions),
    }))
}

/// The bytes of final transactions, in this order. They were accepted before the block was final:
/// the read model is waited for until it shows them.
async fn bytes(app: &App, hashes: &[Hash]) -> Result<Vec<Vec<u8>>, Problem> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    app.reach(&[transactions::NAME], Some(app.head())).await?;
    let rows = transactions::by_hashes(&app.pool, hashes).await.map_err(read_problem)?;
    let positions: Vec<u64> = rows.iter().map(|row| row.position).collect();
    let whole = app.whole_transactions(&positions).await?.into_iter();
    let whole: BTreeMap<Hash, Vec<u8>> = whole.map(|t| (t.hash(), t.bytes().to_vec())).collect();
    let missing = |hash: &Hash| Problem::internal(format!("transaction {hash} is not found"));
    let found = hashes.iter().map(|hash| whole.get(hash).cloned().ok_or_else(|| missing(hash)));
    found.collect()
}

async fn tx(app: &App, mut arguments: Arguments) -> Result<Value, Problem> {
    let hash = arguments.hash();
    let proves = arguments.flag("prove");
    arguments.finish()?;
    let Some(hash) = hash else { return Err(Problem::internal("a hash is given")) };
    let row = transactions::get(&app.pool, hash).await.map_err(read_problem)?;
    let placed = row.and_then(|row| Some((row.height?, usize::try_from(row.place?).ok()?)));
    let (height, index) = placed.ok_or_else(|| Problem::not_found("final transaction", hash))?;
    let block = final_block(app, Some(height)).await?;
    let results = app.commands.results(&block.applied).await?;
    let receipt = results.receipts.get(index).filter(|receipt| receipt.hash == hash);
    let receipt = receipt.ok_or_else(|| Problem::internal(format!("{hash} has no receipt")))?;
    let tx = STANDARD.encode(bytes(app, &[hash]).await?.concat());
    let mut found = json!({
        "hash": hash,
        "height": height.to_string(),
        "index": index,
        "tx_result": shapes::result(receipt),
        "tx": tx,
    });
    if proves {
        let leaves: Vec<&[u8]> =
            block.body.transactions.iter().map(|hash| hash.as_bytes().as_slice()).collect();
        let inclusion = hashes::inclusion(&leaves, index);
        found["proof"] = json!({
            "root_hash": block.body.data_hash(),
            "data": found["tx"],
            "proof": inclusion.map(|of| shapes::proof(&of, leaves.len(), index)),
        });
    }
    Ok(found)
}

async fn header(app: &App, mut arguments: Arguments) -> Result<Value, Problem> {
    let height = arguments.height();
    arguments.finish()?;
    let block = final_block(app, height).await?;
    Ok(json!({"header": shapes::header(&block.proposed.header)}))
}

async fn commit(app: &App, mut arguments: Arguments) -> Result<Value, Problem> {
    let height = arguments.height();
    arguments.finish()?;
    let block = final_block(app, height).await?;
    Ok(json!({"signed_header": shapes::signed_header(&block), "canonical": block.is_canonical}))
}

/// The set of a final height, or of the one that is being agreed on: light clients check by it what
/// the newest final header says of the next set.
async fn validators(app: &App, mut arguments: Arguments) -> Result<Value, Problem> {
    let asked = arguments.height();
    let page = arguments.count("page", 1, PAGES_MAX);
    let per_page = arguments.count("per_page", VALIDATORS_PER_PAGE, VALIDATORS_PER_PAGE_MAX);
    arguments.finish()?;
    let own = own(app).await?;
    let height = asked.or(own.height()).unwrap_or(own.genesis.initial_height);
    let started = app.commands.height_started(&own.genesis.chain_id, height).await?;
    let started = started.ok_or_else(|| {
        Problem::invalid_parameter("height", format!("height {height} has not started"))
    })?;
    let members = &started.members;
    let pages = members.len().div_ceil(per_page);
    if page > pages {
        let detail = format!("is {page}, and there are {pages} pages");
        return Err(Problem::invalid_parameter("page", detail));
    }
    let shown = members.iter().skip((page - 1) * per_page).take(per_page);
    let shown: Vec<Value> = shown.map(shapes::validator).collect();
    Ok(json!({
        "block_height": height.to_string(),
        "count": shown.len().to_string(),
        "total": members.len().to_string(),
        "validators": shown,
    }))
}

async fn block_results(app: &App, mut arguments: Arguments) -> Result<Value, Problem> {
    let height = arguments.height();
    arguments.finish()?;
    let block = final_block(app, height).await?;
    let results = app.commands.results(&block.applied).await?;
    let txs: Vec<Value> = results.receipts.iter().map(shapes::result).collect();
    Ok(json!({
        "height": block.applied.height.to_string(),
        "txs_results": txs,
        "finalize_block_events": [],
        "validator_updates": validator_updates(app, &block).await?,
        "consensus_param_updates": null,
        "app_hash": STANDARD.encode(results.state_root.as_bytes()),
    }))
}

/// Who has another power two heights later than at the next one: that is when CometBFT lets what a
/// block changed take effect. Nobody while those heights have not started.
async fn validator_updates(app: &App, block: &FinalBlock) -> Result<Vec<Value>, Problem> {
    let next = block.applied.height.next();
    let mut sets = Vec::new();
    for height in [next, next.and_then(Height::next)].into_iter().flatten() {
        let started = app.commands.height_started(&block.proposed.chain_id, height).await?;
        sets.extend(started.map(|started| powers(&started)));
    }
    let [before, after] = sets.as_slice() else { return Ok(Vec::new()) };
    let changed = after.iter().filter(|(key, power)| before.get(*key) != Some(*power));
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key, &0));
    let mut updates: BTreeMap<&PublicKey, &u64> = changed.collect();
    updates.extend(gone);
    Ok(updates.into_iter().map(|(key, power)| shapes::validator_update(*key, *power)).collect())
}

fn powers(started: &HeightStarted) -> BTreeMap<PublicKey, u64> {
    started.members.iter().map(|seat| (seat.public_key, seat.power.value())).collect()
}
