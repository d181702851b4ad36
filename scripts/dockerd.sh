# Finds a Docker daemon, or starts a private one; sourced by the other scripts.
# shellcheck shell=bash

private_dockerd_pid=

docker_answers() {
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Leaves DOCKER_HOST pointing at a daemon that answers. Argument: a directory for a private
# daemon's state, which the caller removes.
ensure_dockerd() {
    local dir=$1
    if docker_answers; then
        echo "Using the Docker daemon that answers."
        return 0
    fi
    if ((EUID != 0)); then
        echo "No Docker daemon answers. Start one, or run this as root to get a private one." >&2
        return 1
    fi
    mkdir -p "$dir/data" "$dir/run"
    # A bridge name and a pid file of its own, so that it lives beside any other daemon.
    PATH="$PATH:/usr/sbin:/sbin" setsid dockerd \
        --data-root "$dir/data" --exec-root "$dir/run/exec" -p "$dir/run/pid" \
        -H "unix://$dir/run/sock" >"$dir/run/log" 2>&1 </dev/null &
    private_dockerd_pid=$!
    export DOCKER_HOST="unix://$dir/run/sock"
    local attempt
    for attempt in $(seq 1 150); do
        if docker_answers; then
            echo "Started a private Docker daemon (after $attempt tries)."
            return 0
        fi
        kill -0 "$private_dockerd_pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "The private Docker daemon did not start; the end of its log:" >&2
    tail -n 20 "$dir/run/log" >&2
    return 1
}

# Stops the private daemon, if there is one, and waits until it is gone.
stop_private_dockerd() {
    [ -n "$private_dockerd_pid" ] || return 0
    kill "$private_dockerd_pid" 2>/dev/null || true
    local attempt
    for attempt in $(seq 1 100); do
        kill -0 "$private_dockerd_pid" 2>/dev/null || break
        [ "$attempt" != 90 ] || kill -9 "$private_dockerd_pid" 2>/dev/null || true
        sleep 0.2
    done
    private_dockerd_pid=
}
