//! What `wasmtime` makes of the interfaces in `wit/`: one trait for each, implemented in the
//! files beside this one.

wasmtime::component::bindgen!({
    path: "wit",
    world: "wasi:cli/command",
    imports: {
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: {
        "wasi:io/streams.stream-error" => wasmtime_wasi_io::streams::StreamError,
        "wasi:filesystem/types.error-code" => super::filesystem::FsError,
        "wasi:sockets/network.error-code" => super::sockets::SocketError,
    },
    with: {
        "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
        "wasi:io/streams": wasmtime_wasi_io::bindings::wasi::io::streams,
        "wasi:io/error": wasmtime_wasi_io::bindings::wasi::io::error,
        "wasi:sockets/network.network": super::sockets::Network,
        "wasi:sockets/tcp.tcp-socket": super::sockets::TcpSocket,
        "wasi:sockets/udp.udp-socket": super::sockets::UdpSocket,
        "wasi:sockets/udp.incoming-datagram-stream": super::sockets::IncomingDatagrams,
        "wasi:sockets/udp.outgoing-datagram-stream": super::sockets::OutgoingDatagrams,
        "wasi:sockets/ip-name-lookup.resolve-address-stream": super::sockets::Addresses,
        "wasi:filesystem/types.directory-entry-stream": super::filesystem::DirectoryEntries,
        "wasi:filesystem/types.descriptor": super::filesystem::Descriptor,
        "wasi:cli/terminal-input.terminal-input": super::cli::Terminal,
        "wasi:cli/terminal-output.terminal-output": super::cli::Terminal,
    },
});
