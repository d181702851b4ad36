//! System calls without `errno`, for code that shares its memory, thread-local memory included,
//! with the process that started it.
#![expect(unsafe_code, reason = "system calls are made by hand here")]

use std::arch::asm;

/// Makes a system call; a failure is a negative error number.
///
/// # Safety
/// As the system call itself.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn syscall(number: i64, args: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers rcx and r11 alone; memory is what the caller vouches for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") 0usize,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes a system call; a failure is a negative error number.
///
/// # Safety
/// As the system call itself.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn syscall(number: i64, args: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers x0 alone; memory is what the caller vouches for.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number as usize,
            inlateout("x0") args[0] as isize => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") 0usize,
            options(nostack),
        );
    }
    result
}

/// Starts a process that runs `entry(argument)` on `stack` and never comes back from it. Returns
/// its id, or a negative error number. Where `flags` say so, the kernel notes the new process's id
/// in the first of `words` before it runs, and makes the second zero when it leaves this memory.
///
/// # Safety
/// `stack` is the upper end, aligned to 16 bytes, of memory that nobody else uses while the
/// process runs; `entry` never returns, and neither it nor `flags` break what the caller's
/// memory relies on. The words outlive the process's use of this memory.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn clone(
    flags: i32,
    stack: *mut u8,
    entry: extern "C" fn(*mut u8) -> !,
    argument: *mut u8,
    words: [*mut i32; 2],
) -> isize {
    let result: isize;
    // SAFETY: the child leaves this block only through `entry`, on its own stack; the parent sees
    // a plain system call.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags as usize,
            in("rsi") stack,
            in("rdx") words[0],
            in("r10") words[1],
            in("r8") 0usize,
            in("r12") argument,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// Starts a process that runs `entry(argument)` on `stack` and never comes back from it. Returns
/// its id, or a negative error number. Where `flags` say so, the kernel notes the new process's id
/// in the first of `words` before it runs, and makes the second zero when it leaves this memory.
///
/// # Safety
/// `stack` is the upper end, aligned to 16 bytes, of memory that nobody else uses while the
/// process runs; `entry` never returns, and neither it nor `flags` break what the caller's
/// memory relies on. The words outlive the process's use of this memory.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn clone(
    flags: i32,
    stack: *mut u8,
    entry: extern "C" fn(*mut u8) -> !,
    argument: *mut u8,
    words: [*mut i32; 2],
) -> isize {
    let result: isize;
    // SAFETY: the child leaves this block only through `entry`, on its own stack; the parent sees
    // a plain system call.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone as usize,
            inlateout("x0") flags as isize => result,
            in("x1") stack,
            in("x2") words[0],
            in("x3") 0usize,
            in("x4") words[1],
            in("x20") argument,
            in("x21") entry,
        );
    }
    result
}

/// Ends this process, and no other that shares its memory.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: exit_group touches no memory.
        unsafe { syscall(libc::SYS_exit_group, [code as usize, 0, 0, 0, 0]) };
    }
}
