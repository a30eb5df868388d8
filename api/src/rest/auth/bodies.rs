//! What is sent and answered about who is who: the bodies of requests and replies.
//!
//! Does not know what becomes of them.

use domain::values::{
    ApiKeyId, Hash, Label, Moment, PermissionName, PrincipalId, RoleName, SessionId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::operations::Operation;

/// What one signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The mail address.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: String,
    /// A one-time code or a backup code, of whoever has a second factor.
    pub(crate) code: Option<String>,
}

/// What a session goes on with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The refresh token that came last; it is good once.
    pub(crate) refresh_token: String,
}

/// What an invited person registers with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrationRequest {
    /// The name to show, 1 to 100 characters.
    pub(crate) display_name: String,
    /// At least 12 characters, at most 1,024 bytes.
    pub(crate) password: String,
    /// The invitation's token.
    pub(crate) token: String,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one in force.
    pub(crate) current_password: String,
    /// At least 12 characters, at most 1,024 bytes.
    pub(crate) new_password: String,
}

/// A second factor whose device is proved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorProof {
    /// The code that the device shows now.
    pub(crate) code: String,
    /// What was begun.
    pub(crate) enrolment: Hash,
}

/// That a second factor is to be removed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorRemoval {
    /// The password.
    pub(crate) password: String,
}

/// A second factor to set up on a device; shown this once.
#[derive(Serialize, ToSchema)]
pub struct SecondFactor {
    /// One code each for the day on which the device is lost.
    pub(crate) backup_codes: Vec<String>,
    /// What it is confirmed by.
    pub(crate) enrolment: Hash,
    /// The shared secret in base32, for six digits every 30 seconds (RFC 6238).
    pub(crate) secret: String,
    /// The same as an address, for a QR code.
    pub(crate) uri: String,
}

/// Who follows the set-up link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// The name to show, 1 to 100 characters.
    pub(crate) display_name: String,
    /// The mail address.
    pub(crate) email: String,
    /// At least 12 characters, at most 1,024 bytes.
    pub(crate) password: String,
    /// The link's token, as the server said it at its start.
    pub(crate) token: String,
}

/// Where a link is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailAddress {
    /// The mail address that somebody registered with.
    pub(crate) email: String,
}

/// Another password, by the link that was sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// At least 12 characters, at most 1,024 bytes.
    pub(crate) password: String,
    /// The link's token.
    pub(crate) token: String,
}

/// That somebody reads the mail they are told to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailVerification {
    /// The link's token.
    pub(crate) token: String,
}

/// A session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionChoice {
    /// Which.
    pub(crate) session: SessionId,
}

/// Who is invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// The mail address.
    pub(crate) email: String,
    /// The roles it gets, none of which gives what whoever invites lacks.
    #[serde(default)]
    pub(crate) roles: Vec<RoleName>,
}

/// A service to set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// The name to show, 1 to 100 characters.
    pub(crate) display_name: String,
    /// What it is to be called by; made when it is not given.
    pub(crate) principal: Option<PrincipalId>,
    /// The roles it gets, none of which gives what whoever sets it up lacks.
    #[serde(default)]
    pub(crate) roles: Vec<RoleName>,
}

/// An API key for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnApiKeyRequest {
    /// Until when it is good, at most 366 days.
    pub(crate) expires_at: Moment,
    /// What its owner calls it.
    pub(crate) label: Label,
    /// What it is limited to.
    pub(crate) scopes: Vec<PermissionName>,
}

/// An API key for somebody else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRequest {
    /// Until when it is good, at most 366 days.
    pub(crate) expires_at: Moment,
    /// What its owner calls it.
    pub(crate) label: Label,
    /// Whose.
    pub(crate) principal: PrincipalId,
    /// What it is limited to: nothing that its owner or whoever issues it lacks.
    pub(crate) scopes: Vec<PermissionName>,
}

/// A session's tokens.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// The access token: `Authorization: Bearer <access_token>`.
    pub(crate) access_token: String,
    /// How long it is good for, in seconds.
    pub(crate) expires_in: u64,
    /// Whose session it is.
    pub(crate) principal: PrincipalId,
    /// What the session goes on with, once.
    pub(crate) refresh_token: String,
    /// The session.
    pub(crate) session: SessionId,
    /// `Bearer`.
    pub(crate) token_type: &'static str,
}

/// A session in a browser, whose tokens are in cookies.
#[derive(Serialize, ToSchema)]
pub struct BrowserSession {
    /// What the header `X-CSRF-Token` must repeat in each request that changes something.
    pub(crate) csrf_token: String,
    /// When it is to be refreshed at the latest, in seconds.
    pub(crate) expires_in: u64,
    /// Whose session it is.
    pub(crate) principal: PrincipalId,
    /// The session.
    pub(crate) session: SessionId,
}

