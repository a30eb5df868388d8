//! A record that says something else than what a validator comes to: it signs nothing more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::Net;

/// What stands before a state's root in a record.
const BEFORE_ROOT: &[u8] = b"\"state_root\":\"";

/// Stands between a validator and its server; from some moment on the roots it lets through are
/// others than the server's.
struct Liar {
    address: String,
    lies: Arc<AtomicBool>,
}

impl Liar {
    async fn before(server: String) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let lies = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&lies);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(passes(client, server, Arc::clone(&told)));
            }
        });
        Liar { address, lies }
    }
}

async fn passes(client: TcpStream, server: TcpStream, lies: Arc<AtomicBool>) {
    let (mut asks, mut hears) = client.into_split();
    let (mut says, mut takes) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut asks, &mut takes).await });
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = says.read(&mut bytes).await {
        if lies.load(Ordering::SeqCst) {
            falsify(&mut bytes[..read]);
        }
        if hears.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Another first digit for each root: as long as before.
fn falsify(bytes: &mut [u8]) {
    let length = BEFORE_ROOT.len();
    for at in 0..bytes.len().saturating_sub(length) {
        if bytes[at..].starts_with(BEFORE_ROOT) {
            let digit = &mut bytes[at + length];
            *digit = if *digit == b'0' { b'1' } else { b'0' };
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_comes_to_another_state_stops_and_the_others_go_on() {
    let mut net = Net::begun().await;
    let liar = Liar::before(net.place.clone()).await;
    for n in 2..=4 {
        net.start(n);
    }
    let mut deceived = net.homes[&1].start(&liar.address);
    net.reaches(3).await;
    assert!(deceived.runs());
    liar.lies.store(true, Ordering::SeqCst);
    assert_eq!(deceived.ended().code(), Some(1));
    let complaint = net.homes[&1].complained();
    assert!(
        complaint.contains("it signs nothing on a chain it does not agree with"),
        "{complaint}"
    );
    net.goes_on(4).await;
    net.stop().await;
}
