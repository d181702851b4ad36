//! Namespaces, the holder's process, and what lives in the world.

pub(crate) mod holder;
pub(crate) mod namespace;
pub(crate) mod probe;
pub(crate) mod world;

pub(crate) use holder::Holder;
pub(crate) use namespace::{Namespace, Wire};
pub(crate) use world::World;

use serde_json::{Value, json};

/// What the tests' machine looks like to a sandbox.
pub(crate) fn environment() -> Value {
    json!({
        "own": ["10.77.0.2", "fd77::2"],
        "gateway": ["10.77.0.1", "fd77::1"],
        "host": ["198.18.0.1"],
        "neighbours": ["10.77.0.0/24", "fd77::/64"],
    })
}

/// A sandbox, its world and its holder, without a policy yet.
pub(crate) fn start() -> (Wire, World, Holder) {
    let wire = Wire::new();
    let world = World::start(&wire.world);
    let holder = Holder::start(&wire.sandbox);
    (wire, world, holder)
}
