//! Tells dependents where these sources are, so that they can build the program for another target:
//! `DEP_SANDBOX_AGENT_MANIFEST_DIR` in their build scripts.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::metadata=MANIFEST_DIR={}",
        env!("CARGO_MANIFEST_DIR")
    );
}
