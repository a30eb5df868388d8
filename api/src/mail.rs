//! Mail over SMTP (RFC 5321), when a mail server is configured; else what would be sent goes to the
//! log.
//!
//! Does not know what a letter is about. A letter is tried a few times, with growing pauses; a mail
//! server that is away is left alone for a while.

use std::{sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::resilience::{Breaker, backoff};

/// How often a letter is tried.
const TRIES_MAX: u32 = 6;
/// How long one try may take, in milliseconds.
const TRY_MS_MAX: u64 = 10_000;
/// After how many failures in a row a mail server is left alone.
const FAILURES_MAX: u32 = 5;
/// For how long, in milliseconds.
const LEFT_ALONE_MS: u64 = 30_000;

/// Who sends. Cheap to clone.
#[derive(Clone)]
pub struct Mail {
    server: Option<Arc<Server>>,
    /// Where the API is reached from outside.
    public_url: Arc<str>,
}

struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    breaker: Breaker,
}

/// What is sent: a token, and where it is to be sent back to.
pub struct Letter {
    /// To whom.
    pub to: String,
    /// The subject.
    pub subject: &'static str,
    /// What it is for, to be completed by how.
    pub what: &'static str,
    /// Where the token is posted to.
    pub path: &'static str,
    /// The token.
    pub token: String,
}

/// Why no mail can be sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MailError(String);

impl Mail {
    /// By the server at this address (`smtps://user:password@host`, or `smtp://host:port` with
    /// `?tls=required`), from this sender; to the log when there is none.
    pub fn new(
        smtp_url: Option<&str>,
        from: Option<&str>,
        public_url: &str,
    ) -> Result<Mail, MailError> {
        let server = match (smtp_url, from) {
            (None, _) => None,
            (Some(_), None) => return Err(MailError("mail_from is not set".to_owned())),
            (Some(url), Some(from)) => Some(Arc::new(Server {
                transport: transport(url)?,
                from: from.parse().map_err(|error| MailError(format!("mail_from: {error}")))?,
                breaker: Breaker::new(FAILURES_MAX, Duration::from_millis(LEFT_ALONE_MS)),
            })),
        };
        Ok(Mail { server, public_url: Arc::from(public_url) })
    }

    /// Whether letters reach anybody but the log.
    pub fn is_sent(&self) -> bool {
        self.server.is_some()
    }

    /// Sends a letter, after the answer.
    pub fn send(&self, letter: Letter) {
        let Letter { to, subject, what, path, token } = letter;
        let text = format!(
            "{what}, send this token within the time it is good for:\n\n    {token}\n\n\
             to {}{path}\n",
            self.public_url
        );
        self.write(to, subject.to_owned(), text);
    }

    /// Writes to somebody that there is something to look at, and where.
    pub fn tell(&self, to: String, subject: String, what: &str, path: &str) {
        self.write(to, subject, format!("{what}\n\n{}{path}\n", self.public_url));
    }

    fn write(&self, to: String, subject: String, text: String) {
        let Some(server) = self.server.clone() else {
            // By whoever reads the log, as the README says.
            tracing::info!(subject, text, "no mail server is configured: a letter is shown here");
            return;
        };
        tokio::spawn(async move {
            match server.deliver(&to, &subject, text).await {
                Ok(()) => tracing::debug!(subject, "a letter is on its way"),
                Err(error) => tracing::warn!(subject, error, "a letter could not be sent"),
            }
        });
    }
}

impl Server {
    async fn deliver(&self, to: &str, subject: &str, text: String) -> Result<(), String> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.parse().map_err(|_| "the address is none that mail can go to".to_owned())?)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| error.to_string())?;
        let mut last = String::new();
        for attempt in 0..TRIES_MAX {
            if attempt > 0 {
                tokio::time::sleep(backoff(attempt)).await;
            }
            if !self.breaker.admits() {
                last = "the mail server is left alone for a while".to_owned();
                continue;
            }
            match self.transport.send(message.clone()).await {
                Ok(_) => {
                    self.breaker.succeeded();
                    return Ok(());
                }
                // What the server says about this letter says nothing about the server.
                Err(error) if error.is_permanent() => {
                    self.breaker.succeeded();
                    return Err(error.to_string());
                }
                Err(error) => {
                    self.breaker.failed();
                    last = error.to_string();
                }
            }
        }
        Err(last)
    }
}

fn transport(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
    // The library's words may repeat the address, which holds a password.
    let builder = builder.map_err(|_| MailError("smtp_url is no address of SMTP".to_owned()))?;
    Ok(builder.timeout(Some(Duration::from_millis(TRY_MS_MAX))).build())
}

/// Whether it is an address of a mail server.
pub fn is_smtp_url(url: &str) -> bool {
    transport(url).is_ok()
}
