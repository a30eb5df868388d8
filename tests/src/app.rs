//! The whole server in this process, on a loopback port and a database of its own.
//!
//! Does not know what is asked of it.

use api::{
    config::{Config, Sources},
    serve::Server,
};
use commands::again::{Again, Verdict};
use event_store::EventStore;

use crate::{database::TestDatabase, http::Http, node0::TOKEN};

/// The master key of every test: 32 bytes of 7.
pub const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// What the set-up of a server leaves in its log before anybody asks for anything: a service, its
/// role and its key.
pub const SETUP_EVENTS: u64 = 3;

/// A server of a test's own, wired as the program wires it.
pub struct TestApp {
    /// The running server.
    pub server: Server,
    /// Its database; dropped after the server.
    pub database: TestDatabase,
}

impl TestApp {
    /// Starts it with the settings as they are by default.
    pub async fn start() -> TestApp {
        TestApp::start_with(&[]).await
    }

    /// Starts it with some settings, as key and value.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(settings: &[(&'static str, &str)]) -> TestApp {
        TestApp::start_on(TestDatabase::create().await, settings).await
    }

    /// Starts it on a database that is there.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_on(database: TestDatabase, settings: &[(&'static str, &str)]) -> TestApp {
        let mut flags = vec![
            ("database_url", database.url()),
            ("listen", "127.0.0.1:0".to_owned()),
            ("setup_token", TOKEN.to_owned()),
            ("master_key", MASTER_KEY.to_owned()),
            // Its keys are made in no time.
            ("token_algorithm", "EdDSA".to_owned()),
            // A test that watches says so: what is not asked for disturbs no log.
            ("monitor_ms", "0".to_owned()),
            ("default_rules", "false".to_owned()),
            // All who sign in come from one address.
            ("rate_sign_ins_max", "0".to_owned()),
        ];
        flags.retain(|(key, _)| settings.iter().all(|(other, _)| other != key));
        flags.extend(settings.iter().map(|(key, value)| (*key, (*value).to_owned())));
        // What is given empty is not set at all.
        flags.retain(|(_, value)| !value.is_empty());
        let sources = Sources { flags, ..Sources::default() };
        let config = Config::read(&sources).unwrap_or_else(|faults| panic!("{faults:?}"));
        let server = Server::start(&config).await.expect("the server starts");
        TestApp { server, database }
    }

    /// A client with the super_admin's token.
    pub fn http(&self) -> Http {
        Http::new(format!("http://{}", self.server.address()), TOKEN.to_owned())
    }

    /// Stops the server in order; the database is dropped after it.
    ///
    /// # Panics
    /// When it does not stop well.
    pub async fn stop(self) {
        decided_again(self.server.commands().store()).await;
        self.server.stop().await.expect("the server stops");
    }
}

/// Whatever happened is decided as it was, by the rules that decided it.
async fn decided_again(store: &EventStore) {
    // A log that was put in the place of this one is no history of ours.
    let Ok(head) = store.head().await else { return };
    let mut again = Again::begin(store.clone(), 0, head.position);
    while let Some((_, verdict)) = again.next().await.expect("the log can be read") {
        if let Verdict::Differs(difference) = verdict {
            panic!("it would be decided otherwise: {difference:#?}");
        }
    }
}
