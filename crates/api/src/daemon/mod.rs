//! The API on sockets: the other end of [`crate::Socket`] and of every Docker client.
//!
//! One thread moves bytes; every request is answered by the same routes as in-process, in a thread of its own, and so is every body that is made
//! while it is sent. Nothing is remembered between requests: any other process may change the same state, and a daemon that dies takes nothing with it.
//!
//! `listen` owns the sockets, `connection` serves one client, `opening` looks at its first bytes, `request` and `response` translate, `relay` carries the streams
//! of a connection that is no longer HTTP's.

mod connection;
mod group;
mod listen;
mod opening;
mod relay;
mod request;
mod response;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base::{Context, Result};
use engine::{Caller, Engine, LogLevel};
use rustix::process::{Resource, Rlimit};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use listen::Listener;

/// So many clients are served at a time; more wait until one goes.
const CONNECTIONS_LIMIT: usize = 1024;
/// A request may outlive its connection, so there are more threads than those.
const THREADS_LIMIT: usize = 2 * CONNECTIONS_LIMIT;
/// How long requests that are under way may take once a signal has come.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long to wait where the system has no more of something, as a rule descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How a daemon serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens: `unix:///path`.
    pub hosts: Vec<String>,
    /// Whose members may use the sockets; nothing: `docker` where there is such a group, else only root.
    pub group: Option<String>,
    /// How much is said on standard error.
    pub log_level: LogLevel,
    /// How long a client may take for the head of a request, and do nothing in between.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { hosts: Vec::new(), group: None, log_level: LogLevel::default(), patience: Duration::from_secs(60) }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Server {
    engine: Engine,
    log_level: LogLevel,
    patience: Duration,
    /// Becomes true when a signal has come.
    closing: watch::Receiver<bool>,
    /// One more holder for each request that is being answered.
    busy: Arc<()>,
}

/// Serves the API until `SIGTERM` or `SIGINT`, and leaves every container as it is.
///
/// # Errors
/// `Conflict` where another daemon listens; otherwise what making a socket fails with.
pub fn serve(engine: &Engine, options: &Options) -> Result<()> {
    raise_descriptor_limit();
    let group = group::of_sockets(options.group.as_deref())?;
    let listeners = options.hosts.iter().map(|host| Listener::bind(host, group)).collect::<Result<Vec<_>>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS_LIMIT)
        .build()
        .context("start the daemon")?;
    let outcome = runtime.block_on(run(engine, options, listeners));
    // Threads that wait for a container must not be waited for.
    runtime.shutdown_background();
    outcome
}

async fn run(engine: &Engine, options: &Options, listeners: Vec<Listener>) -> Result<()> {
    let (close, closing) = watch::channel(false);
    let busy = Arc::new(());
    let server = Arc::new(Server {
        engine: engine.clone(),
        log_level: options.log_level,
        patience: options.patience,
        closing,
        busy: busy.clone(),
    });
    mend(&server)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
    let mut accepting = JoinSet::new();
    for listener in &listeners {
        let socket =
            UnixListener::from_std(listener.socket()?).with_context(|| format!("listen on {}", listener.host()))?;
        accepting.spawn(accept(socket, listener.host().to_owned(), server.clone(), places.clone()));
        server.say(LogLevel::Info, &format!("listening on {}", listener.host()));
    }
    wait_for_signal(engine).await?;
    accepting.shutdown().await;
    // Nobody new comes in, and a successor may begin.
    drop(listeners);
    let _ = close.send(true);
    let under_way = async {
        // The server's own and the one here.
        while Arc::strong_count(&busy) > 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(FAREWELL, under_way).await;
    // The last answers are still being written.
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// Mends what is broken, beside everything else: a restart policy may want to wait, and the disk.
fn mend(server: &Arc<Server>) -> Result<()> {
    let server = server.clone();
    let work = move || {
        let wrong = |line: String| server.say(LogLevel::Error, &line);
        match server.engine.mend_all(&Caller::engine()) {
            Err(error) => wrong(format!("mend: {error}")),
            Ok(failed) => failed.iter().for_each(|(id, error)| wrong(format!("mend {}: {error}", id.short()))),
        }
        if let Err(error) = server.engine.settle_layers() {
            wrong(format!("settle the layers: {error}"));
        }
    };
    std::thread::Builder::new().name("mend".to_owned()).spawn(work).context("start a thread to mend containers")?;
    Ok(())
}

async fn accept(socket: UnixListener, host: String, server: Arc<Server>, places: Arc<Semaphore>) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match socket.accept().await {
            Ok((stream, _)) => {
                let serving = connection::serve(stream, host.clone(), server.clone());
                tokio::spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Returns when the daemon should end; reaps in between.
async fn wait_for_signal(engine: &Engine) -> Result<()> {
    let listen = |kind| signal(kind).context("listen for signals");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut child = listen(SignalKind::child())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = child.recv() => engine.reap(),
        }
    }
}

/// Clients and containers' streams are descriptors. Supervisors reset their limits themselves.
fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    // The soft limit may always be raised to the hard one.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

impl Server {
    /// A line for whoever started the daemon, who may be gone.
    fn say(&self, level: LogLevel, line: &str) {
        if level >= self.log_level {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}
