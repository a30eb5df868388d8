//! Who is who: invitations, passwords, sessions, access tokens and API keys.
//!
//! What somebody proves is compared here; what follows from it is decided by the domain, and told
//! as events. Does not know what anybody may do: that is the policy's and the directory's.

pub mod erasure;
mod letters;
pub mod listing;
pub mod oidc;
mod passwords;
mod recovery;
mod resealing;
mod second_factor;
mod secrets;
mod sessions;
mod setup;
mod signing;
mod signing_keys;
mod tokens;
pub mod vault;

use std::{fmt::Display, str::FromStr, time::Duration};

use chrono::Utc;
use commands::{Actor, CommandError, Commands, RequestContext};
use domain::{
    identity::principal::{Command, Kind as PrincipalKind, Principal, Refusal, Standing},
    values::{Hash, PrincipalId, RoleName},
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    mail::{Letter, Mail},
    problem::{Fault, Kind, Problem},
};
use oidc::Oidc;
pub use passwords::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
pub use second_factor::Enrolment;
use secrets::Secrets;
pub use sessions::{SESSION_S, TokenPair};
pub use setup::SETUP_TOKEN_CHARS_MIN;
pub use signing::{ACCESS_TOKEN_S, Signing};
pub use signing_keys::TokenAlgorithm;
pub use tokens::{API_KEY_PREFIX, NewApiKey};
use vault::{Vault, VaultError};

/// The longest mail address, in bytes (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// The longest name that somebody shows, in characters.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// How the names of services begin.
const SERVICE_PREFIXES: [&str; 2] = ["service-", "validator-"];
/// How long the directory may be behind the log, in milliseconds.
const DIRECTORY_MS: u64 = 100;
/// How many persons may have had one mail address, one after the other.
const HOLDERS_MAX: u32 = 16;

/// The identities of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Identities {
    pool: PgPool,
    commands: Commands,
    secrets: Secrets,
    mail: Mail,
    oidc: Option<Oidc>,
}

/// An invitation that was sent, or is to be handed over.
#[derive(Debug)]
pub struct Invited {
    /// Who is invited.
    pub principal: PrincipalId,
    /// What the invited registers with; none when it was mailed.
    pub token: Option<String>,
}

impl Identities {
    /// Those that the write wing knows, with their secrets in this database under this vault.
    pub async fn open(
        pool: PgPool,
        commands: Commands,
        vault: Vault,
        algorithm: TokenAlgorithm,
        mail: Mail,
        oidc: Option<Oidc>,
    ) -> Result<Identities, VaultError> {
        let vault = resealing::settled(&pool, vault).await?;
        let signing = Signing::new(pool.clone(), vault.clone(), algorithm);
        let secrets = Secrets { vault, signing, passwords: passwords::Passwords::new()? };
        Ok(Identities { pool, commands, secrets, mail, oidc })
    }

