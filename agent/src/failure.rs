//! Why a validator ends.
//!
//! Does not know exit codes.

/// A reason to end, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something was refused, or is not as it must be.
    #[error("{0}")]
    Refused(String),
    /// It was started in a wrong way.
    #[error("{0}")]
    Usage(String),
    /// Something that is needed cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// Refused, or not as it must be.
    pub(crate) fn refused(sentence: impl ToString) -> Failure {
        Failure::Refused(sentence.to_string())
    }
}
