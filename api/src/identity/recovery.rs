//! Links by mail: another password for whoever forgot theirs, and whether somebody reads the mail
//! they are told to have.
//!
//! Does not know how mail is sent, nor say who has an account.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use commands::CommandError;
use domain::{
    identity::principal::Command,
    values::{BlindIndex, Hash, PrincipalId},
};

use super::{Identities, bad_link, normalised, passwords, seconds, tokens};
use crate::{
    mail::Letter,
    problem::{Fault, Problem},
};

/// How long the link that shows who reads one's mail is good for, in seconds: one day.
pub const VERIFICATION_S: u64 = 86_400;

impl Identities {
    /// Sends whoever has this address a link to set another password; after the answer, so that
    /// its time tells nobody who has an account.
    pub fn request_password_reset(&self, email: &str) -> Result<(), Problem> {
        let (this, email) = (self.clone(), normalised(email)?);
        tokio::spawn(async move {
            if let Err(problem) = this.send_password_reset(email).await {
                tracing::warn!(detail = problem.detail(), "no link for a new password is sent");
            }
        });
        Ok(())
    }

    async fn send_password_reset(&self, email: String) -> Result<(), Problem> {
        self.commands.refresh_directory().await?;
        let index = self.secrets.vault.index("email", &email);
        let found = self.commands.directory().by_email(&index).cloned();
        let Some(id) = found else { return Ok(()) };
        let token = tokens::new_link(&id)?;
        let request = Command::RequestPasswordReset { token: Hash::of(token.as_bytes()) };
        let asked = self.own(&id, request).await;
        // Who has not registered yet, or is suspended, gets no letter.
        if matches!(asked, Err(CommandError::Refused(_))) {
            return Ok(());
        }
        asked.map_err(Problem::of_command)?;
        self.mail.send(Letter {
            to: email,
            subject: "Another password",
            what: "Somebody, perhaps you, asked for another password. To set one",
            path: "/api/v1/auth/reset-password",
            token,
        });
        Ok(())
    }

    /// Sets another password by the link that was sent; all sessions and a lock end.
    pub async fn reset_password(&self, token: &str, password: &str) -> Result<(), Problem> {
        passwords::check(password, "/password")?;
        let id = tokens::of_link(token).ok_or_else(bad_link)?;
        let token = Hash::of(token.as_bytes());
        let reset = |verifier| Command::ResetPassword { token, verifier };
        let done = self.with_password(&id, password, reset).await?;
        done.map_err(|error| {
            // Whatever is wrong with a link is not told to whoever guesses.
            let refused = matches!(error, CommandError::Refused(_));
            if refused { bad_link() } else { Problem::of_command(error) }
        })?;
        self.commands.refresh_directory().await?;
        Ok(())
    }

    /// Mails a principal a link that shows that it reads its mail; the address must be its own.
    pub async fn request_email_verification(
        &self,
        id: &PrincipalId,
        email: &str,
    ) -> Result<(), Problem> {
        let email = normalised(email)?;
        let index = self.secrets.vault.index("email", &email);
        let own = self.commands.directory().identity(id).and_then(|one| one.email_index);
        if own != Some(index) {
            let detail = "this is not the address that you registered with".to_owned();
            return Err(Problem::invalid_body(vec![Fault::at("/email", detail)]));
        }
        let expires_at = seconds() + VERIFICATION_S;
        let token = format!("{id}.{expires_at}.{}", self.verification(id, expires_at, index));
        self.mail.send(Letter {
            to: email,
            subject: "Is this your address?",
            what: "To show that you read the mail that is sent here",
            path: "/api/v1/auth/verify-email",
            token,
        });
        Ok(())
    }

    /// Records that whoever has this link reads the mail of its principal.
    pub async fn verify_email(&self, token: &str) -> Result<(), Problem> {
        let mut parts = token.splitn(3, '.');
        let id: Option<PrincipalId> = parts.next().and_then(|id| id.parse().ok());
        let expires_at: Option<u64> = parts.next().and_then(|until| until.parse().ok());
        let shown = parts.next().unwrap_or_default();
        let (id, expires_at) = id.zip(expires_at).ok_or_else(bad_link)?;
        self.commands.refresh_directory().await?;
        let index = self.commands.directory().identity(&id).and_then(|one| one.email_index);
        let index = index.ok_or_else(bad_link)?;
        let wanted = self.verification(&id, expires_at, index);
        let same = verify_slices_are_equal(wanted.as_bytes(), shown.as_bytes()).is_ok();
        if !same || seconds() >= expires_at {
            return Err(bad_link());
        }
        let verify = Command::VerifyEmail { email_index: index };
        self.own(&id, verify).await.map_err(Problem::of_command)
    }

    /// What only this installation can say of an address and a time.
    fn verification(&self, id: &PrincipalId, expires_at: u64, index: BlindIndex) -> String {
        let text = format!("{id}\0{expires_at}\0{}", hex::encode(index.as_bytes()));
        hex::encode(self.secrets.vault.index("verify email", &text).as_bytes())
    }
}
