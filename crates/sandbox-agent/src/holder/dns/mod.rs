//! The resolver: the one way to look up names, under the same policy as everything else.
//!
//! It takes a question apart, asks the policy about its name, asks the upstream resolvers a
//! question of its own making (so that nothing but a name and a type gets out), learns the
//! addresses in the answer where `allow_domains` is what allowed it, and only then answers.
//! A refused name is answered with REFUSED: unlike NXDOMAIN it says that the name was not looked
//! up, and caches do not keep it.
//!
//! The message parser is small because it reads little: one question, and of answers the owner, the
//! type, CNAME targets and addresses. Everything it does not understand is refused.

mod clients;
mod message;
mod name;
mod resolve;
mod serve;
mod slots;
mod upstream;
mod wait;

pub(super) use serve::start;
