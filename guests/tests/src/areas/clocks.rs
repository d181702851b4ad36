use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::raw;

fn time(id: i32) -> Result<u64, i32> {
    let mut time = 0_u64;
    // SAFETY: there is room for the answer.
    match unsafe { raw::clock_time_get(id, 1, raw::into(&mut time)) } {
        0 => Ok(time),
        errno => Err(errno),
    }
}

pub fn clocks() {
    assert!(SystemTime::now() > UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    let start = Instant::now();
    sleep(Duration::from_millis(20));
    assert!(start.elapsed() >= Duration::from_millis(20));
    let mut last = time(1).unwrap();
    for _ in 0..1000 {
        let now = time(1).unwrap();
        assert!(now >= last);
        last = now;
    }
    let before = time(2).unwrap();
    // Until it is seen that work takes CPU time.
    let mut sum = 0_u64;
    while time(2).unwrap() == before {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
    }
    assert!(time(3).unwrap() > before);
    assert_eq!(time(4), Err(raw::INVAL));
    assert_eq!(time(-1), Err(raw::INVAL));
    let mut resolution = 0_u64;
    // SAFETY: there is room for the answer.
    unsafe {
        assert_eq!(raw::clock_res_get(0, raw::into(&mut resolution)), 0);
        assert!(resolution > 0 && resolution <= 1_000_000);
        assert_eq!(
            raw::clock_res_get(9, raw::into(&mut resolution)),
            raw::INVAL
        );
    }
}
