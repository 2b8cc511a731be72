//! Why something was not done: transport-free, with a public sentence and a private cause.

use store::StoreError;

use crate::entity::Draft;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// JSON pointer (RFC 6901) to the field.
    pub(crate) pointer: String,
    /// What is wrong, for the person who typed it.
    pub(crate) detail: String,
}

impl FieldFault {
    /// What is wrong between some fields: the first of them that the caller gave is blamed, else
    /// the first.
    pub(crate) fn of_one(draft: &Draft, fields: &[&str], detail: String) -> Self {
        let given = fields.iter().find(|field| draft.value(field).is_some());
        let field = given.or(fields.first()).copied().unwrap_or_default();
        Self { pointer: format!("/{field}"), detail }
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Fields are missing, unknown or wrong.
    #[error("the input is not valid")]
    Invalid(Vec<FieldFault>),
    /// There is no such thing, or not for this caller: nobody learns which.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It stands against something that exists.
    #[error("{detail}")]
    Conflict {
        /// JSON pointer to the field that collides.
        pointer: &'static str,
        /// What it collides with.
        detail: String,
    },
    /// Somebody else changed it meanwhile.
    #[error("it was changed meanwhile")]
    Stale,
    /// The resource does not know this method.
    #[error("this method is not possible here")]
    WrongMethod,
    /// The body is longer than any document of ours.
    #[error("the body has more than {0} octets")]
    TooLong(usize),
    /// The body is of a kind that is not read here.
    #[error("the body is {0}, which is not read here; send {1}")]
    WrongMedia(String, &'static str),
    /// The address is longer than any of ours.
    #[error("the address has more than {0} octets")]
    AddressTooLong(usize),
    /// The caller did not prove who they are.
    #[error("authentication is required")]
    Unauthenticated,
    /// The caller is known, and lacks a permission.
    #[error("this needs the permission {0}")]
    Forbidden(&'static str),
    /// Too many attempts.
    #[error("too many attempts, try again in {0} seconds")]
    TooMany(u32),
    /// The database is busy or away.
    #[error("the database cannot be reached")]
    Unavailable(#[source] StoreError),
    /// Our own bug, or a broken database.
    #[error("something went wrong here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    /// One wrong field.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault { pointer: pointer.into(), detail: detail.into() }])
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale => Self::Stale,
            error if error.is_transient() => Self::Unavailable(error),
            error => Self::Internal(Box::new(error)),
        }
    }
}

impl From<daemon::secrets::SecretError> for Fault {
    fn from(error: daemon::secrets::SecretError) -> Self {
        Self::Internal(Box::new(error))
    }
}
