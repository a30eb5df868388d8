//! RFC 8785 (JCS): one value, one sequence of bytes, one hash.
//!
//! Knows no record and no event. Refuses what JSON readers disagree about (floats, integers beyond
//! 2^53-1, a key twice) instead of rounding it. A float that is no number is written `null` by
//! serde_json before it gets here: types that are stored have no floats.

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;

use crate::error::RecordError;

/// The largest integer that every JSON reader keeps: 2^53 - 1. Larger ones are written as strings.
pub const INTEGER_MAX: u64 = 9_007_199_254_740_991;
/// How deep arrays and objects may nest.
pub const DEPTH_MAX: usize = 64;

/// Writes `value` in canonical form, or says where it has none.
///
/// serde_json already writes what RFC 8785 asks for, except for the order of keys and, where raw
/// JSON is embedded, blanks and needless escapes. So its output is checked in one pass and objects
/// are put in order in place, instead of being built as a tree and printed again.
pub fn to_string(value: &impl Serialize) -> Result<String, RecordError> {
    let json = serde_json::to_vec(value).map_err(|error| RecordError::NotCanonical {
        pointer: String::new(),
        reason: format!("cannot be written as JSON: {error}"),
    })?;
    canonicalise(json)
}

/// Brings JSON text into canonical form, or says where it has none.
pub fn canonicalise(json: Vec<u8>) -> Result<String, RecordError> {
    let mut scanner = Scanner::over(json);
    let outcome = match scanner.document() {
        Err(Stop::NeedsRewriting) => {
            scanner = Scanner::over(rewrite(&scanner.json)?);
            scanner.document()
        }
        settled @ (Ok(()) | Err(Stop::Fault { .. })) => settled,
    };
    match outcome {
        Ok(()) => String::from_utf8(scanner.json).map_err(|_| not_json()),
        Err(Stop::NeedsRewriting) => Err(not_json()),
        Err(Stop::Fault { path, reason }) => Err(not_canonical(&path, reason)),
    }
}

/// Whether JSON text is in canonical form; an error where it has none.
pub fn is_canonical(json: &[u8]) -> Result<bool, RecordError> {
    match Scanner::over(json).document() {
        Ok(()) => std::str::from_utf8(json).map(|_| true).map_err(|_| not_json()),
        Err(Stop::NeedsRewriting) => Ok(false),
        Err(Stop::Fault { path, reason }) => Err(not_canonical(&path, reason)),
    }
}

fn not_canonical(path: &[String], reason: String) -> RecordError {
    let pointer = path.iter().rev().map(|part| format!("/{part}")).collect();
    RecordError::NotCanonical { pointer, reason }
}

fn not_json() -> RecordError {
    RecordError::Malformed("the text is not JSON".to_owned())
}

/// Why a scan ended early.
enum Stop {
    /// Blanks or escapes that are valid JSON but not canonical.
    NeedsRewriting,
    /// Something without a canonical form; the path from the inside out.
    Fault { path: Vec<String>, reason: String },
}

fn fault(reason: impl Into<String>) -> Stop {
    Stop::Fault { path: Vec::new(), reason: reason.into() }
}

impl Stop {
    fn within(mut self, part: impl FnOnce() -> String) -> Stop {
        if let Stop::Fault { path, .. } = &mut self {
            path.push(part());
        }
        self
    }
}

/// One `"key":value` of an object.
#[derive(Clone)]
struct Member {
    /// The key with its quotes.
    key: Range<usize>,
    whole: Range<usize>,
}

/// A text that is scanned: one that may be put in order, or one that must be.
trait Text: std::ops::Deref<Target = [u8]> {
    /// Puts another part of the same length in the place of what begins here.
    fn replace(&mut self, begin: usize, with: &[u8]) -> Result<(), Stop>;
}

impl Text for Vec<u8> {
    fn replace(&mut self, begin: usize, with: &[u8]) -> Result<(), Stop> {
        self[begin..begin + with.len()].copy_from_slice(with);
        Ok(())
    }
}

impl Text for &[u8] {
    fn replace(&mut self, _: usize, _: &[u8]) -> Result<(), Stop> {
        Err(Stop::NeedsRewriting)
    }
}

struct Scanner<T> {
    json: T,
    at: usize,
    depth: usize,
    /// The members of all objects that are open, the innermost last.
    members: Vec<Member>,
}

impl<T: Text> Scanner<T> {
    fn over(json: T) -> Scanner<T> {
        Scanner { json, at: 0, depth: 0, members: Vec::new() }
    }

    fn document(&mut self) -> Result<(), Stop> {
        self.value()?;
        if self.at == self.json.len() { Ok(()) } else { Err(Stop::NeedsRewriting) }
    }

    fn peek(&self) -> u8 {
        self.json.get(self.at).copied().unwrap_or(0)
    }

    fn expect(&mut self, text: &[u8]) -> Result<(), Stop> {
        if self.json[self.at..].starts_with(text) {
            self.at += text.len();
            return Ok(());
        }
        Err(Stop::NeedsRewriting)
    }

