//! Carries bytes between a client and a container once their connection is no longer HTTP's.

use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};

/// How often to look whether a client that will say nothing more is still there.
const LOOK: Duration = Duration::from_millis(500);
/// How long a client may take to notice the end. Closing with its bytes unread would look like a failure to it.
const FAREWELL: Duration = Duration::from_secs(1);
const PIECE_BYTES: usize = 32 << 10;

/// Carries bytes both ways; `early` came from the client already. Returns when the container's streams have ended, or the client is gone. The end of the
/// client's bytes alone only ends the container's input.
pub(super) async fn run(mut client: UnixStream, early: &[u8], container: BlockingStream) -> io::Result<()> {
    container.set_nonblocking(true)?;
    let mut container = UnixStream::from_std(container)?;
    // Both ends may be waited for while both are watched for the end.
    let watched = rustix::io::fcntl_dupfd_cloexec(&client, 3)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_container, mut to_container) = container.split();
    let incoming = async {
        // A container that reads no input must not keep its client from writing.
        let fed = async {
            to_container.write_all(early).await?;
            copy(&mut from_client, &mut to_container).await
        };
        if fed.await.is_ok() {
            let _ = to_container.shutdown().await;
        } else {
            discard(&mut from_client).await;
        }
        while !is_gone(&watched) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let outgoing = async {
        let copied = copy(&mut from_container, &mut to_client).await;
        let _ = to_client.shutdown().await;
        copied
    };
    let outcome = tokio::select! {
        outcome = outgoing => outcome,
        () = incoming => return Ok(()),
    };
    let _ = tokio::time::timeout(FAREWELL, discard(&mut from_client)).await;
    outcome
}

async fn copy(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&piece[..length]).await?;
    }
}

async fn discard(from: &mut ReadHalf<'_>) {
    let mut piece = vec![0; PIECE_BYTES];
    while from.read(&mut piece).await.is_ok_and(|length| length > 0) {}
}

/// Whether the other side has closed both directions.
fn is_gone(socket: &std::os::fd::OwnedFd) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::empty())];
    let found = rustix::event::poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    found.is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::thread::JoinHandle;

    /// The ends of a client and of a container with a relay between them.
    fn relayed(early: &'static [u8]) -> (BlockingStream, BlockingStream, JoinHandle<()>) {
        let (client, client_end) = BlockingStream::pair().unwrap();
        let (container, container_end) = BlockingStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                client_end.set_nonblocking(true).unwrap();
                let _ = run(UnixStream::from_std(client_end).unwrap(), early, container_end).await;
            });
        });
        (client, container, thread)
    }

    #[test]
    fn the_end_of_input_is_not_the_end_of_output() {
        let (mut client, mut container, thread) = relayed(b"ear");
        client.write_all(b"ly").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut input = String::new();
        container.read_to_string(&mut input).unwrap();
        assert_eq!(input, "early");
        container.write_all(b"output").unwrap();
        drop(container);
        let mut output = String::new();
        client.read_to_string(&mut output).unwrap();
        assert_eq!(output, "output");
        drop(client);
        thread.join().unwrap();
    }

    #[test]
    fn a_client_that_is_gone_ends_it() {
        let (client, mut container, thread) = relayed(b"");
        drop(client);
        let mut nothing = Vec::new();
        container.read_to_end(&mut nothing).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn a_client_whose_input_nobody_reads_sees_the_end() {
        let (mut client, container, thread) = relayed(b"");
        container.shutdown(Shutdown::Both).unwrap();
        drop(container);
        let _ = client.write_all(b"into the void");
        let mut nothing = Vec::new();
        client.read_to_end(&mut nothing).unwrap();
        drop(client);
        thread.join().unwrap();
    }
}
