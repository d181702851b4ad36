//! `cargo bench --bench http --all-features`: what HTTP adds to a command, and how many requests a
//! second the server answers, against the in-memory runtime.
//!
//! Server and load share this machine's cores, in one process. The load is written by hand, byte by
//! byte, so that it costs as little of them as it can.

mod load;
mod server;

use std::io::Write;
use std::time::{Duration, Instant};

use sandbox::{Command, SandboxExt};

use load::Connection;
use server::Server;

/// How many commands are timed on each side.
const COMMANDS: usize = 2000;
/// How many of them in turn, before the other side has its turn.
const TURN: usize = 50;
/// How many connections ask at once, and for how long, for the rates.
const CONNECTIONS: usize = 32;
const RATE_TIME: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    let mut out = std::io::stdout().lock();
    let (mut bare, mut http) = exec_true(&server).await?;
    writeln!(
        out,
        "\nexec of true, {COMMANDS} on each side in turns of {TURN}, in ms (aim: p50 adds 0.3)\n"
    )?;
    writeln!(out, "| | crate | HTTP | added |\n|---|---:|---:|---:|")?;
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let (bare, http) = (percentile(&mut bare, share), percentile(&mut http, share));
        writeln!(
            out,
            "| {name} | {bare:.3} | {http:.3} | {:.3} |",
            http - bare
        )?;
    }

    writeln!(
        out,
        "\nrequests a second over {CONNECTIONS} connections for {RATE_TIME:?} (aim: 20,000)\n"
    )?;
    writeln!(out, "| request | rate | of the floor |\n|---|---:|---:|")?;
    let mut floor = None;
    for (name, request) in server.requests() {
        let rate = rate(&server, &request).await?;
        let floor = *floor.get_or_insert(rate);
        writeln!(out, "| {name} | {rate:.0} | {:.2} |", rate / floor)?;
    }
    server.stop().await;
    Ok(())
}

/// How long each command took through the engine, and through the API.
async fn exec_true(server: &Server) -> Result<(Vec<f64>, Vec<f64>), Box<dyn std::error::Error>> {
    let (mut bare, mut http) = (Vec::new(), Vec::new());
    let sandbox = server.engine.sandbox(&server.sandbox)?;
    let request = server.exec();
    let mut connection = Connection::open(server.address).await?;
    // The first turn warms both up.
    for turn in 0..=COMMANDS / TURN {
        for _ in 0..TURN {
            let began = Instant::now();
            let output = sandbox.exec(Command::shell("true")).await?;
            assert!(output.status.success());
            if turn > 0 {
                bare.push(began.elapsed().as_secs_f64() * 1000.0);
            }
        }
        for _ in 0..TURN {
            let began = Instant::now();
            connection.ask(&request).await?;
            if turn > 0 {
                http.push(began.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    Ok((bare, http))
}

fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}

async fn rate(server: &Server, request: &[u8]) -> Result<f64, Box<dyn std::error::Error>> {
    let address = server.address;
    let began = Instant::now();
    let until = began + RATE_TIME;
    let askers = (0..CONNECTIONS).map(|_| {
        let request = request.to_vec();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut answered = 0_u32;
            while Instant::now() < until {
                connection.ask(&request).await?;
                answered += 1;
            }
            std::io::Result::Ok(answered)
        })
    });
    let mut answered = 0.0;
    for asker in askers.collect::<Vec<_>>() {
        answered += f64::from(asker.await??);
    }
    let rate = answered / began.elapsed().as_secs_f64();
    server.clear().await?;
    Ok(rate)
}
