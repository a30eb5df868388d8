//! Requests to a server, in as few words as a story needs.
//!
//! Does not know what is asked, nor what an answer should be.

use std::time::{Duration, Instant};

use chrono::Utc;
use commands::Role;
use domain::values::Moment;
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// How long one request may take.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long the keys of services are good for, in seconds.
const KEY_S: u64 = 86_400;

/// A client of one server, with the super_admin's token.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    token: String,
    client: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when there is none.
    pub body: Value,
}

impl Answer {
    /// A header's text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body of an answer that must have this status.
    ///
    /// # Panics
    /// When it has another one.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }
}

impl Http {
    /// A client for `http://host:port`.
    pub fn new(base: String, token: String) -> Http {
        let client = reqwest::Client::builder().timeout(REQUEST_WAIT_MAX).build();
        Http { base, token, client: client.expect("a client can be made") }
    }

    /// A request with the token, to be completed by the caller.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request and reads the whole answer; an error when the connection was cut.
    pub async fn send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }

    /// Sends until the answer has this status.
    ///
    /// # Panics
    /// When it has not in time, and when nobody answers.
    pub async fn until(
        status: u16,
        patience: Duration,
        request: impl Fn() -> RequestBuilder,
    ) -> Answer {
        let deadline = Instant::now() + patience;
        loop {
            let answer = Http::send(request()).await.expect("the server answers");
            if answer.status == status {
                return answer;
            }
            assert!(Instant::now() < deadline, "still {}: {:#}", answer.status, answer.body);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Answer {
        Http::send(self.request(Method::GET, path)).await.expect("the server answers")
    }

    /// Commands.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).json(body);
        Http::send(request).await.expect("the server answers")
    }

    /// A client with the key of a service of its own, which is set up in a role.
    ///
    /// # Panics
    /// When this one may not do that.
    pub async fn service(&self, name: &str, role: Role) -> Http {
        let service = serde_json::json!({
            "display_name": name, "principal": name, "roles": [role.as_str()],
        });
        self.post("/api/v1/services", &service).await.expect(201);
        let key = serde_json::json!({
            "expires_at": Moment::from(Utc::now()).plus_seconds(KEY_S),
            "label": name,
            "principal": name,
            "scopes": role.permissions().names(),
        });
        let made = self.post("/api/v1/api-keys", &key).await.expect(201);
        let token = made["token"].as_str().expect("a key").to_owned();
        Http { base: self.base.clone(), token, client: self.client.clone() }
    }

    /// What it shows.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Asks in GraphQL; the data of an answer without errors.
    ///
    /// # Panics
    /// When there are errors.
    pub async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = serde_json::json!({ "query": query, "variables": variables });
        let mut answer = self.post("/graphql", &body).await.expect(200);
        assert!(answer["errors"].is_null(), "{answer:#}");
        answer["data"].take()
    }
}
