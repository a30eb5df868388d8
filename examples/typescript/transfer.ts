// Signs a transfer, submits it, and follows it until it is final.
//
//   BASE=http://localhost:8080 TOKEN=... npm run transfer -- KEY_FILE TO AMOUNT
import { readFileSync } from "node:fs";
import { ed25519 } from "@noble/curves/ed25519.js";
import canonicalize from "canonicalize";
import { createClient as createSubscriptions } from "graphql-sse";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];

const base = process.env.BASE ?? "http://localhost:8080";
const headers = { authorization: `Bearer ${process.env.TOKEN}` };
const api = createClient<paths, "application/json">({ baseUrl: base, headers });
const live = createSubscriptions({ url: `${base}/graphql/stream`, headers });

const [keyFile, to, amount] = process.argv.slice(2);
if (!keyFile || !to || !amount || !process.env.TOKEN) {
  console.error("usage: BASE=URL TOKEN=TOKEN npm run transfer -- KEY_FILE TO AMOUNT");
  process.exit(2);
}

/** What was answered; ends with the problem's own words when it is one. */
function expect<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data !== undefined) return data;
  const { title, detail } = error as Problem;
  console.error(`${title}: ${detail}`);
  process.exit(1);
}

// The key's file has CometBFT's form: the secret's 32 bytes, then the public key's.
const key = JSON.parse(readFileSync(keyFile, "utf8"));
const secret = Buffer.from(key.priv_key.value, "base64").subarray(0, 32);

const chains = expect(await api.GET("/api/v1/chains"));
const chain = chains.items.find((chain) => chain.kind === "native");
if (!chain) throw new Error("no chain of its own runs here");
const path = { address: key.address as string };
const account = expect(await api.GET("/api/v1/accounts/{address}", { params: { path } }));

// What is signed is the canonical JSON (RFC 8785) of everything but the signature.
const envelope = {
  chain_id: chain.chain_id,
  fee: "10",
  nonce: account.nonce,
  payload: { type: "transfer" as const, to, amount },
  sender: key.pub_key.value as string,
};
const bytes = Buffer.from(canonicalize(envelope) as string);
const signature = Buffer.from(ed25519.sign(bytes, secret)).toString("base64");

const body = { ...envelope, signature };
const accepted = expect(await api.POST("/api/v1/transactions", { body }));
if (!("events" in accepted)) throw new Error("one transaction has one answer");
const event = accepted.events[0];
if (event?.type !== "transaction-accepted.v1") throw new Error(`it was not taken: ${event?.type}`);
const hash = event.data.hash;
console.log(`accepted ${hash}`);

// A block that is applied is final. From the transaction's own position none can be missed.
const blocks = live.iterate<{ blockApplied: { position: string; block: { height: string } } }>({
  query: `subscription ($chain: ChainId!, $after: Position) {
    blockApplied(chainId: $chain, after: $after) { position block { height } }
  }`,
  variables: { chain: chain.chain_id, after: String(accepted.position) },
});
for await (const { data, errors } of blocks) {
  if (errors) throw new Error(errors.map((error) => error.message).join("; "));
  const position = data?.blockApplied.position;
  const found = expect(
    await api.GET("/api/v1/transactions/{hash}", {
      params: { path: { hash } },
      headers: { "min-position": position },
    }),
  );
  if (found.state === "pending" || found.state === "queued") continue;
  const where = found.height ? ` in block ${found.height}` : "";
  console.log(`${found.state}${where}${found.failure ? `: ${found.failure}` : ""}`);
  break;
}
live.dispose();
