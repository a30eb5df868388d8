//! How a key becomes a validator: it proves itself, and puts something down.
//!
//! Does not know whether it will be taken.

use domain::{
    validator::{Command, Registration, registration_bytes},
    values::{Address, Amount, Bps, ChainId, Contact, Moniker, Operator, Reservation, Website},
};
use serde::Serialize;
use serde_json::Value;

use crate::{Failure, Key, Server, server::Answer};

/// Where the server says which chains there are.
const CHAINS: &str = "/api/v1/chains?first=100";

/// What is said of a new validator.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The stake it puts down.
    pub bond: Amount,
    /// The chain it will validate; the server's own when it is not said.
    pub chain_id: Option<ChainId>,
    /// Its share of what its delegators earn.
    pub commission_bps: Bps,
    /// How its people can be reached.
    pub contact: Option<Contact>,
    /// The name it shows.
    pub moniker: Moniker,
    /// Who runs it.
    pub operator: Operator,
    /// The stake that was set aside for it.
    pub reservation: Option<Reservation>,
    /// Where it introduces itself.
    pub website: Option<Website>,
}

/// What became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    /// The validator.
    pub address: Address,
    /// The chain it will validate.
    pub chain_id: ChainId,
    /// Where in the log it stands; none when nothing was new.
    pub position: Option<Value>,
    /// The version of its stream.
    pub version: Value,
}

/// Registers a key.
pub async fn register(server: &Server, key: &Key, wanted: Wanted) -> Result<Registered, Failure> {
    let chain_id = match wanted.chain_id {
        Some(chain_id) => chain_id,
        None => own_chain(server).await?,
    };
    let proof = key.sign(&registration_bytes(&chain_id, key.address()));
    let command = Command::Register(Box::new(Registration {
        bond: wanted.bond,
        chain_id: chain_id.clone(),
        commission_bps: wanted.commission_bps,
        contact: wanted.contact,
        moniker: wanted.moniker,
        operator: wanted.operator,
        proof,
        public_key: key.public(),
        reservation: wanted.reservation,
        website: wanted.website,
    }));
    let mut body = serde_json::to_value(&command).map_err(Failure::refused)?;
    if let Some(members) = body.as_object_mut() {
        members.remove("command");
    }
    match server.post("/api/v1/validators", &body).await {
        Answer::Done(mut reply) => Ok(Registered {
            address: key.address(),
            chain_id,
            position: Some(reply["position"].take()).filter(|position| !position.is_null()),
            version: reply["version"].take(),
        }),
        Answer::Refused(because) | Answer::Forbidden(because) => Err(Failure::Refused(because)),
        Answer::Busy(because) => Err(Failure::Unreachable(because)),
    }
}

/// The one chain that the server executes itself.
async fn own_chain(server: &Server) -> Result<ChainId, Failure> {
    let chains = match server.get(CHAINS).await {
        Answer::Done(chains) => chains,
        Answer::Refused(because) | Answer::Forbidden(because) => {
            return Err(Failure::Refused(because));
        }
        Answer::Busy(because) => return Err(Failure::Unreachable(because)),
    };
    let items = chains["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = items.iter().find(|chain| chain["kind"] == "native");
    let name = own.and_then(|chain| chain["chain_id"].as_str()).and_then(|id| id.parse().ok());
    name.ok_or_else(|| Failure::Usage("The server has no chain of its own: say --chain".to_owned()))
}
