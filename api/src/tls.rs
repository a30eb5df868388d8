//! TLS by rustls.
//!
//! Does not know what is said over it.

/// Chooses who does the cryptography of TLS, as more than one library that can is linked; whoever
/// was first has chosen for the whole process.
pub fn choose_library() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap_or_default();
}
