"""Runs Schemathesis with all its checks against the real server: once for each role, and once for a
stranger. `run.py PROGRAM [ROLE...]`; EXAMPLES says how many cases each operation gets at least.

Needs Schemathesis beside the Python that runs it, and makes a private PostgreSQL of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
TOKEN = "schemathesis-0123456789abcdef0123456789abcdef"
STRANGER = "stranger"
ROLES = ["super_admin", "admin", "operator", "auditor", "viewer", "validator", STRANGER]
VALIDATOR = "validator-0123456789abcdef0123456789abcdef01234567"


def ask(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    request = urllib.request.Request(url + path, data=data, headers=headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def serve(program, folder):
    """Starts the server without limits of rate: a run asks more than anybody may."""
    settings = {
        "NODE0_DATA": folder,
        "NODE0_LISTEN": "127.0.0.1:0",
        "NODE0_SETUP_TOKEN": TOKEN,
        "NODE0_TOKEN_ALGORITHM": "EdDSA",
        "NODE0_RATE_QUERIES_MAX": "0",
        "NODE0_RATE_COMMANDS_MAX": "0",
        "NODE0_RATE_SIGN_INS_MAX": "0",
    }
    log = open(Path(folder).with_suffix(".log"), "w")
    server = subprocess.Popen(
        [program, "serve", "--json"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    return server, json.loads(server.stdout.readline())["address"]


def key_of(url, role):
    """An API key with all that the role gives."""
    roles = ask(url, "/api/v1/roles")["items"]
    scopes = next(one["permissions"] for one in roles if one["role"] == role)
    name = VALIDATOR if role == "validator" else f"service-{role.replace('_', '-')}"
    service = {"principal": name, "display_name": role, "roles": [role]}
    ask(url, "/api/v1/services", service)
    expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    key = {"principal": name, "label": "schemathesis", "scopes": scopes, "expires_at": expires_at}
    return ask(url, "/api/v1/api-keys", key)["token"]


def judge(url, role):
    """Whether it finds nothing wrong, neither over REST nor over GraphQL."""
    program = str(Path(sys.executable).with_name("schemathesis"))
    options = [
        "--checks", "all",
        "--max-examples", os.environ.get("EXAMPLES", "10"),
        "--continue-on-failure",
        "--suppress-health-check", "all",
        "--generation-database", "none",
    ]
    if role != STRANGER:
        options += ["--header", f"Authorization: Bearer {key_of(url, role)}"]
    rest = [
        program, "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/api/openapi.json", *options,
    ]
    graphql = [
        program, "--config-file", str(HERE / "graphql.toml"),
        "run", f"{url}/graphql", *options, "--exclude-checks", "not_a_server_error",
    ]
    well = True
    for command, hooks in [(graphql, "graphql_hooks"), (rest, "hooks")]:
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": hooks, "PYTHONPATH": str(HERE)}
        well &= subprocess.run(command, env=environment, cwd=HERE).returncode == 0
    return well


def main():
    program, roles = str(Path(sys.argv[1]).resolve()), sys.argv[2:] or ROLES
    failed = []
    for role in roles:
        # Each role finds a log of its own: who may do much leaves much behind.
        with tempfile.TemporaryDirectory(prefix="node0-schemathesis-") as folder:
            # PostgreSQL runs as somebody else when this runs as root.
            os.chmod(folder, 0o755)
            server, url = serve(program, f"{folder}/data")
            try:
                print(f"schemathesis: {role}", flush=True)
                if not judge(url, role):
                    failed.append(role)
            finally:
                server.terminate()
                server.wait()
    print("schemathesis: found something for " + ", ".join(failed) if failed else
          f"schemathesis: nothing found for {', '.join(roles)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