    /// Replaces signing keys in time, each of which signs for so long, and destroys the keys of
    /// those who were erased, until the server closes.
    pub async fn tend_keys(self, signs_for: Duration, closing: CancellationToken) {
        let every = Duration::from_secs(signing_keys::READ_EVERY_S);
        loop {
            if let Err(problem) = self.secrets.signing.tend(signs_for).await
                && !closing.is_cancelled()
            {
                tracing::warn!(detail = problem.detail(), "the signing keys cannot be read");
            }
            if let Err(problem) = self.destroy_keys().await
                && !closing.is_cancelled()
            {
                tracing::warn!(detail = problem.detail(), "a key is not destroyed yet");
            }
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    /// Lets another signing key take the place of the one that signs, in a few seconds; tokens that
    /// were signed before stay good.
    pub async fn rotate_signing_key(&self) -> Result<(), Problem> {
        self.secrets.signing.rotate().await
    }

    /// Seals all secrets anew that are sealed under the other master key, and says how many.
    pub async fn reseal(&self) -> Result<u64, VaultError> {
        resealing::reseal(&self.pool, &self.secrets.vault).await
    }

    /// Keeps the directory near the newest event of the log, until the server closes: what is
    /// granted or revoked anywhere counts here within [`DIRECTORY_MS`] and a read.
    pub async fn follow(self, closing: CancellationToken) {
        let mut head = self.commands.store().watch_head();
        loop {
            if let Err(error) = self.commands.refresh_directory().await
                && !closing.is_cancelled()
            {
                tracing::warn!(%error, "the directory cannot be brought up to date");
            }
            tokio::select! {
                () = closing.cancelled() => return,
                changed = head.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep(Duration::from_millis(DIRECTORY_MS)).await;
        }
    }

    /// From what the key is made that notices are signed with; as lasting as the vault.
    pub(crate) fn webhook_seed(&self) -> [u8; 32] {
        *self.secrets.vault.index("webhooks", "signing").as_bytes()
    }

    async fn command(
        &self,
        id: &PrincipalId,
        command: Command,
        actor: Actor,
    ) -> Result<(), CommandError<Refusal>> {
        let context = RequestContext::new(actor);
        self.commands.execute::<Principal>(id.clone(), command, context).await.map(drop)
    }

    /// What somebody does to themselves, and has proved that they are who they are.
    async fn own(&self, id: &PrincipalId, command: Command) -> Result<(), CommandError<Refusal>> {
        self.command(id, command, Actor::on_behalf_of(id)).await
    }

    /// The same, known here before the answer.
    async fn own_now(&self, id: &PrincipalId, command: Command) -> Result<(), Problem> {
        self.own(id, command).await.map_err(Problem::of_command)?;
        self.commands.refresh_directory().await?;
        Ok(())
    }

    /// The keys by which others can check access tokens.
    pub async fn public_keys(&self) -> Result<Vec<jsonwebtoken::jwk::Jwk>, Problem> {
        self.secrets.signing.public().await
    }

    /// Invites a person, with the roles it gets: the same address again renews the invitation.
    pub async fn invite(
        &self,
        email: &str,
        roles: &[RoleName],
        actor: &Actor,
    ) -> Result<Invited, Problem> {
        let email = normalised(email)?;
        let (principal, token) = self.invite_silently(&email, roles, actor).await?;
        // Without a mail server whoever invites hands the token over.
        if !self.mail.is_sent() {
            return Ok(Invited { principal, token: Some(token) });
        }
        self.mail.send(Letter {
            to: email,
            subject: "You are invited",
            what: "To register, choose a name and a password",
            path: "/api/v1/auth/register",
            token,
        });
        Ok(Invited { principal, token: None })
    }

    /// The same without telling the invited; returns the token as well.
    async fn invite_silently(
        &self,
        email: &str,
        roles: &[RoleName],
        actor: &Actor,
    ) -> Result<(PrincipalId, String), Problem> {
        self.commands.refresh_directory().await?;
        let id = self.id_for(email)?;
        let token = tokens::new_link(&id)?;
        let invite = Command::Invite {
            email: self.seal_personal(&id, email).await?,
            email_index: self.secrets.vault.index("email", email),
            token: Hash::of(token.as_bytes()),
        };
        self.command(&id, invite, actor.clone()).await.map_err(Problem::of_command)?;
        self.grant(&id, roles, actor).await?;
        Ok((id, token))
    }

    /// Grants roles, as far as whoever asks may.
    async fn grant(
        &self,
        id: &PrincipalId,
        roles: &[RoleName],
        actor: &Actor,
    ) -> Result<(), Problem> {
        for role in roles {
            let grant = Command::GrantRole { role: role.clone() };
            self.command(id, grant, actor.clone()).await.map_err(Problem::of_command)?;
        }
        Ok(())
    }

    /// The id of whoever has an address: always the same, so that two invitations at once meet in
    /// one stream. Whoever comes after one that is closed is somebody else.
    fn id_for(&self, email: &str) -> Result<PrincipalId, Problem> {
        let directory = self.commands.directory();
        for holder in 0..HOLDERS_MAX {
            let index = self.secrets.vault.index("principal", &format!("{email}\0{holder}"));
            let id = format!("user-{}", hex::encode(&index.as_bytes()[..12]));
            let id: PrincipalId = id.parse().map_err(Problem::internal)?;
            match directory.identity(&id) {
                Some(identity) if identity.standing == Standing::Closed => {}
                Some(_) | None => return Ok(id),
            }
        }
        Err(Problem::new(Kind::Refused, "too many accounts with this address were closed"))
    }

    /// Makes whoever holds an invitation's token active.
    pub async fn register(
        &self,
        token: &str,
        display_name: &str,
        password: &str,
    ) -> Result<PrincipalId, Problem> {
        check_name(display_name)?;
        passwords::check(password, "/password")?;
        let id = tokens::of_link(token).ok_or_else(bad_link)?;
        let display_name = self.seal_personal(&id, display_name).await?;
        let register = |verifier| Command::Register {
            display_name,
            kind: PrincipalKind::User,
            token: Some(Hash::of(token.as_bytes())),
            verifier: Some(verifier),
        };
        let done = self.with_password(&id, password, register).await?;
        done.map_err(|error| {
            // Whether somebody is invited is not told to whoever guesses.
            let guessed = matches!(
                error,
                CommandError::Refused(
                    Refusal::TokenMismatch
                        | Refusal::InvitationMissing
                        | Refusal::NotFound
                        | Refusal::AlreadyRegistered { .. }
                )
            );
            if guessed { bad_link() } else { Problem::of_command(error) }
        })?;
        Ok(id)
    }

    /// Sets up a service, with the roles it gets; it signs in by API keys alone.
    pub async fn set_up_service(
        &self,
        id: Option<PrincipalId>,
        display_name: &str,
        roles: &[RoleName],
        actor: &Actor,
    ) -> Result<PrincipalId, Problem> {
        check_name(display_name)?;
        if id.as_ref().is_some_and(|id| !is_of_service(id)) {
            let detail = format!("a service's name begins with one of {SERVICE_PREFIXES:?}");
            return Err(Problem::invalid_body(vec![Fault::at("/principal", detail)]));
        }
        let id = id.map_or_else(|| fresh_id("service"), Ok)?;
        let register = Command::Register {
            display_name: self.seal_personal(&id, display_name).await?,
            kind: PrincipalKind::Service,
            token: None,
            verifier: None,
        };
        self.command(&id, register, actor.clone()).await.map_err(Problem::of_command)?;
        self.grant(&id, roles, actor).await?;
        Ok(id)
    }
}

/// A new name for something of a kind, in the order of time.
fn fresh_id<T: FromStr<Err: Display>>(kind: &str) -> Result<T, Problem> {
    format!("{kind}-{}", Uuid::now_v7().simple()).parse().map_err(Problem::internal)
}

/// Whether it can be taken for nobody but a service, in any list of who did what.
fn is_of_service(id: &PrincipalId) -> bool {
    SERVICE_PREFIXES.iter().any(|prefix| id.as_str().starts_with(prefix))
}

fn bad_link() -> Problem {
    let detail = "this link is not, or no longer, good: ask for another".to_owned();
    Problem::invalid_body(vec![Fault::at("/token", detail)])
}

/// A mail address as it is told from others: without spaces around it, in lower case.
fn normalised(email: &str) -> Result<String, Problem> {
    let email = email.trim().to_lowercase();
    let well_formed = email.len() <= EMAIL_BYTES_MAX
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        });
    if well_formed {
        return Ok(email);
    }
    let detail = format!("a mail address of at most {EMAIL_BYTES_MAX} bytes is expected");
    Err(Problem::invalid_body(vec![Fault::at("/email", detail)]))
}

fn check_name(name: &str) -> Result<(), Problem> {
    let count = name.chars().count();
    let printed = name.trim() == name && !name.chars().any(char::is_control);
    if printed && (1..=DISPLAY_NAME_CHARS_MAX).contains(&count) {
        return Ok(());
    }
    let detail = format!(
        "1 to {DISPLAY_NAME_CHARS_MAX} characters without control characters or spaces at the ends"
    );
    Err(Problem::invalid_body(vec![Fault::at("/display_name", detail)]))
}

/// Seconds since 1970.
fn seconds() -> u64 {
    u64::try_from(Utc::now().timestamp()).unwrap_or_default()
}
