"""The Python client gql: a query, a mutation over HTTP, and a subscription over WebSocket.

TOKEN=... python client.py URL"""

import json
import os
import sys

from gql import Client, GraphQLRequest
from gql.transport.httpx import HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

url, token = sys.argv[1], os.environ["TOKEN"]
headers = {"authorization": f"Bearer {token}"}
MUTATION = """mutation ($key: String!) {
  flagCreate(key: $key, input: { description: "as a client" }, waitMs: 5000) { position shown }
}"""
SUBSCRIPTION = """subscription ($after: Position) {
  flagChanged(after: $after) { position flag { key } }
}"""

# The schema is fetched by introspection, and every document checked against it.
http = HTTPXTransport(url=f"{url}/graphql", headers=headers)
with Client(transport=http, fetch_schema_from_transport=True) as client:
    key = {"key": "client.gql"}
    made = client.execute(GraphQLRequest(MUTATION, variable_values=key))["flagCreate"]
    query = GraphQLRequest("query ($key: String!) { flag(key: $key) { key } }", variable_values=key)
    asked = client.execute(query)["flag"]
live = WebsocketsTransport(
    url=f"{url.replace('http', 'ws')}/graphql",
    init_payload=headers,
    subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
)
after = {"after": str(int(made["position"]) - 1)}
heard = next(Client(transport=live).subscribe(GraphQLRequest(SUBSCRIPTION, variable_values=after)))
told = {"asked": asked["key"], "heard": heard["flagChanged"]["flag"]["key"], "shown": made["shown"]}
print(json.dumps({"name": "gql", **told}))
