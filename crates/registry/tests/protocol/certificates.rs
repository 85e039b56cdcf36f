//! An authority of the tests' own and what it has signed.

use super::server::{Reply, Seen, Server, Stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// Arguments that make a key.
pub const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// A folder of PEM files, made once per run: `ca.pem`, `server.pem`, `server.key`, `other.pem` (an authority that has signed nothing).
pub struct Certificates {
    pub folder: PathBuf,
}

pub fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| {
        // Made once for all tests of a run, and thus left where cargo keeps what tests leave.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("certificates");
        std::fs::create_dir_all(&folder).unwrap();
        for authority in ["ca", "other"] {
            let made = format!("-keyout {authority}.key -out {authority}.pem -subj /CN=berth-test-{authority}");
            openssl(&folder, &format!("req -x509 {KEY} -days 2 {made} -addext basicConstraints=critical,CA:TRUE"));
        }
        openssl(&folder, &format!("req {KEY} -subj /CN=registry -keyout server.key -out server.csr"));
        std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3,DNS:localhost,DNS:registry-1.docker.io,DNS:auth.docker.io,DNS:cdn.example")
            .unwrap();
        let signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem";
        openssl(&folder, &format!("x509 -req -in server.csr {signed}"));
        Certificates { folder }
    })
}

impl Certificates {
    pub fn pem(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).unwrap()
    }

    /// What a server of the tests shows; with `clients`, it asks for a certificate of our authority.
    fn server_configuration(&self, clients: Clients) -> Arc<rustls::ServerConfig> {
        let chain =
            CertificateDer::pem_file_iter(self.folder.join("server.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(self.folder.join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            Clients::Anyone => builder.with_no_client_auth(),
            Clients::Known => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(self.folder.join("ca.pem")).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

/// Whom a server lets in.
#[derive(Clone, Copy)]
pub enum Clients {
    Anyone,
    /// Who has a certificate of our authority.
    Known,
}

/// A server in TLS at an address of its own: `127.0.0.1`, `127.0.0.2`.
pub fn tls_server(host: &str, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
    tls_server_for(Clients::Anyone, host, handler)
}

/// The same, for these clients.
pub fn tls_server_for(
    clients: Clients,
    host: &str,
    handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> Server {
    let configuration = certificates().server_configuration(clients);
    let wrap = move |stream| -> Box<dyn Stream> {
        let connection = rustls::ServerConnection::new(configuration.clone()).unwrap();
        Box::new(rustls::StreamOwned::new(connection, stream))
    };
    Server::start(&format!("{host}:0"), Arc::new(wrap), Arc::new(handler))
}

/// Runs openssl with arguments that are separated by blanks.
pub fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output();
    let output = output.expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
