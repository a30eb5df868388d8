//! `node0 config show`: every setting with its value and where it came from.
//!
//! Does not read the settings: it is handed them.

use clap::Subcommand;

use super::{Failure, terminal::Terminal};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List every setting with its value and its source
    Show {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let Verb::Show { json } = verb;
    let terminal = Terminal::new(json);
    let width = config.shown().iter().map(|shown| shown.key.len()).max().unwrap_or_default();
    for shown in config.shown() {
        let sentence = |paint: super::terminal::Paint| {
            let value = shown.value.as_deref().unwrap_or("-");
            let key = format!("{:width$}", shown.key);
            let source = paint.faint(&format!("({})", shown.source));
            format!("{}  {value}  {source}", paint.strong(&key))
        };
        terminal.say(sentence, shown)?;
    }
    Ok(())
}
