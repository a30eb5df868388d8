//! Second factors: one-time codes (RFC 6238) of a device, and backup codes for the day on which the
//! device is lost.
//!
//! Does not decide whether a code was used before: the domain does.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use domain::{
    identity::principal::{Command, TOTP_STEP_S, TOTP_STEPS_AWAY_MAX},
    values::{Hash, PrincipalId},
};
use serde::{Deserialize, Serialize};
use totp_rs::{Algorithm, Secret, TOTP};

use super::{Identities, seconds, vault};
use crate::problem::{Fault, Problem};

/// The digits of a one-time code.
const DIGITS: usize = 6;
/// The bytes of the shared secret (RFC 4226, section 4: at least 128 bits, 160 recommended).
const SECRET_BYTES: usize = 20;
/// How many backup codes are handed out.
const BACKUP_CODES: u8 = 10;
/// The random bytes of a backup code: 16 characters in base32.
const BACKUP_CODE_BYTES: usize = 10;
/// The longest code that is looked at, in characters.
const CODE_CHARS_MAX: usize = 32;

/// A second factor that is in force once its device is proved.
#[derive(Debug)]
pub struct Enrolment {
    /// What it is confirmed by.
    pub verifier: Hash,
    /// The shared secret, in base32.
    pub secret: String,
    /// The same as an address, for a QR code.
    pub uri: String,
    /// One code each for the day on which the device is lost.
    pub backup_codes: Vec<String>,
}

/// What a code was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matched {
    /// The one-time code of a time step.
    Totp(u32),
    /// A backup code, by its number.
    Backup(u8),
}

/// What is kept, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    secret: Vec<u8>,
    backup_codes: Vec<Vec<u8>>,
}

impl Identities {
    /// Makes a second factor for somebody to set up on a device. It counts once a code of it is
    /// shown; one that was begun before is forgotten.
    pub async fn begin_second_factor(&self, id: &PrincipalId) -> Result<Enrolment, Problem> {
        let secret = vault::random::<SECRET_BYTES>().map_err(Problem::internal)?.to_vec();
        let mut backup_codes = Vec::new();
        for _ in 0..BACKUP_CODES {
            let bytes = vault::random::<BACKUP_CODE_BYTES>().map_err(Problem::internal)?;
            backup_codes.push(base32(&bytes));
        }
        let hashes = backup_codes.iter().map(|code| hash(code)).collect();
        let kept = Kept { secret: secret.clone(), backup_codes: hashes };
        let kept = serde_json::to_vec(&kept).map_err(Problem::internal)?;
        let verifier = Hash::of(&kept);
        let sealed = self.secrets.vault.seal(&purpose(id, verifier), &kept);
        self.commands.refresh_directory().await?;
        let current = self.second_factor_of(id);
        let mut transaction = self.pool.begin().await?;
        sqlx::query("delete from second_factors where principal = $1 and fingerprint <> $2")
            .bind(id.as_str())
            .bind(current.unwrap_or(verifier).as_bytes().as_slice())
            .execute(&mut *transaction)
            .await?;
        let statement =
            "insert into second_factors (fingerprint, principal, sealed) values ($1, $2, $3)";
        sqlx::query(statement)
            .bind(verifier.as_bytes().as_slice())
            .bind(id.as_str())
            .bind(sealed.map_err(Problem::internal)?)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let secret = base32(&secret);
        let uri = format!(
            "otpauth://totp/Node-0:{id}?secret={secret}&issuer=Node-0&digits={DIGITS}\
             &period={TOTP_STEP_S}"
        );
        Ok(Enrolment { verifier, secret, uri, backup_codes })
    }

    /// Lets a second factor count from the next login on: the code shows that the device has it.
    pub async fn enrol_second_factor(
        &self,
        id: &PrincipalId,
        verifier: Hash,
        code: &str,
    ) -> Result<(), Problem> {
        let unknown = || {
            let detail = "no such second factor was begun: begin again".to_owned();
            Problem::invalid_body(vec![Fault::at("/enrolment", detail)])
        };
        let kept = self.kept(id, verifier).await?.ok_or_else(unknown)?;
        let Some(Matched::Totp(step)) = matched(&kept, code)? else {
            let detail = "this is not the code that the device shows now".to_owned();
            return Err(Problem::invalid_body(vec![Fault::at("/code", detail)]));
        };
        let enrol = Command::EnrolMfa { backup_codes: BACKUP_CODES, step, verifier };
        self.own(id, enrol).await.map_err(Problem::of_command)
    }

    /// What a code is, for somebody with this second factor; none when it is wrong.
    pub(super) async fn match_code(
        &self,
        id: &PrincipalId,
        verifier: Hash,
        code: &str,
    ) -> Result<Option<Matched>, Problem> {
        let lost = || Problem::internal("a second factor that is in force is not stored");
        matched(&self.kept(id, verifier).await?.ok_or_else(lost)?, code)
    }

    /// The second factor that somebody has.
    pub(super) fn second_factor_of(&self, id: &PrincipalId) -> Option<Hash> {
        let directory = self.commands.directory();
        directory.identity(id)?.mfa.as_ref().map(|mfa| mfa.verifier)
    }

    async fn kept(&self, id: &PrincipalId, verifier: Hash) -> Result<Option<Kept>, Problem> {
        let statement = "select sealed from second_factors where fingerprint = $1";
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(statement)
            .bind(verifier.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        // What is another's does not open under this one's name.
        let opened =
            sealed.and_then(|sealed| self.secrets.vault.open(&purpose(id, verifier), &sealed));
        let Some(opened) = opened else { return Ok(None) };
        serde_json::from_slice(&opened).map(Some).map_err(Problem::internal)
    }
}

pub(super) fn purpose(id: &PrincipalId, verifier: Hash) -> String {
    format!("second factor {id} {verifier}")
}

fn base32(bytes: &[u8]) -> String {
    Secret::Raw(bytes.to_vec()).to_encoded().to_string()
}

fn hash(code: &str) -> Vec<u8> {
    Hash::of(code.as_bytes()).as_bytes().to_vec()
}

fn matched(kept: &Kept, code: &str) -> Result<Option<Matched>, Problem> {
    if code.chars().count() > CODE_CHARS_MAX {
        return Ok(None);
    }
    // Codes are typed by hand: in any case, with spaces and dashes.
    let code: String = code.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let code = code.to_ascii_uppercase();
    let period = u64::try_from(TOTP_STEP_S).map_err(Problem::internal)?;
    let totp = TOTP::new(Algorithm::SHA1, DIGITS, 0, period, kept.secret.clone());
    let totp = totp.map_err(|error| Problem::internal(error.to_string()))?;
    let now = seconds() / period;
    let away = u64::from(TOTP_STEPS_AWAY_MAX);
    // Every one is compared, whichever it is.
    let mut found = None;
    for step in now.saturating_sub(away)..=now + away {
        if same(totp.generate(step * period).as_bytes(), code.as_bytes()) {
            found = Some(Matched::Totp(u32::try_from(step).map_err(Problem::internal)?));
        }
    }
    for (number, stored) in (0_u8..).zip(&kept.backup_codes) {
        if same(stored, &hash(&code)) {
            found = Some(Matched::Backup(number));
        }
    }
    Ok(found)
}

fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}
