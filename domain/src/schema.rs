//! How values that are kept as protobuf are described to callers: as base64.
//!
//! Does not describe the protobuf itself: CometBFT does.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use crate::{block::Header, commit::Commit, evidence::Evidence};

fn base64_of(message: &str) -> RefOr<Schema> {
    let description = format!("The protobuf tendermint.types.{message} in base64");
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    RefOr::T(Schema::Object(text.build()))
}

impl PartialSchema for Header {
    fn schema() -> RefOr<Schema> {
        base64_of("Header")
    }
}

impl ToSchema for Header {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("BlockHeader")
    }
}

impl PartialSchema for Commit {
    fn schema() -> RefOr<Schema> {
        base64_of("Commit")
    }
}

impl ToSchema for Commit {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Commit")
    }
}

impl PartialSchema for Evidence {
    fn schema() -> RefOr<Schema> {
        base64_of("DuplicateVoteEvidence")
    }
}

impl ToSchema for Evidence {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("DuplicateVoteEvidence")
    }
}
