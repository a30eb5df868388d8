//! Another master key: everything that is sealed is sealed anew, while all servers go on.
//!
//! Does not know what the secrets are for. The story: every server is given the new key beside the
//! old one; then the new one in the place of the old, which still opens; then all is sealed anew,
//! and the old one is not needed any more.

use domain::values::{Hash, PrincipalId};
use sqlx::PgPool;

use super::{
    second_factor, secrets, signing_keys,
    vault::{KEY_BYTES, Vault, VaultError},
};

/// What the key by which texts are found is sealed for.
const INDEX_PURPOSE: &str = "index key";

/// The vault with the key by which texts are found: the first start keeps the one of its master
/// key. An error unless what is kept opens: so a wrong master key is noticed before anything else.
pub(super) async fn settled(pool: &PgPool, vault: Vault) -> Result<Vault, VaultError> {
    let sealed = vault.seal(INDEX_PURPOSE, &vault.index_key()).map_err(VaultError::Random)?;
    let statement = "insert into index_keys (sealed) values ($1) on conflict do nothing";
    sqlx::query(statement).bind(sealed).execute(pool).await?;
    let kept: Vec<u8> = sqlx::query_scalar("select sealed from index_keys").fetch_one(pool).await?;
    let key: Option<[u8; KEY_BYTES]> =
        vault.open(INDEX_PURPOSE, &kept).and_then(|key| key.try_into().ok());
    Ok(vault.finding_by(key.ok_or(VaultError::OtherKey)?))
}

/// Where something sealed is kept.
struct Place {
    /// Reads what names it, and it.
    select: &'static str,
    /// Puts another in its place.
    update: &'static str,
    /// What it is sealed for; none when what names it is no name.
    purpose: fn(&[String]) -> Option<String>,
}

const PLACES: [Place; 5] = [
    Place {
        select: "select array['index'], sealed from index_keys",
        update: "update index_keys set sealed = $2 where $1 = array['index']",
        purpose: |_| Some(INDEX_PURPOSE.to_owned()),
    },
    Place {
        select: "select array[key_id], wrapped from person_keys",
        update: "update person_keys set wrapped = $2 where key_id = ($1::text[])[1]",
        purpose: |names| names.first().map(|key_id| secrets::person_purpose(key_id)),
    },
    Place {
        select: "select array[kid], sealed from signing_keys",
        update: "update signing_keys set sealed = $2 where kid = ($1::text[])[1]",
        purpose: |names| names.first().map(|kid| signing_keys::purpose(kid)),
    },
    Place {
        select: "select array[encode(fingerprint, 'hex')], sealed from password_verifiers",
        update: "update password_verifiers set sealed = $2 \
                 where fingerprint = decode(($1::text[])[1], 'hex')",
        purpose: |names| Some(secrets::password_purpose(verifier(names)?)),
    },
    Place {
        select: "select array[encode(fingerprint, 'hex'), principal], sealed from second_factors",
        update: "update second_factors set sealed = $2 \
                 where fingerprint = decode(($1::text[])[1], 'hex')",
        purpose: |names| {
            let id: PrincipalId = names.get(1)?.parse().ok()?;
            Some(second_factor::purpose(&id, verifier(names)?))
        },
    },
];

/// Seals everything anew that is sealed under the other master key, and says how many secrets that
/// were. Whatever is stored meanwhile is sealed under the new one already.
pub(super) async fn reseal(pool: &PgPool, vault: &Vault) -> Result<u64, VaultError> {
    let mut renewed = 0;
    for place in PLACES {
        let rows: Vec<(Vec<String>, Vec<u8>)> =
            sqlx::query_as(place.select).fetch_all(pool).await?;
        for (names, sealed) in rows {
            let Some(purpose) = (place.purpose)(&names) else { continue };
            let renewal = vault.renewed(&purpose, &sealed).map_err(VaultError::Random)?;
            let Some(renewal) = renewal else { continue };
            sqlx::query(place.update).bind(names).bind(renewal).execute(pool).await?;
            renewed += 1;
        }
    }
    Ok(renewed)
}

/// The fingerprint that names a row.
fn verifier(names: &[String]) -> Option<Hash> {
    let bytes = hex::decode(names.first()?).ok()?;
    bytes.try_into().ok().map(Hash::from_bytes)
}
