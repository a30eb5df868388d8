//! Sign-in by another's word: OpenID Connect Core 1.0, the authorization code flow with PKCE
//! (RFC 7636), with one issuer.
//!
//! Does not know who an issuer's subject is, but for those that are linked. What the issuer says is
//! believed only when it is signed with its key, for us, now, and about this very sign-in.

use std::{net::IpAddr, sync::Arc, time::Duration};

use domain::{
    identity::principal::{Command, Kind as PrincipalKind, Proof, Refusal},
    values::{BlindIndex, Hash, PrincipalId, Website},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet},
};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, StandardTokenResponse, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenType},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::Instant};

use super::{Identities, TokenPair, bad_link, check_name, tokens};
use crate::{
    problem::{Kind, Problem},
    resilience::{Breaker, backoff},
};

/// How long a sign-in may take, in seconds.
pub const FLOW_S: u64 = 600;
/// How long what the issuer publishes is taken for true, in seconds.
const PUBLISHED_S: u64 = 3_600;
/// How long one request to the issuer may take, in milliseconds.
const REQUEST_MS_MAX: u64 = 5_000;
/// How often the issuer is asked for the same thing.
const TRIES_MAX: u32 = 3;
/// After how many failures in a row the issuer is left alone.
const FAILURES_MAX: u32 = 5;
/// For how long, in milliseconds.
const LEFT_ALONE_MS: u64 = 15_000;
/// How far the issuer's clock may be apart, in seconds.
const CLOCKS_APART_S_MAX: u64 = 60;
/// Where the issuer sends a browser back to.
pub const CALLBACK: &str = "/api/v1/auth/oidc/callback";

/// Who is believed, and as whom we ask.
#[derive(Clone)]
pub struct Settings {
    /// The issuer, exactly as it names itself.
    pub issuer: Website,
    /// What it calls us.
    pub client_id: String,
    /// What it knows us by; none for a public client.
    pub client_secret: Option<String>,
    /// Where this server is reached from outside.
    pub public_url: String,
}

/// An issuer. Cheap to clone.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    settings: Settings,
    http: reqwest::Client,
    breaker: Breaker,
    published: Mutex<Option<(Published, Instant)>>,
}

