//! Gives the shell a stack deep enough for recursive functions, and memory that need not grow at start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo::rustc-link-arg-bins=-zstack-size=2097152");
        println!("cargo::rustc-link-arg-bins=--initial-memory=4194304");
    }
}
