//! The frames of a stream of server-sent events, out of the pieces in which it arrives.
//!
//! Does not know what is in them.

/// What has arrived and is not taken yet.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Where the next frame begins.
    begin: usize,
    /// Up to where no frame ends.
    looked: usize,
}

/// One frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its data; empty when there is none.
    pub data: &'a [u8],
    /// Its name.
    pub event: Option<&'a str>,
    /// Its id.
    pub id: Option<u64>,
}

impl Frames {
    /// Takes what has arrived.
    pub fn push(&mut self, piece: &[u8]) {
        // What was taken is dropped here, once for all frames of the piece before.
        self.bytes.drain(..self.begin);
        self.looked -= self.begin;
        self.begin = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole frame.
    pub fn next(&mut self) -> Option<Frame<'_>> {
        let rest = &self.bytes[self.looked..];
        let Some(found) = rest.windows(2).position(|pair| pair == b"\n\n") else {
            // The last byte may be the first of two.
            self.looked = self.bytes.len().saturating_sub(1).max(self.begin);
            return None;
        };
        let (begin, end) = (self.begin, self.looked + found);
        self.begin = end + 2;
        self.looked = self.begin;
        Some(frame(&self.bytes[begin..end]))
    }
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    let mut frame = Frame::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(data) = line.strip_prefix(b"data: ") {
            frame.data = data;
        } else if let Some(id) = line.strip_prefix(b"id: ") {
            frame.id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        } else if let Some(event) = line.strip_prefix(b"event: ") {
            frame.event = std::str::from_utf8(event).ok();
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_wherever_the_stream_is_cut() {
        let text =
            b"retry: 1\nid: 7\nevent: start\ndata: {\"a\":1}\n\n:\nid: 8\n\nid: 9\ndata: x\n\n";
        for cut in 0..text.len() {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for piece in [&text[..cut], &text[cut..]] {
                frames.push(piece);
                while let Some(Frame { data, event, id }) = frames.next() {
                    seen.push((data.to_vec(), event.map(str::to_owned), id));
                }
            }
            let expected = [
                (b"{\"a\":1}".to_vec(), Some("start".to_owned()), Some(7)),
                (Vec::new(), None, Some(8)),
                (b"x".to_vec(), None, Some(9)),
            ];
            assert_eq!(seen, expected, "cut at {cut}");
        }
    }
}