/// What the issuer publishes.
#[derive(Clone)]
struct Published {
    authorization: String,
    token: String,
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

/// What is kept of a sign-in that was begun, sealed.
#[derive(Serialize, Deserialize)]
struct Flow {
    nonce: String,
    verifier: String,
    purpose: Purpose,
}

/// What a sign-in is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Purpose {
    /// A session of whoever is linked.
    SignIn,
    /// To link somebody who is signed in.
    Link(PrincipalId),
    /// To register who was invited, under a name.
    Register {
        /// The invitation's token.
        token: String,
        /// The name to show.
        display_name: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    nonce: Option<String>,
}

/// Where a browser is sent, and what binds it to the sign-in that it began.
pub struct Begun {
    /// To the issuer.
    pub location: String,
    /// What the browser keeps.
    pub state: String,
}

/// A client, with or without the addresses that it needs.
type Client<Address = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    oauth2::StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    oauth2::StandardRevocableToken,
    BasicRevocationErrorResponse,
    Address,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Address,
>;

impl Oidc {
    /// The issuer of these settings; it is asked when somebody signs in.
    pub fn new(settings: Settings) -> Result<Oidc, Problem> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_millis(REQUEST_MS_MAX))
            // Whom the issuer sends us to is its own to say, once.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Problem::internal)?;
        let breaker = Breaker::new(FAILURES_MAX, Duration::from_millis(LEFT_ALONE_MS));
        Ok(Oidc(Arc::new(Inner { settings, http, breaker, published: Mutex::default() })))
    }

    /// What the issuer publishes; asked for anew when it is old, or when `fresh` is wanted.
    async fn published(&self, fresh: bool) -> Result<Published, Problem> {
        let mut published = self.0.published.lock().await;
        if let Some((known, at)) = &*published
            && !fresh
            && at.elapsed() < Duration::from_secs(PUBLISHED_S)
        {
            return Ok(known.clone());
        }
        let issuer = self.0.settings.issuer.as_str();
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = self.ask(&place).await?;
        // OpenID Connect Discovery 1.0, section 4.3.
        if metadata.issuer != issuer {
            return Err(away(format!("it names itself {}", metadata.issuer)));
        }
        let keys: JwkSet = self.ask(&metadata.jwks_uri).await?;
        let found = Published {
            authorization: metadata.authorization_endpoint,
            token: metadata.token_endpoint,
            keys: keys.keys,
        };
        *published = Some((found.clone(), Instant::now()));
        Ok(found)
    }

    /// Asks the issuer, a few times with growing pauses.
    async fn ask<T: for<'de> Deserialize<'de>>(&self, place: &str) -> Result<T, Problem> {
        let mut last = String::new();
        for attempt in 0..TRIES_MAX {
            if attempt > 0 {
                tokio::time::sleep(backoff(attempt)).await;
            }
            if !self.0.breaker.admits() {
                return Err(away("it is left alone for a while".to_owned()));
            }
            let answered = async {
                let response = self.0.http.get(place).send().await?.error_for_status()?;
                response.json().await
            };
            match answered.await {
                Ok(answer) => {
                    self.0.breaker.succeeded();
                    return Ok(answer);
                }
                Err(error) => {
                    self.0.breaker.failed();
                    last = reqwest::Error::without_url(error).to_string();
                }
            }
        }
        Err(away(last))
    }

    fn client(&self, published: &Published) -> Result<Client<EndpointSet>, Problem> {
        let Settings { client_id, client_secret, public_url, .. } = &self.0.settings;
        let url = |text: &str| format!("the issuer names {text:?} as an address");
        let authorization = AuthUrl::new(published.authorization.clone());
        let token = TokenUrl::new(published.token.clone());
        let client = <Client>::new(ClientId::new(client_id.clone()))
            .set_auth_uri(authorization.map_err(|_| away(url(&published.authorization)))?)
            .set_token_uri(token.map_err(|_| away(url(&published.token)))?)
            .set_redirect_uri(
                RedirectUrl::new(format!("{public_url}{CALLBACK}")).map_err(Problem::internal)?,
            );
        Ok(match client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.clone())),
            None => client,
        })
    }

    /// The subject that a code stands for.
    async fn subject(&self, code: String, flow: &Flow) -> Result<String, Problem> {
        let published = self.published(false).await?;
        let verifier = PkceCodeVerifier::new(flow.verifier.clone());
        let http = self.0.http.clone();
        let http = move |request: HttpRequest| send(http.clone(), request);
        let client = self.client(&published)?;
        let exchange = client.exchange_code(AuthorizationCode::new(code));
        // A code is good once, so this is not tried again.
        let answered = exchange.set_pkce_verifier(verifier).request_async(&http).await;
        let answered = answered.map_err(|error| match error {
            oauth2::RequestTokenError::Request(error) => away(error.without_url().to_string()),
            oauth2::RequestTokenError::ServerResponse(_)
            | oauth2::RequestTokenError::Parse(..)
            | oauth2::RequestTokenError::Other(_) => refused("the issuer does not take the code"),
        })?;
        let token = answered.extra_fields().id_token.as_deref();
        let token = token.ok_or_else(|| refused("the issuer sent no ID token"))?;
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| refused("the ID token is malformed"))?;
        let find = |published: &Published| {
            let named = |key: &&Jwk| key.common.key_id == header.kid;
            published.keys.iter().find(named).cloned()
        };
        let key = match find(&published) {
            Some(key) => key,
            // The issuer may have changed its keys since.
            None => {
                let unknown = || refused("the ID token's key is not among the issuer's");
                find(&self.published(true).await?).ok_or_else(unknown)?
            }
        };
        let claims = self.check(token, &key)?;
        // OpenID Connect Core 1.0, section 3.1.3.7.
        if claims.nonce.as_deref() != Some(flow.nonce.as_str()) {
            return Err(refused("the ID token is about another sign-in"));
        }
        Ok(claims.sub)
    }

    /// What an ID token says, when the issuer signed it for us, and it is good now. The algorithm
    /// is the key's to say.
    fn check(&self, token: &str, key: &Jwk) -> Result<Claims, Problem> {
        let is_p256 = |parameters: &AlgorithmParameters| {
            matches!(parameters, AlgorithmParameters::EllipticCurve(it)
                if it.curve == EllipticCurve::P256)
        };
        let algorithm = if matches!(key.algorithm, AlgorithmParameters::RSA(_)) {
            Algorithm::RS256
        } else if matches!(key.algorithm, AlgorithmParameters::OctetKeyPair(_)) {
            Algorithm::EdDSA
        } else if is_p256(&key.algorithm) {
            Algorithm::ES256
        } else {
            return Err(refused("the ID token's key is of a kind that is not taken"));
        };
        let checks = DecodingKey::from_jwk(key).map_err(|_| refused("the issuer's key is none"))?;
        let mut rules = Validation::new(algorithm);
        rules.leeway = CLOCKS_APART_S_MAX;
        rules.validate_nbf = true;
        rules.set_audience(&[&self.0.settings.client_id]);
        rules.set_issuer(&[self.0.settings.issuer.as_str()]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        let checked = jsonwebtoken::decode::<Claims>(token, &checks, &rules);
        let checked = checked.map_err(|_| refused("the ID token is not the issuer's, for us, now"));
        checked.map(|token| token.claims)
    }
}

/// How a code is exchanged: one request, and no redirect followed.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let response = http.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

impl Identities {
    fn issuer(&self) -> Result<&Oidc, Problem> {
        self.oidc.as_ref().ok_or_else(|| {
            Problem::new(Kind::NotConfigured, "no issuer is configured: set NODE0_OIDC_ISSUER")
        })
    }

