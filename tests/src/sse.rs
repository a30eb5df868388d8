//! A reader of server-sent events, frame by frame.
//!
//! Does not know what the frames are about.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// How long a frame may be waited for.
const FRAME_WAIT_MAX: Duration = Duration::from_secs(20);

/// One frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Its id.
    pub id: Option<u64>,
    /// Its name; none for what has no name.
    pub event: Option<String>,
    /// Its data, read as JSON; null when there is none.
    pub data: Value,
}

/// A reply that goes on.
#[derive(Debug)]
pub struct Frames {
    response: Response,
    read: Vec<u8>,
}

impl Frames {
    /// Of a request that must be answered by a stream.
    ///
    /// # Panics
    /// When it is answered otherwise.
    pub async fn of(request: RequestBuilder) -> Frames {
        let response = request.send().await.expect("the server answers");
        let form = response.headers().get("content-type").and_then(|form| form.to_str().ok());
        let is_stream = form.is_some_and(|form| form.starts_with("text/event-stream"));
        if !is_stream {
            panic!("{} {}", response.status(), response.text().await.unwrap_or_default());
        }
        Frames { response, read: Vec::new() }
    }

    /// The next frame; none when the server has ended the stream, an error when it was cut.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn try_next(&mut self) -> Result<Option<Frame>, reqwest::Error> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let frame: Vec<u8> = self.read.drain(..end + 2).collect();
                return Ok(Some(frame_of(&String::from_utf8_lossy(&frame))));
            }
            let chunk = tokio::time::timeout(FRAME_WAIT_MAX, self.response.chunk()).await;
            match chunk.expect("a frame comes in time")? {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The next frame that must come.
    ///
    /// # Panics
    /// When the stream ends instead.
    pub async fn next(&mut self) -> Frame {
        let frame = self.try_next().await.expect("the stream is not cut");
        frame.expect("the stream goes on")
    }

    /// The next frame that is more than a sign of life.
    pub async fn told(&mut self) -> Frame {
        loop {
            let frame = self.next().await;
            if !frame.data.is_null() || frame.event.is_some() {
                return frame;
            }
        }
    }

    /// The positions of the next so many events.
    ///
    /// # Panics
    /// When something else comes.
    pub async fn positions(&mut self, count: usize) -> Vec<u64> {
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let frame = self.told().await;
            assert_eq!(frame.event, None, "{frame:?}");
            let position = frame.id.expect("an event has its position");
            assert_eq!(frame.data["position"], position.to_string());
            found.push(position);
        }
        found
    }
}

fn frame_of(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => frame.id = id.parse().ok(),
            Some(("event", event)) => frame.event = Some(event.to_owned()),
            Some(("data", data)) => frame.data = serde_json::from_str(data).unwrap_or_default(),
            Some(_) | None => {}
        }
    }
    frame
}
