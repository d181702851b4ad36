//! `sandbox serve` is killed with -9 at random instants while clients create sandboxes, run commands
//! in them and destroy them, and retry whatever breaks. After all of it every request that was
//! acknowledged had exactly one effect, none had two, and Docker has what the server has.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

mod check;
mod load;
mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::load::Load;
use self::server::Server;

const KILLS: u32 = 20;
/// The instants of the kills, in milliseconds after the server answered.
const INSTANTS: std::ops::Range<u64> = 200..4500;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn killed_under_load_every_retried_request_has_one_effect() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = Random(seed.as_nanos() as u64);
    println!("seed of the instants: {}", random.0);
    let mut server = Server::new();
    server.start().await;
    let load = Load::begin(&server);
    for kill in 1..=KILLS {
        let delay = Duration::from_millis(random.within(INSTANTS));
        tokio::time::sleep(delay).await;
        server.kill();
        println!("kill {kill} after {} ms", delay.as_millis());
        server.start().await;
    }
    let said = load.end().await;
    println!("{}", said.summary());
    check::everything(&server, &said).await;
    server.stop();
}

/// A small generator (SplitMix64): the seed is printed, so that a run can be told apart.
struct Random(u64);

impl Random {
    fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        range.start + mixed % (range.end - range.start)
    }
}
