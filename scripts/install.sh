# Installs what the tests need and is missing; sourced by the other scripts.
# shellcheck shell=bash

# Debian packages, only those whose program is not there.
# Arguments: PROGRAM=PACKAGE…
install_packages() {
    local wanted=() pair
    for pair in "$@"; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || wanted+=("${pair#*=}")
    done
    ((${#wanted[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        echo "Please install: ${wanted[*]}" >&2
        return 1
    fi
    local as_root=()
    ((EUID == 0)) || as_root=(sudo)
    echo "Installing ${wanted[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" \
        apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

# The compile targets and the test runner.
install_rust_tools() {
    local target
    for target in "$(uname -m)-unknown-linux-musl" wasm32-wasip1; do
        command -v rustup >/dev/null || break
        rustup target list --installed | grep -qx "$target" || rustup target add "$target"
    done
    command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest
}

install_cargo_deny() {
    command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
}
