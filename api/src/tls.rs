//! TLS by rustls (RFC 8446, and 1.2 for older clients): our certificate, and whose certificates our
//! clients must show.
//!
//! Does not know what is said over it.

use std::{fmt::Display, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct TlsError {
    file: String,
    why: String,
}

/// Chooses who does the cryptography of TLS, as more than one library that can is linked; whoever
/// was first has chosen for the whole process.
pub fn choose_library() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap_or_default();
}

/// What speaks TLS with the certificate and the key in these PEM files. With a file of authorities,
/// clients must show a certificate of one of them. The library is chosen before.
pub fn acceptor(
    certificate: &Path,
    key: &Path,
    client_authorities: Option<&Path>,
) -> Result<TlsAcceptor, TlsError> {
    let builder = match client_authorities {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(of(path))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            ServerConfig::builder().with_client_cert_verifier(verifier.map_err(of(path))?)
        }
    };
    let private = PrivateKeyDer::from_pem_file(key).map_err(of(key))?;
    let config = builder.with_single_cert(certificates(certificate)?, private);
    let mut config = config.map_err(of(certificate))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).map_err(of(path))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(of(path))?;
    if found.is_empty() { Err(of(path)("it holds no certificate in PEM")) } else { Ok(found) }
}

fn of<E: Display>(path: &Path) -> impl Fn(E) -> TlsError {
    let file = path.display().to_string();
    move |why| TlsError { file: file.clone(), why: why.to_string() }
}