    /// Begins a sign-in by another's word.
    pub async fn begin_oidc(&self, purpose: Purpose) -> Result<Begun, Problem> {
        let oidc = self.issuer()?;
        if let Purpose::Register { display_name, token } = &purpose {
            check_name(display_name)?;
            tokens::of_link(token).ok_or_else(bad_link)?;
        }
        let client = oidc.client(&oidc.published(false).await?)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let (location, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new("openid".to_owned()))
            .add_extra_param("nonce", nonce.secret())
            .set_pkce_challenge(challenge)
            .url();
        let state = state.secret().clone();
        let (nonce, verifier) = (nonce.secret().clone(), verifier.secret().clone());
        let flow = serde_json::to_vec(&Flow { nonce, verifier, purpose });
        let key = tokens::hash(&state);
        let sealed =
            self.secrets.vault.seal(&flow_purpose(&key), &flow.map_err(Problem::internal)?);
        let old = "delete from oidc_flows where created_at < now() - make_interval(secs => $1)";
        sqlx::query(old).bind(FLOW_S as f64).execute(&self.pool).await?;
        sqlx::query("insert into oidc_flows (state_hash, sealed) values ($1, $2)")
            .bind(key)
            .bind(sealed.map_err(Problem::internal)?)
            .execute(&self.pool)
            .await?;
        Ok(Begun { location: location.to_string(), state })
    }

    /// Ends a sign-in: `kept` is what the browser kept when it began. A session, but for somebody
    /// who was linked only.
    pub async fn end_oidc(
        &self,
        state: &str,
        kept: Option<&str>,
        code: String,
        from: Option<IpAddr>,
    ) -> Result<Option<TokenPair>, Problem> {
        let oidc = self.issuer()?;
        let unknown = || refused("this sign-in was not begun here, or is too long ago");
        // Whoever made somebody else's browser come here did not begin in it.
        if kept != Some(state) {
            return Err(unknown());
        }
        let key = tokens::hash(state);
        let statement = "delete from oidc_flows where state_hash = $1 \
                         and created_at > now() - make_interval(secs => $2) returning sealed";
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(statement)
            .bind(&key)
            .bind(FLOW_S as f64)
            .fetch_optional(&self.pool)
            .await?;
        let opened =
            sealed.and_then(|sealed| self.secrets.vault.open(&flow_purpose(&key), &sealed));
        let flow: Flow =
            serde_json::from_slice(&opened.ok_or_else(unknown)?).map_err(Problem::internal)?;
        let subject = oidc.subject(code, &flow).await?;
        let issuer = oidc.0.settings.issuer.clone();
        let index = self.subject_index(&issuer, &subject);
        self.commands.refresh_directory().await?;
        match flow.purpose {
            Purpose::SignIn => {
                let linked = self.commands.directory().by_subject(&issuer, &index).cloned();
                let id = linked.ok_or_else(|| refused("nobody here is linked to this account"))?;
                self.start_session(id, issuer, from).await.map(Some)
            }
            Purpose::Link(id) => {
                self.link(&id, issuer, &subject, index).await?;
                Ok(None)
            }
            Purpose::Register { token, display_name } => {
                let id = tokens::of_link(&token).ok_or_else(bad_link)?;
                let token = Hash::of(token.as_bytes());
                let invitation =
                    self.commands.directory().identity(&id).and_then(|one| one.invitation);
                if invitation.is_none_or(|invitation| invitation.token != token) {
                    return Err(bad_link());
                }
                self.link(&id, issuer.clone(), &subject, index).await?;
                let register = Command::Register {
                    display_name: self.seal_personal(&id, &display_name).await?,
                    kind: PrincipalKind::User,
                    token: Some(token),
                    verifier: None,
                };
                self.own_now(&id, register).await?;
                self.start_session(id, issuer, from).await.map(Some)
            }
        }
    }

    async fn link(
        &self,
        id: &PrincipalId,
        issuer: Website,
        subject: &str,
        subject_index: BlindIndex,
    ) -> Result<(), Problem> {
        let subject = self.seal_personal(id, subject).await?;
        self.own_now(id, Command::LinkOidc { issuer, subject, subject_index }).await
    }

    fn subject_index(&self, issuer: &Website, subject: &str) -> BlindIndex {
        self.secrets.vault.index("oidc subject", &format!("{issuer}\0{subject}"))
    }

    /// Starts a session of whoever an issuer knows.
    async fn start_session(
        &self,
        id: PrincipalId,
        issuer: Website,
        from: Option<IpAddr>,
    ) -> Result<TokenPair, Problem> {
        let refused = |_: &Refusal| refused("this account may not sign in now");
        self.begin_session(id, vec![Proof::Oidc { issuer }], from, refused).await
    }
}

fn flow_purpose(state_hash: &[u8]) -> String {
    format!("oidc flow {}", hex::encode(state_hash))
}

fn refused(why: &'static str) -> Problem {
    Problem::new(Kind::NotAuthenticated, why)
}

/// The issuer cannot be asked.
fn away(why: String) -> Problem {
    let detail = "the issuer that signs people in does not answer: try again in a moment";
    Problem::new(Kind::IssuerUnavailable, detail).caused_by(why)
}
