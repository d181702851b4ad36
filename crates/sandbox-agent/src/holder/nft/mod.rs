//! A small nf_tables client: attributes, expressions, batches and the socket they go through.
//!
//! Only what a sandbox's filter needs, over plain netlink, so that the holder can be one static
//! binary without `nft`, libraries or a shell.

pub(super) mod attributes;
pub(super) mod batch;
pub(super) mod dump;
pub(super) mod expression;
pub(super) mod interval;
pub(super) mod notices;
pub(super) mod socket;
