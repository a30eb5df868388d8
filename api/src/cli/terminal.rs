//! Output for people and for machines: colours only on a terminal, one JSON object a line on
//! request.
//!
//! Does not know what is said.

use std::{
    env,
    io::{ErrorKind, IsTerminal, Write, stderr, stdout},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Failure;

/// How to write to standard output.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// One JSON object a line instead of sentences.
    pub json: bool,
    colours: bool,
}

/// The colours that are used, by what they mean.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Well.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Worth a look.
    pub fn warning(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Wrong.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What the eye should find.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What it may pass over.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}

impl Terminal {
    /// Standard output as it is.
    pub fn new(json: bool) -> Terminal {
        Terminal { json, colours: !json && stdout().is_terminal() && colours_wanted() }
    }

    /// Whether a person is looking.
    pub fn is_watched(&self) -> bool {
        !self.json && stderr().is_terminal()
    }

    /// A bar for so many of something, where a person is looking.
    pub fn bar(&self, count: u64, what: &str) -> ProgressBar {
        let target = if self.is_watched() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(count), target);
        let template = format!("{{bar:40}} {{pos}}/{{len}} {what}  {{per_sec}}  {{eta}}");
        match ProgressStyle::with_template(&template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// The colours to use.
    pub fn paint(&self) -> Paint {
        Paint { colours: self.colours }
    }

    /// Says one thing, in the form that was asked for.
    pub fn say(
        &self,
        sentence: impl FnOnce(Paint) -> String,
        object: &impl Serialize,
    ) -> Result<(), Failure> {
        if !self.json {
            return self.line(&sentence(self.paint()));
        }
        let line = serde_json::to_string(object).map_err(Failure::refused)?;
        self.line(&line)
    }

    /// Writes a line as it is.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
        written.and_then(|()| out.flush()).map_err(|error| {
            // Whoever read has seen enough, as in `node0 events tail | head -1`.
            let enough = error.kind() == ErrorKind::BrokenPipe;
            if enough { Failure::unheard() } else { Failure::unreachable(error) }
        })
    }
}

/// Says on standard error why the program ends.
pub(super) fn complain(message: &str) {
    let paint = Paint { colours: colours_on_stderr() };
    // Nobody is left to be told that nobody can be told.
    writeln!(stderr(), "{} {message}", paint.bad("node0:")).unwrap_or_default();
}

/// Whether standard error takes colours.
pub fn colours_on_stderr() -> bool {
    stderr().is_terminal() && colours_wanted()
}

fn colours_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}
