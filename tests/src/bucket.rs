//! A bucket of a test's own, in a server of others that speaks S3.
//!
//! Does not know what is kept there.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::node0::free_place;

/// The key, and its secret, that the server is made with.
const KEY: &str = "S3RVER";
/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// The server; what it keeps is gone with this.
pub struct Bucket {
    server: Option<Child>,
    folder: PathBuf,
    place: String,
}

impl Bucket {
    /// Starts it, with one empty bucket.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Bucket {
        let place = free_place();
        let name = format!("node0-bucket-{}", place.replace(':', "-"));
        let folder = std::env::temp_dir().join(name);
        let mut bucket = Bucket { server: None, folder, place };
        bucket.come_back();
        bucket
    }

    /// What a program is told to reach it.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.place)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
        ]
    }

    /// The address of something in it.
    pub fn address(&self, path: &str) -> String {
        format!("s3://node0/{path}")
    }

    /// Kills it; what it keeps stays.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn go_away(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("a child can be killed");
            server.wait().expect("a killed child ends");
        }
    }

    /// Starts it anew, with what it has kept.
    ///
    /// # Panics
    /// When it does not start.
    pub fn come_back(&mut self) {
        let judges = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges");
        let (address, port) = self.place.split_once(':').expect("an address and a port");
        let server = Command::new("node")
            .arg(judges.join("node_modules/s3rver/bin/s3rver.js"))
            .args(["--address", address, "--port", port, "--configure-bucket", "node0"])
            .arg("--directory")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.server = Some(server.expect("Node.js is there"));
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(&self.place).is_err() {
            assert!(Instant::now() < deadline, "the server of the bucket does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap_or_default();
            server.wait().map(drop).unwrap_or_default();
        }
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}
