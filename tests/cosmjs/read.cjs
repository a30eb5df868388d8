// Reads a chain through CosmJS, and writes what it came to as one JSON object.
//
// node read.cjs URL HASH...: the address of the RPC, and hashes of transactions in hex.
const { fromHex, toHex } = require("@cosmjs/encoding");
const { connectComet, isComet38Client } = require("@cosmjs/tendermint-rpc");

const upper = (bytes) => toHex(bytes).toUpperCase();

async function main() {
  const [url, ...hashes] = process.argv.slice(2);
  const client = await connectComet(url);
  const status = await client.status();
  const genesis = await client.genesis();
  const newest = status.syncInfo.latestBlockHeight;
  const heights = [];
  for (let height = 1; height <= newest; height += 1) {
    const { blockId, block } = await client.block(height);
    const { header, commit, canonical } = await client.commit(height);
    const { validators } = await client.validatorsAll(height);
    const { results, validatorUpdates } = await client.blockResults(height);
    heights.push({
      height: header.height,
      hash: upper(blockId.hash),
      commits: upper(commit.blockId.hash),
      signatures: commit.signatures.length,
      canonical,
      last: header.lastBlockId ? upper(header.lastBlockId.hash) : null,
      lastCommit: block.lastCommit ? upper(block.lastCommit.blockId.hash) : null,
      appHash: upper(header.appHash),
      evidence: block.evidence.length,
      txs: block.txs.map(upper),
      validators: validators.map((one) => [upper(one.address), one.votingPower.toString()]),
      proposer: upper(header.proposerAddress),
      codes: results.map((result) => result.code),
      updates: validatorUpdates.length,
    });
  }
  const txs = [];
  for (const hash of hashes) {
    const found = await client.tx({ hash: fromHex(hash), prove: true });
    txs.push({
      hash: upper(found.hash),
      height: found.height,
      index: found.index,
      code: found.result.code,
      tx: upper(found.tx),
      total: found.proof.proof.total,
    });
  }
  const told = {
    comet38: isComet38Client(client),
    chain: status.nodeInfo.network,
    genesis: genesis.chainId,
    genesisValidators: genesis.validators.length,
    newest: upper(status.syncInfo.latestBlockHash),
    heights,
    txs,
  };
  process.stdout.write(JSON.stringify(told));
}

main().catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
