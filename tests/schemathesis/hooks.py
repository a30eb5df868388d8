"""What Schemathesis cannot know of this interface."""

import re

import schemathesis

# There `after` is a number, not a cursor.
BY_NUMBER = re.compile("/api/v1/(events|streams|consensus)")
VERSION_TAG = re.compile('"(0|[1-9][0-9]{0,17})"')


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody makes up a cursor, which a page before gave; and a version tag keeps its quotes."""
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    if not BY_NUMBER.match(case.operation.path):
        (case.query or {}).pop("after", None)
    if not VERSION_TAG.fullmatch((case.headers or {}).get("If-Match", "")):
        (case.headers or {}).pop("If-Match", None)


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    """Lines as they are."""
    return str(value).encode()
