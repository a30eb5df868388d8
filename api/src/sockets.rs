//! Sockets that do not wait for ever for a peer that does not read.
//!
//! Does not know what is written. A reply that a peer takes no byte of for too long is cut: whoever
//! stalls costs a bounded time and a bounded buffer, and nobody else anything.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::live::DRAINING_STALLED_MS_MAX;

/// A connection whose writes fail when its peer takes nothing for too long.
pub struct Patient<S> {
    stream: S,
    stalled: Duration,
    draining: CancellationToken,
    /// Runs while the peer takes nothing.
    wait: Option<Wait>,
}

struct Wait {
    deadline: Pin<Box<Sleep>>,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S> Patient<S> {
    /// May stall for so long.
    pub fn new(stream: S, stalled: Duration, draining: CancellationToken) -> Patient<S> {
        Patient { stream, stalled, draining, wait: None }
    }

    /// What a write that is not done yet comes to.
    fn pending<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let wait = self.wait.get_or_insert_with(|| Wait {
            deadline: Box::pin(sleep_until(Instant::now() + self.stalled)),
            draining: Some(Box::pin(self.draining.clone().cancelled_owned())),
        });
        if let Some(draining) = &mut wait.draining
            && draining.as_mut().poll(context).is_ready()
        {
            wait.draining = None;
            let soon = Instant::now() + Duration::from_millis(DRAINING_STALLED_MS_MAX);
            let deadline = wait.deadline.deadline().min(soon);
            wait.deadline.as_mut().reset(deadline);
        }
        ready!(wait.deadline.as_mut().poll(context));
        tracing::debug!("a peer takes nothing: its connection is cut");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_pending() {
            return self.pending(context);
        }
        self.wait = None;
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn who_reads_slowly_is_waited_for_and_who_stalls_is_not() {
        let (near, mut far) = duplex(4);
        let mut patient = Patient::new(near, Duration::from_millis(60), CancellationToken::new());
        let reader = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(30)).await;
                far.read_u32().await.unwrap();
            }
            far
        });
        patient.write_all(&[7; 16]).await.unwrap();
        let _far = reader.await.unwrap();
        patient.write_all(&[7; 4]).await.unwrap();
        let error = patient.write_all(&[7; 4]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_stalled_peer_does_not_hold_up_a_shutdown() {
        let (near, _far) = duplex(4);
        let draining = CancellationToken::new();
        let mut patient = Patient::new(near, Duration::from_secs(3_600), draining.clone());
        let writing = tokio::spawn(async move { patient.write_all(&[7; 8]).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        draining.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), writing).await.unwrap();
        assert_eq!(ended.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
