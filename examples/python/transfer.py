"""Signs a transfer, submits it, and follows it until it is final.

    BASE=http://localhost:8080 TOKEN=... python transfer.py KEY_FILE TO AMOUNT
"""

import base64
import json
import os
import sys

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport

BASE = os.environ.get("BASE", "http://localhost:8080")
BLOCKS = """subscription ($chain: ChainId!, $after: Position) {
  blockApplied(chainId: $chain, after: $after) { position block { height } }
}"""


def expect(reply):
    """What was answered; ends with the problem's own words when it is one."""
    if reply.is_error:
        problem = reply.json()
        sys.exit(f"{problem['title']}: {problem['detail']}")
    return reply.json()


def sign(envelope, key):
    """What is signed is the canonical JSON (RFC 8785) of everything but the signature. Names and
    values here are ASCII texts: sorted and without spaces they are canonical."""
    # The key's file has CometBFT's form: the secret's 32 bytes, then the public key's.
    secret = base64.b64decode(key["priv_key"]["value"])[:32]
    text = json.dumps(envelope, sort_keys=True, separators=(",", ":"))
    signature = Ed25519PrivateKey.from_private_bytes(secret).sign(text.encode())
    return {**envelope, "signature": base64.b64encode(signature).decode()}


def transfer(api, key, to, amount):
    chains = expect(api.get("/api/v1/chains"))["items"]
    chain = next(chain["chain_id"] for chain in chains if chain["kind"] == "native")
    account = expect(api.get(f"/api/v1/accounts/{key['address']}"))
    envelope = {
        "chain_id": chain,
        "fee": "10",
        "nonce": account["nonce"],
        "payload": {"type": "transfer", "to": to, "amount": amount},
        "sender": key["pub_key"]["value"],
    }
    accepted = expect(api.post("/api/v1/transactions", json=sign(envelope, key)))
    return chain, accepted["events"][0]["data"]["hash"], accepted["position"]


def follow(api, token, chain, hash, position):
    """A block that is applied is final. From the transaction's own position none can be missed."""
    live = WebsocketsTransport(
        url=BASE.replace("http", "ws", 1) + "/graphql",
        init_payload={"authorization": f"Bearer {token}"},
        # Named, as gql does not find what was agreed on in headers of lower case.
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    blocks = GraphQLRequest(BLOCKS, variable_values={"chain": chain, "after": str(position)})
    for block in Client(transport=live).subscribe(blocks):
        seen = {"min-position": block["blockApplied"]["position"]}
        found = expect(api.get(f"/api/v1/transactions/{hash}", headers=seen))
        if found["state"] not in ("pending", "queued"):
            return found
    sys.exit("the subscription ended")


def main():
    token = os.environ.get("TOKEN")
    if len(sys.argv) != 4 or not token:
        sys.exit("usage: BASE=URL TOKEN=TOKEN python transfer.py KEY_FILE TO AMOUNT")
    key_file, to, amount = sys.argv[1:]
    with open(key_file) as file:
        key = json.load(file)
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=BASE, headers=headers) as api:
        chain, hash, position = transfer(api, key, to, amount)
        print(f"accepted {hash}")
        found = follow(api, token, chain, hash, position)
    where = f" in block {found['height']}" if found["height"] else ""
    failure = f": {found['failure']}" if found["failure"] else ""
    print(f"{found['state']}{where}{failure}")


if __name__ == "__main__":
    main()
