//! A program without a library: what one that passes paths as they were given looks like.

#![cfg_attr(target_os = "wasi", no_std, no_main)]

#[cfg(not(target_os = "wasi"))]
fn main() {}

#[cfg(target_os = "wasi")]
mod wasi {
    // The start of every program belongs to it.
    #[link(name = "c")]
    unsafe extern "C" {}

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        #[expect(clippy::too_many_arguments, reason = "it has so many")]
        fn path_open(
            fd: i32,
            follow: i32,
            path: *const u8,
            len: i32,
            flags: i32,
            rights: i64,
            inherited: i64,
            fd_flags: i32,
            out: *mut i32,
        ) -> i32;
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }

    /// Makes the file whose path begins `skip` bytes into `path`.
    fn make(path: &[u8], skip: usize) -> i32 {
        let path = core::hint::black_box(path);
        let (at, len) = (path[skip..].as_ptr(), (path.len() - skip) as i32);
        let mut fd = -1;
        // SAFETY: the path is there until the call is over, as is the place for the answer.
        unsafe { path_open(3, 1, at, len, 1, 1 << 6, 0, 0, &mut fd) }
    }

    /// Ends with the number of the first error.
    #[unsafe(no_mangle)]
    extern "C" fn __main_void() -> i32 {
        let made = [
            make(b"\0here", 1),
            make(b"\0../above", 1),
            make(b"/tmp/absolute", 1),
            make(b"\0/tmp/whole", 1),
        ];
        made.into_iter().find(|errno| *errno != 0).unwrap_or(0)
    }
}
