//! Erasure: whose personal data is to be erased loses the key it is sealed under, and everything
//! else that is kept of them beside the log; a certificate says so.
//!
//! Does not decide who is erased. Copies of the database from before are the operator's to destroy.

use chrono::Utc;
use domain::{
    aggregate::Aggregate as _,
    identity::principal::{Command, Principal},
    values::{Hash, Moment, PrincipalId},
};
use event_store::{Filter, StreamName};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Identities;
use crate::{graphql::Component, problem::Problem, rest::log, server::App};

/// That the key of a person's data is destroyed, and what proves it: the event that names the
/// certificate by its hash is in the log, and the log is signed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErasureCertificate {
    /// Who.
    #[schema(value_type = String, example = "principal-north")]
    pub principal: PrincipalId,
    /// The certificate: JSON in canonical form (RFC 8785), byte for byte as it was made.
    pub certificate: String,
    /// Its SHA-256: what the event names.
    #[schema(value_type = String)]
    pub hash: Hash,
    /// The position of the event.
    #[schema(example = "42")]
    pub position: String,
    /// The receipt of the event (`.tlog-proof`), signed by the log's key; null while it is not
    /// sealed.
    pub receipt: Option<String>,
}

impl Component for ErasureCertificate {
    const SCHEMA: &'static str = "ErasureCertificate";
}

/// The certificate of a person whose key is destroyed; none where it is not.
pub async fn certificate(
    app: &App,
    principal: &PrincipalId,
) -> Result<Option<ErasureCertificate>, Problem> {
    let statement = "select certificate from erasure_certificates where principal = $1";
    let kept: Option<String> =
        sqlx::query_scalar(statement).bind(principal.as_str()).fetch_optional(&app.tables).await?;
    let Some(certificate) = kept else { return Ok(None) };
    let stream = StreamName::of(Principal::CATEGORY, principal).map_err(Problem::internal)?;
    let filter = Filter {
        streams: vec![stream],
        event_types: vec![DESTROYED.to_owned()],
        ..Filter::default()
    };
    let mut told = None;
    app.store.each(&filter, |event| told = Some(event.position)).await?;
    // It is destroyed, and told in a moment.
    let Some(position) = told else { return Ok(None) };
    let receipt = match log::published(app) {
        Ok(_) => log::receipt(app, position).await.ok(),
        Err(_) => None,
    };
    Ok(Some(ErasureCertificate {
        principal: principal.clone(),
        hash: Hash::of(certificate.as_bytes()),
        certificate,
        position: position.to_string(),
        receipt,
    }))
}

/// What says that a key is destroyed.
const DESTROYED: &str = "subject-key-destroyed.v1";

/// Everything that is forgotten, but for the key itself.
const FORGOTTEN: [&str; 4] = [
    "delete from password_verifiers where principal = $1",
    "delete from second_factors where principal = $1",
    "delete from refresh_tokens where principal = $1",
    "delete from access_records where principal = $1",
];

impl Identities {
    /// Destroys the keys of those who were erased, and tells it. Whatever is killed in between, it
    /// goes on: the key is gone with its certificate in one transaction, and then told.
    pub(super) async fn destroy_keys(&self) -> Result<(), Problem> {
        let erased: Vec<PrincipalId> = {
            let directory = self.commands.directory();
            let due = directory.identities().filter(|(_, one)| one.erased && !one.key_destroyed);
            due.map(|(id, _)| id.clone()).collect()
        };
        for id in erased {
            let certificate = self.destroy_key(&id).await?;
            let confirm = Command::ConfirmKeyDestroyed { certificate };
            self.own_now(&id, confirm).await?;
            tracing::info!(principal = %id, "the key of personal data is destroyed");
        }
        Ok(())
    }

    /// Destroys a key, once; the hash of the certificate.
    async fn destroy_key(&self, id: &PrincipalId) -> Result<Hash, Problem> {
        let mut transaction = self.pool.begin().await?;
        let destroyed: Option<String> =
            sqlx::query_scalar("delete from person_keys where principal = $1 returning key_id")
                .bind(id.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        for statement in FORGOTTEN {
            sqlx::query(statement).bind(id.as_str()).execute(&mut *transaction).await?;
        }
        // Members in the order of their names: canonical (RFC 8785).
        let certificate = json!({
            "destroyed_at": Moment::from(Utc::now()), "key": destroyed, "principal": id,
        });
        let statement = "insert into erasure_certificates (principal, certificate) \
                         values ($1, $2) on conflict (principal) do nothing";
        sqlx::query(statement)
            .bind(id.as_str())
            .bind(certificate.to_string())
            .execute(&mut *transaction)
            .await?;
        let statement = "select certificate from erasure_certificates where principal = $1";
        let kept: String =
            sqlx::query_scalar(statement).bind(id.as_str()).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Hash::of(kept.as_bytes()))
    }
}