    fn value(&mut self) -> Result<(), Stop> {
        match self.peek() {
            b'"' => self.string(),
            b'{' => self.nested(Scanner::object),
            b'[' => self.nested(Scanner::array),
            b't' => self.expect(b"true"),
            b'f' => self.expect(b"false"),
            b'n' => self.expect(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(Stop::NeedsRewriting),
        }
    }

    fn nested(&mut self, inside: fn(&mut Scanner<T>) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.depth == DEPTH_MAX {
            return Err(fault(format!("is nested deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        self.at += 1;
        let done = inside(self);
        self.depth -= 1;
        done
    }

    fn array(&mut self) -> Result<(), Stop> {
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        for index in 0_usize.. {
            self.value().map_err(|stop| stop.within(|| index.to_string()))?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(Stop::NeedsRewriting),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), Stop> {
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        let base = self.members.len();
        let body = self.at;
        let mut in_order = true;
        loop {
            let start = self.at;
            if self.peek() != b'"' {
                return Err(Stop::NeedsRewriting);
            }
            self.string()?;
            let key = start..self.at;
            self.expect(b":")?;
            if let Err(stop) = self.value() {
                return Err(stop.within(|| pointer_part(&self.json[key])));
            }
            if in_order && let Some(last) = self.members[base..].last() {
                in_order = compare(&self.json[last.key.clone()], &self.json[key.clone()]).is_lt();
            }
            self.members.push(Member { key, whole: start..self.at });
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(Stop::NeedsRewriting),
            }
        }
        if !in_order {
            self.put_in_order(base, body)?;
        }
        self.members.truncate(base);
        self.at += 1;
        Ok(())
    }

    /// Rewrites the open object's body, which starts at `body`, with its members in order. The same
    /// members with the same commas: the length stays.
    fn put_in_order(&mut self, base: usize, body: usize) -> Result<(), Stop> {
        let mut members = self.members.split_off(base);
        members.sort_by(|a, b| compare(&self.json[a.key.clone()], &self.json[b.key.clone()]));
        for pair in members.windows(2) {
            let key = &self.json[pair[1].key.clone()];
            if compare(&self.json[pair[0].key.clone()], key).is_eq() {
                return Err(fault("stands twice").within(|| pointer_part(key)));
            }
        }
        let mut sorted = Vec::with_capacity(self.at - body);
        for member in &members {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(&self.json[member.whole.clone()]);
        }
        self.json.replace(body, &sorted)
    }

    fn string(&mut self) -> Result<(), Stop> {
        self.at += 1;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => self.escape()?,
                // Also the end of the text.
                0..=0x1f => return Err(Stop::NeedsRewriting),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The escapes of RFC 8785: the short ones, and lower-case hex for the other control
    /// characters.
    fn escape(&mut self) -> Result<(), Stop> {
        let rest = &self.json[self.at + 1..];
        self.at += match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return Err(Stop::NeedsRewriting),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        let mut magnitude = 0_u64;
        let digits = self.at;
        while let digit @ b'0'..=b'9' = self.peek() {
            magnitude = magnitude.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let negative = digits > start;
        if matches!(self.peek(), b'.' | b'e' | b'E') || (negative && magnitude == 0) {
            return Err(fault("is a float: only integers and strings are stored"));
        }
        if magnitude > INTEGER_MAX {
            return Err(fault("is an integer beyond 2^53-1: it must be a decimal string"));
        }
        // A leading zero or nothing at all is no JSON.
        let length = self.at - digits;
        if length == 0 || (length > 1 && self.json[digits] == b'0') {
            return Err(Stop::NeedsRewriting);
        }
        Ok(())
    }
}

/// RFC 8785 orders keys by their UTF-16 code units.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let plain = |key: &[u8]| key.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    if plain(a) && plain(b) {
        // Without the quotes: a key that is the beginning of the other comes first.
        return a[1..a.len() - 1].cmp(&b[1..b.len() - 1]);
    }
    key_text(a).encode_utf16().cmp(key_text(b).encode_utf16())
}

fn key_text(key: &[u8]) -> String {
    serde_json::from_slice(key).unwrap_or_default()
}

fn pointer_part(key: &[u8]) -> String {
    key_text(key).replace('~', "~0").replace('/', "~1")
}

/// Drops blanks and writes each string anew; all else stays as it is.
fn rewrite(json: &[u8]) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::with_capacity(json.len());
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'"' => {
                let end = string_end(json, at).ok_or_else(not_json)?;
                let text: String = serde_json::from_slice(&json[at..end]).map_err(|error| {
                    RecordError::NotCanonical {
                        pointer: String::new(),
                        reason: format!("has a string that is no Unicode text: {error}"),
                    }
                })?;
                serde_json::to_writer(&mut out, &text).map_err(|_| not_json())?;
                at = end;
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    Ok(out)
}

fn string_end(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