/// What an invited person registers with who has no password here.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationByOidc {
    /// The name to show, 1 to 100 characters.
    pub(crate) display_name: String,
    /// The invitation's token.
    pub(crate) token: String,
}

/// Where a browser goes to be signed in by another.
#[derive(Serialize, ToSchema)]
pub struct OidcLocation {
    /// The issuer's page.
    pub(crate) location: String,
}

/// Somebody who was invited.
#[derive(Serialize, ToSchema)]
pub struct Invitation {
    /// Who.
    pub(crate) principal: PrincipalId,
    /// What they register with, within seven days; shown this once. Null when it was mailed.
    pub(crate) token: Option<String>,
}

/// Somebody there is.
#[derive(Serialize, ToSchema)]
pub struct PrincipalMade {
    /// Who.
    pub(crate) principal: PrincipalId,
}

/// An API key, shown this once.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyMade {
    /// Its public half, by which it is revoked.
    pub(crate) key: ApiKeyId,
    /// The whole of it: `Authorization: Bearer <token>`.
    pub(crate) token: String,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub struct Myself {
    /// The name that stands in every event one causes.
    pub(crate) name: String,
    /// All one may do.
    pub(crate) permissions: Vec<&'static str>,
    /// The principal; null for a token that is nobody's.
    pub(crate) principal: Option<PrincipalId>,
}

/// The keys by which access tokens are checked (RFC 7517).
#[derive(Serialize, ToSchema)]
pub struct KeySet {
    /// One each.
    #[schema(value_type = Vec<Object>)]
    pub(crate) keys: Vec<jsonwebtoken::jwk::Jwk>,
}

/// The body an operation takes: its schema's name and a good example; none when it takes none.
pub fn body_of(operation: Operation) -> Option<(&'static str, Value)> {
    let password = "correct horse battery staple";
    if operation == Operation::OidcRegister {
        let example = json!({"display_name": "Ada", "token": "user-0123456789ab.secret"});
        return Some(("InvitationByOidc", example));
    }
    if matches!(operation, Operation::Login | Operation::BrowserLogin) {
        return Some(("Login", json!({"email": "ada@north.example", "password": password})));
    }
    if operation == Operation::Refresh {
        return Some(("Refresh", json!({"refresh_token": "nr_..."})));
    }
    if operation == Operation::Register {
        let example = json!({
            "display_name": "Ada", "password": password, "token": "user-0123456789ab.secret",
        });
        return Some(("RegistrationRequest", example));
    }
    if operation == Operation::SetUp {
        let example = json!({
            "display_name": "Ada", "email": "ada@north.example", "password": password,
            "token": "ns_...",
        });
        return Some(("SetUp", example));
    }
    if matches!(operation, Operation::RequestPasswordReset | Operation::RequestEmailVerification) {
        return Some(("EmailAddress", json!({"email": "ada@north.example"})));
    }
    if operation == Operation::ResetPassword {
        let example = json!({"password": password, "token": "user-0123456789ab.secret"});
        return Some(("PasswordReset", example));
    }
    if operation == Operation::VerifyEmail {
        let token = "user-0123456789ab.1767225600.secret";
        return Some(("EmailVerification", json!({"token": token})));
    }
    if operation == Operation::RevokeOwnSession {
        return Some(("SessionChoice", json!({"session": "session-1"})));
    }
    if operation == Operation::ChangePassword {
        let example =
            json!({"current_password": password, "new_password": "another horse, another battery"});
        return Some(("PasswordChange", example));
    }
    if operation == Operation::EnrolSecondFactor {
        let enrolment = "2DB9FCEAFCFB2CF9AE8898AB1198CAA1804513EE7729303968F45D59D8799889";
        return Some(("SecondFactorProof", json!({"code": "123456", "enrolment": enrolment})));
    }
    if operation == Operation::RemoveSecondFactor {
        return Some(("SecondFactorRemoval", json!({"password": password})));
    }
    if operation == Operation::InvitePrincipal {
        let example = json!({"email": "ada@north.example", "roles": ["operator"]});
        return Some(("InvitationRequest", example));
    }
    if operation == Operation::SetUpService {
        let example = json!({"display_name": "Nightly export", "roles": ["auditor"]});
        return Some(("ServiceRequest", example));
    }
    let mut key = json!({
        "expires_at": "2027-01-01T00:00:00Z", "label": "nightly export", "scopes": ["event:read"],
    });
    if operation == Operation::IssueOwnApiKey {
        return Some(("OwnApiKeyRequest", key));
    }
    if operation == Operation::IssueApiKey {
        key["principal"] = json!("service-north");
        return Some(("ApiKeyRequest", key));
    }
    None
}
