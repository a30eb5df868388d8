//! What an event is about, as it is now.
//!
//! Does not wait for read models: whoever asks has.

use domain::{configuration::Key, consensus::HeightStream, values::PrincipalId};
use projections::{
    flags, heights,
    keyed::{self, Row},
};

use crate::{
    graphql::{
        context::Asker,
        shapes::{Component, Told},
        types::{blocks::ConsensusHeight, flags::Flag},
    },
    identity::listing::PrincipalView,
    problem::Problem,
    rest::{
        reply::read_problem,
        settings::{self as of_settings, View as SettingView},
    },
};

/// A row of a read model that has one for each aggregate.
pub async fn row<R: Row + Component>(asker: Asker, id: String) -> Result<Option<Told<R>>, Problem> {
    let row = keyed::get::<R>(&asker.app().pool, &id).await.map_err(read_problem)?;
    row.as_ref().map(Told::of).transpose()
}

/// A setting, with what is proposed; none for a key that only an earlier version of the program
/// had.
pub async fn setting(asker: Asker, id: String) -> Result<Option<Told<SettingView>>, Problem> {
    let key: Key = id.parse().map_err(Problem::internal)?;
    of_settings::find(&asker.app().pool, &key).await?.as_ref().map(Told::of).transpose()
}

/// A feature flag.
pub async fn flag(asker: Asker, id: String) -> Result<Option<Flag>, Problem> {
    let key: Key = id.parse().map_err(Problem::internal)?;
    let row = flags::get(&asker.app().pool, &key).await.map_err(read_problem)?;
    Ok(row.map(Flag::from))
}

/// A person or a service.
pub async fn principal(asker: Asker, id: String) -> Result<Option<Told<PrincipalView>>, Problem> {
    let id: PrincipalId = id.parse().map_err(Problem::internal)?;
    asker.app().identities.principal(&id).await?.as_ref().map(Told::of).transpose()
}

/// A height of our own chain.
pub async fn height(asker: Asker, id: String) -> Result<Option<ConsensusHeight>, Problem> {
    let stream: HeightStream = id.parse().map_err(Problem::internal)?;
    let row = heights::get(&asker.app().pool, &stream.chain, stream.height).await;
    Ok(row.map_err(read_problem)?.map(|row| row.height.into()))
}
