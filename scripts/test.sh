#!/usr/bin/env bash
# Runs every test there is. On a bare Debian with Rust it installs what is missing; without a
# Docker daemon it starts a private one and takes it down again.
#
#   scripts/test.sh            everything
#   scripts/test.sh ARGS…      only `cargo nextest run ARGS…`, with the daemon at hand
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
source scripts/dockerd.sh

install_packages dockerd=docker.io docker=docker.io busybox=busybox-static ip=iproute2 git=git \
    python3=python3 curl=curl node=nodejs npm=npm pip3=python3-pip
install_rust_tools

state=$(mktemp -d)
finish() {
    local status=$?
    stop_private_dockerd
    rm -rf "$state" || true
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

ensure_dockerd "$state"
scripts/images.sh
export SANDBOX_TEST_BASE_IMAGE=sandbox-test/base:latest

if (($#)); then
    cargo nextest run "$@"
    exit
fi

# Ignored tests are those that need root, the daemon or the package registries that the machine
# uses: all of them are here. Languages are pulled once, so that a missing registry is one clear error.
for image in python javascript; do
    cargo run --quiet -p sandbox-cli -- images pull "$image"
done
cargo nextest run --workspace --all-features --run-ignored all
cargo test --doc --workspace --all-features --quiet

echo "Examples:"
for example in quickstart docker egress remote; do
    SANDBOX_IMAGE=$SANDBOX_TEST_BASE_IMAGE \
        cargo run --quiet --all-features --example "$example"
done

left=$(docker ps -aq --filter label=dev.sandbox.namespace | wc -l)
if ((left)); then
    echo "The tests left $left containers behind:" >&2
    docker ps -a --filter label=dev.sandbox.namespace >&2
    exit 1
fi
echo "All tests passed in $SECONDS s."
