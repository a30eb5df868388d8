//! `node0 receipt`: whether a receipt shows that a record is in a log.
//!
//! Needs nothing but the receipt, the record and the log's key: neither a database, nor a server,
//! nor the log.

use std::path::PathBuf;

use clap::Args;
use evidence::Receipt;
use serde_json::json;

use super::{Failure, terminal::Terminal, verify};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The receipt, a .tlog-proof
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
    /// The record, byte for byte as it is in the log
    #[arg(value_name = "RECORD")]
    record: PathBuf,
    /// A verifier key of the log, or of somebody who cosigns it; may be given several times
    #[arg(long = "key", value_name = "VKEY", required = true)]
    keys: Vec<String>,
    /// How many of those who cosign must have, at least
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    cosigned: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let keys = verify::keys(&arguments.keys)?;
    let text = verify::read(&arguments.receipt)?;
    let record = verify::read(&arguments.record)?;
    let name = arguments.receipt.display();
    let refused = |fault: String| Failure::refused(format!("{name} proves nothing: {fault}"));
    let receipt = Receipt::parse(&String::from_utf8_lossy(&text));
    let receipt = receipt.map_err(|fault| refused(fault.to_string()))?;
    let checkpoint = receipt.verify(&record, &keys).map_err(|fault| refused(fault.to_string()))?;
    verify::is_cosigned(&checkpoint.cosigned_by, arguments.cosigned).map_err(refused)?;
    let (index, origin, size) = (receipt.index, checkpoint.origin, checkpoint.size);
    let object = json!({
        "verified": true,
        "origin": origin,
        "position": (index + 1).to_string(),
        "size": size.to_string(),
        "signed_by": checkpoint.signed_by,
        "cosigned_by": checkpoint.cosigned_by,
    });
    terminal.say(
        |paint| {
            let position = index + 1;
            let verified = paint.good("verified");
            format!("{verified}: this record is event {position} of the {size} of {origin}")
        },
        &object,
    )
}
