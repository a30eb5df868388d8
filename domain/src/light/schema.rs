//! How headers and sets are described to callers: as base64 of protobuf, or as the JSON of nodes.
//!
//! Does not describe that JSON in full: producers disagree about it, and several forms are read.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, OneOfBuilder, Type},
    },
};

use super::{SignedHeader, ValidatorSet};

fn either(text: &str, object: &str, members: &[&str]) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(text));
    let mut json = ObjectBuilder::new().description(Some(object));
    for name in members {
        json = json.property(*name, ObjectBuilder::new()).required(*name);
    }
    let either = OneOfBuilder::new().item(text).item(json);
    RefOr::T(Schema::OneOf(either.build()))
}

impl PartialSchema for SignedHeader {
    fn schema() -> RefOr<Schema> {
        either(
            "The protobuf tendermint.types.SignedHeader in base64",
            "A signed header as a node's /commit or a light client writes it",
            &["header", "commit"],
        )
    }
}

impl ToSchema for SignedHeader {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SignedHeader")
    }
}

impl PartialSchema for ValidatorSet {
    fn schema() -> RefOr<Schema> {
        either(
            "The protobuf tendermint.types.ValidatorSet in base64",
            "A validator set as a node's /validators or a light client writes it",
            &["validators"],
        )
    }
}

impl ToSchema for ValidatorSet {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ValidatorSet")
    }
}
