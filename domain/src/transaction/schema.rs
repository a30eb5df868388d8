//! How a transaction is described to callers: by the members they send.
//!
//! Does not know what is kept beside them.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{Transaction, envelope::Sent};

impl PartialSchema for Transaction {
    fn schema() -> RefOr<Schema> {
        Sent::schema()
    }
}

impl ToSchema for Transaction {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Transaction")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Sent::schemas(schemas);
    }
}
