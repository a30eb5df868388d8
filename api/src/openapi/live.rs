//! Live streams: where they begin, what they bring, how they end.
//!
//! Does not know how they are served.

use serde_json::{Value, json};

use super::{
    queries::{STREAM, text, uuid},
    shared,
};

/// Which events are wanted.
pub fn event_filter() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("category", "Of this category of streams.", text()),
        ("stream", "Of this stream.", json!({"type": "string", "pattern": STREAM})),
        ("type", "Of this stored name.", text()),
        ("correlation", "Of this story.", uuid()),
    ]
}

/// Where a live stream begins.
pub fn parameters() -> [Value; 3] {
    let position = shared::position();
    [
        json!({
            "name": "after", "in": "query", "schema": position,
            "description": "The position to begin after; the end of the log when it is missing.",
        }),
        json!({
            "name": "incarnation", "in": "query", "schema": uuid(),
            "description": "The log that position is of, as the `start` of a stream names it: 409 \
                            when it was restored since.",
        }),
        json!({
            "name": "Last-Event-ID", "in": "header",
            "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
            "description": "The id of the last frame that arrived, which browsers send by \
                            themselves: wins over `after`.",
        }),
    ]
}

/// What a live stream's frames are.
pub const EVENTS: &str = "Server-sent events, for as long as somebody listens. First `event: \
     start` with the position it begins after, the log's `incarnation` and its `head`; then one frame without \
     a name for each event, its `id` the position and its `data` an `Event`; comments as a sign of \
     life. The last frame is `event: end`: its `id` is where to go on, its `data` is a `Problem` that says why (`draining`, \
     `log-restored`, `too-slow`, `database-unavailable`). Coming back with `Last-Event-ID` loses \
     and doubles nothing.";

/// What the results of a GraphQL request are, one after the other.
pub const RESULTS: &str = "Server-sent events in the mode of distinct connections of the \
     graphql-sse protocol: `event: next` with a GraphQL result for each, comments as a sign of life, \
     and `event: complete` as the last. What is wrong with the document is told by a `next` with \
     errors.";

/// The form of a live stream; OpenAPI 3.1 has no words for its frames.
pub fn content() -> Value {
    json!({"text/event-stream": {}})
}
