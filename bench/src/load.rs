//! A load generator for HTTP/1.1 on loopback: as cheap as it can be, because it shares the cores
//! with what it measures.
//!
//! Knows just enough HTTP to send a prepared request and to find the end of its reply.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::report::Figure;

/// Sends requests over `connections` keep-alive connections for `period`; `request(connection, n)`
/// gives the bytes of the n-th request. Every reply must be a 2xx. `units` is the work in one
/// request.
pub async fn http(
    address: SocketAddr,
    connections: usize,
    period: Duration,
    units: usize,
    request: impl Fn(usize, usize) -> Vec<u8> + Clone + Send + 'static,
) -> std::io::Result<Figure> {
    let start = Instant::now();
    let mut tasks = Vec::with_capacity(connections);
    for connection in 0..connections {
        let request = request.clone();
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut latencies = Vec::new();
            let mut buffer = Vec::with_capacity(64 * 1024);
            while start.elapsed() < period {
                let sent = Instant::now();
                let request = request(connection, latencies.len());
                let (status, _) = exchange(&mut stream, &request, &mut buffer).await?;
                if !(200..300).contains(&status) {
                    let reply = String::from_utf8_lossy(&buffer);
                    return Err(std::io::Error::other(format!("not a success: {reply}")));
                }
                latencies.push(sent.elapsed());
            }
            std::io::Result::Ok(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.map_err(std::io::Error::other)??);
    }
    Ok(Figure::new(latencies.len() * units, start.elapsed(), latencies))
}

/// Sends a request and reads its reply to the end into the buffer: its status, and where its body
/// begins.
pub async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> std::io::Result<(u16, usize)> {
    stream.write_all(request).await?;
    buffer.clear();
    let mut end = None;
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::other("the server closed the connection"));
        }
        if end.is_none() {
            end = head_of(buffer)?;
        }
        if let Some((status, body, length)) = end
            && buffer.len() >= body + length
        {
            return Ok((status, body));
        }
    }
}

/// The status of a reply, where its body begins and how long that is, once its head is there.
fn head_of(buffer: &[u8]) -> std::io::Result<Option<(u16, usize, usize)>> {
    let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&buffer[..head]);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("a reply without a status"))?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or_else(|| std::io::Error::other("a reply without content-length"))?;
    Ok(Some((status, head + 4, length)))
}
