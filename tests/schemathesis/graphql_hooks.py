"""What Schemathesis cannot know of our GraphQL: the forms of scalars, and what is the server's fault."""

import base64

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

TEXTS = {
    "Address": "[0-9A-F]{40}",
    "Amount": "(0|[1-9][0-9]{0,17})",
    "AsOf": "(0|[1-9][0-9]{0,9}|2026-0[1-9]-1[0-9]T0[0-9]:00:00Z)",
    "ChainId": "[a-z0-9-]{1,20}",
    "Digest": "[0-9A-F]{64}",
    "Epoch": "(0|[1-9][0-9]{0,9})",
    "Hash": "[0-9A-F]{64}",
    "Height": "[1-9][0-9]{0,9}",
    "Moment": "2026-0[1-9]-1[0-9]T0[0-9]:00:00Z",
    "Position": "(0|[1-9][0-9]{0,9})",
    "Power": "(0|[1-9][0-9]{0,9})",
}
for name, form in TEXTS.items():
    schemathesis.graphql.scalar(name, st.from_regex(form, fullmatch=True).map(nodes.String))
keys = st.binary(min_size=32, max_size=32).map(lambda key: base64.b64encode(key).decode())
schemathesis.graphql.scalar("PublicKey", keys.map(nodes.String))
schemathesis.graphql.scalar("JSON", st.integers(0, 9).map(nodes.Int))


@schemathesis.check
def errors_are_the_clients(ctx, response, case):
    """Takes the place of `not_a_server_error`, to which every error in GraphQL's form is the server's
    fault: here each says whose it is, and what to do."""
    assert response.status_code < 500, response.status_code
    for error in response.json().get("errors", []):
        problem = error["extensions"]
        assert problem["type"].startswith("/problems/"), error
        assert 400 <= problem["status"] < 500, error
        assert problem["detail"] and problem["instance"], error
