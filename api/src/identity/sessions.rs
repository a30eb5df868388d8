//! Sessions: from a password to tokens, on by refresh tokens, to the end.
//!
//! Does not decide whether an account is locked, nor whether a proof is enough: the domain does.

use std::net::IpAddr;

use chrono::Utc;
use commands::CommandError;
use domain::{
    identity::principal::{Command, FailureCause, Proof, Refusal, Standing},
    values::{Hash, Moment, Origin, Personal, PrincipalId, SessionId},
};

use super::{
    Identities, fresh_id, passwords, passwords::PASSWORD_BYTES_MAX, second_factor::Matched,
    seconds, tokens,
};
use crate::problem::{Fault, Kind, Problem};

/// How long a session lasts, in seconds, however often it is refreshed: seven days.
pub const SESSION_S: u64 = 7 * 86_400;
/// What a login or a refresh hands out.
#[derive(Debug)]
pub struct TokenPair {
    /// Good for [`ACCESS_TOKEN_S`].
    pub access_token: String,
    /// Good once.
    pub refresh_token: String,
    /// Whose session it is.
    pub principal: PrincipalId,
    /// The session.
    pub session: SessionId,
}

impl Identities {
    /// Starts a session of whoever has this address and this password. Everything that can be wrong
    /// is answered in the same words and after the same work, so that nobody learns who has an
    /// account; that somebody failed is recorded after the answer.
    pub async fn login(
        &self,
        email: &str,
        password: &str,
        code: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<TokenPair, Problem> {
        let secrets = &self.secrets;
        let email = email.trim().to_lowercase();
        self.commands.refresh_directory().await?;
        let index = secrets.vault.index("email", &email);
        let found = {
            let directory = self.commands.directory();
            let id = directory.by_email(&index).cloned();
            id.and_then(|id| Some((directory.identity(&id)?.verifier?, id)))
        };
        let wanted = found.as_ref().map_or(Hash::from_bytes([0; 32]), |(verifier, _)| *verifier);
        let stored = self.stored_password(wanted).await?;
        let right = password.len() <= PASSWORD_BYTES_MAX
            && secrets.passwords.matches(password, stored.as_deref()).await?;
        let Some((verifier, id)) = found else { return Err(wrong_credentials()) };
        if !right {
            self.record_failure(id, FailureCause::Password, from);
            return Err(wrong_credentials());
        }
        let mut proofs = vec![Proof::Password { verifier }];
        if let Some(factor) = self.second_factor_of(&id) {
            let Some(code) = code else { return Err(code_missing()) };
            let Some(matched) = self.match_code(&id, factor, code).await? else {
                let digits = code.bytes().all(|byte| byte.is_ascii_digit());
                let cause = if digits { FailureCause::Totp } else { FailureCause::BackupCode };
                self.record_failure(id, cause, from);
                return Err(wrong_code());
            };
            proofs.push(match matched {
                Matched::Totp(step) => Proof::Totp { step },
                Matched::Backup(number) => Proof::BackupCode { number },
            });
        }
        let refused = |refusal: &Refusal| {
            let used =
                matches!(refusal, Refusal::TotpReplayed { .. } | Refusal::BackupCodeUsed { .. });
            if used { wrong_code() } else { wrong_credentials() }
        };
        self.begin_session(id, proofs, from, refused).await
    }

    /// Starts a session of whoever has proved who they are.
    pub(super) async fn begin_session(
        &self,
        id: PrincipalId,
        proofs: Vec<Proof>,
        from: Option<IpAddr>,
        refused: impl FnOnce(&Refusal) -> Problem,
    ) -> Result<TokenPair, Problem> {
        let session: SessionId = fresh_id("session")?;
        let expires_at = Moment::from(Utc::now()).plus_seconds(SESSION_S);
        let origin = self.origin(&id, from).await?;
        let start = Command::StartSession { expires_at, origin, proofs, session: session.clone() };
        self.own(&id, start).await.map_err(|error| {
            let CommandError::Refused(refusal) = error else { return Problem::of_command(error) };
            refused(&refusal)
        })?;
        self.commands.refresh_directory().await?;
        let refresh_token = tokens::new_refresh()?;
        tokens::store_refresh(&self.pool, &refresh_token, &id, &session, SESSION_S).await?;
        self.pair(id, session, refresh_token).await
    }

    /// What a page of ours repeats in requests that change something: only this installation can
    /// say it of a session.
    pub fn csrf_token(&self, session: &SessionId) -> String {
        hex::encode(self.secrets.vault.index("csrf", session.as_str()).as_bytes())
    }

    /// Records a failed login after the answer.
    fn record_failure(&self, id: PrincipalId, cause: FailureCause, from: Option<IpAddr>) {
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(problem) = this.record_failure_now(&id, cause, from).await {
                let detail = problem.detail();
                tracing::debug!(detail, "a failed login is not recorded");
            }
        });
    }

    async fn record_failure_now(
        &self,
        id: &PrincipalId,
        cause: FailureCause,
        from: Option<IpAddr>,
    ) -> Result<(), Problem> {
        let origin = self.origin(id, from).await?;
        let failed = Command::RecordLoginFailure { cause, origin };
        self.own(id, failed).await.map_err(Problem::of_command)
    }

    /// From where somebody came, as their events keep it: under their own key.
    async fn origin(
        &self,
        id: &PrincipalId,
        from: Option<IpAddr>,
    ) -> Result<Option<Personal<Origin>>, Problem> {
        match from {
            Some(address) => self.seal_personal(id, &address.to_string()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Goes on with a session: the token is used up, and another takes its place. A token that was
    /// used before ends the session, as one of its two users is not its owner (RFC 9700, 4.14.2).
    pub async fn refresh(
        &self,
        refresh_token: &str,
        from: Option<IpAddr>,
    ) -> Result<TokenPair, Problem> {
        self.commands.refresh_directory().await?;
        let unknown = || Problem::new(Kind::NotAuthenticated, "the refresh token is no good");
        let used = tokens::use_refresh(&self.pool, refresh_token, |principal, session| {
            self.is_open(principal, session)
        });
        match used.await?.ok_or_else(unknown)? {
            tokens::Used::Now { principal, session, next } => {
                self.pair(principal, session, next).await
            }
            tokens::Used::Before { principal, session } => {
                let origin = self.origin(&principal, from).await?;
                let reuse = Command::RecordRefreshReuse { origin, session };
                let ended = self.own(&principal, reuse).await;
                // Here it has ended before the answer.
                self.commands.refresh_directory().await?;
                match ended {
                    // The session may have ended since: then there is nothing left to end.
                    Ok(()) | Err(CommandError::Refused(_)) => Err(unknown()),
                    Err(error) => Err(Problem::of_command(error)),
                }
            }
        }
    }

    /// Whether a session has not ended, of somebody who may act.
    pub(super) fn is_open(&self, principal: &PrincipalId, session: &SessionId) -> bool {
        let now = Moment::from(Utc::now());
        let directory = self.commands.directory();
        directory.identity(principal).is_some_and(|identity| {
            identity.standing == Standing::Active
                && identity.sessions_at(now).any(|(open, _)| open == session)
        })
    }

    async fn pair(
        &self,
        principal: PrincipalId,
        session: SessionId,
        refresh_token: String,
    ) -> Result<TokenPair, Problem> {
        let now = seconds();
        let access_token =
            self.secrets.signing.sign(principal.as_str(), session.as_str(), now).await?;
        Ok(TokenPair { access_token, refresh_token, principal, session })
    }

    /// Ends one session, or all of them.
    pub async fn logout(
        &self,
        principal: &PrincipalId,
        session: Option<SessionId>,
    ) -> Result<(), Problem> {
        let command = match session {
            Some(session) => Command::RevokeSession { by_owner: true, session },
            None => Command::RevokeAllSessions { by_owner: true },
        };
        self.own_now(principal, command).await
    }

    /// Refuses unless it is the password of somebody who is signed in already.
    async fn prove(
        &self,
        principal: &PrincipalId,
        password: &str,
        from: Option<IpAddr>,
        pointer: &str,
    ) -> Result<(), Problem> {
        let secrets = &self.secrets;
        self.commands.refresh_directory().await?;
        let verifier =
            self.commands.directory().identity(principal).and_then(|identity| identity.verifier);
        let stored = match verifier {
            Some(verifier) => self.stored_password(verifier).await?,
            None => None,
        };
        if !secrets.passwords.matches(password, stored.as_deref()).await? {
            self.record_failure_now(principal, FailureCause::Password, from).await?;
            let detail = "this is not the password in force".to_owned();
            return Err(Problem::invalid_body(vec![Fault::at(pointer, detail)]));
        }
        Ok(())
    }

    /// Asks for no one-time code any more, of whoever knows the password; all sessions end.
    pub async fn remove_second_factor(
        &self,
        principal: &PrincipalId,
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<(), Problem> {
        self.prove(principal, password, from, "/password").await?;
        let reason = "removed by its owner".parse().map_err(Problem::internal)?;
        let remove = Command::RemoveMfa { reason };
        self.own_now(principal, remove).await
    }

    /// Sets another password; all other sessions end.
    pub async fn change_password(
        &self,
        principal: &PrincipalId,
        keeps: SessionId,
        current: &str,
        new: &str,
        from: Option<IpAddr>,
    ) -> Result<(), Problem> {
        passwords::check(new, "/new_password")?;
        self.prove(principal, current, from, "/current_password").await?;
        let change =
            |verifier| Command::ChangePassword { keeps: Some(keeps), rehash: false, verifier };
        let done = self.with_password(principal, new, change).await?;
        done.map_err(Problem::of_command)?;
        self.commands.refresh_directory().await?;
        Ok(())
    }
}

fn wrong_credentials() -> Problem {
    Problem::new(Kind::NotAuthenticated, "the mail address or the password is wrong")
}

fn code_missing() -> Problem {
    let detail = "a one-time code or a backup code is needed as well: send it as code";
    Problem::new(Kind::NotAuthenticated, detail).with("second_factor", "required")
}

fn wrong_code() -> Problem {
    let detail = "the code is wrong, or was used before";
    Problem::new(Kind::NotAuthenticated, detail).with("second_factor", "required")
}
