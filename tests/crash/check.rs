//! Kills the victim, restarts over what it left, and holds store, Docker and acknowledgements
//! against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sandbox::docker::DockerRuntime;
use sandbox::engine::{Engine, ListFilter, SandboxRecord};
use sandbox::lifecycle::State;
use sandbox::{Command, SandboxExt, SandboxId};

use crate::victim::{MARK, Orders, config, engine};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const KILLS: u32 = 20;
/// The instants of the kills, in milliseconds after what [`Kill`] counts from.
const INSTANTS: std::ops::Range<u64> = 20..4000;
/// How long a restarted engine may take until everything is at rest.
const REST: Duration = Duration::from_secs(60);

/// What the victim said before it died.
#[derive(Debug, Default)]
struct Acknowledged {
    created: BTreeSet<String>,
    destroying: BTreeSet<String>,
    destroyed: BTreeSet<String>,
}

pub(crate) fn twenty_kills() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let orders = Orders {
        database: dir.path().join("engine.db"),
        namespace: format!("crash{}", std::process::id()),
        image: test_image()?,
    };
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    println!("seed of the instants: {seed}");
    let mut random = Random(seed);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut totals = Acknowledged::default();
    for round in 1..=KILLS {
        let kill = Kill {
            after_first: round % 2 == 0,
            delay: Duration::from_millis(random.within(INSTANTS)),
        };
        let said = kill_one(&orders, kill)?;
        let alive = runtime.block_on(after_restart(&orders, &said))?;
        println!(
            "kill {round} {kill}: {} acknowledged, {} destroyed, {alive} alive after it",
            said.created.len(),
            said.destroyed.len(),
        );
        totals.created.extend(said.created);
    }
    // A test whose victim never gets anything done would prove nothing: each of those that live
    // until they made a sandbox has one at least.
    if totals.created.len() < KILLS as usize / 2 {
        return Err(format!("only {} sandboxes were ever made", totals.created.len()).into());
    }
    Ok(())
}

/// The image of the tests, made by their script.
fn test_image() -> Outcome<String> {
    std::env::var("SANDBOX_TEST_BASE_IMAGE")
        .map_err(|_| "SANDBOX_TEST_BASE_IMAGE is not set; run scripts/test.sh".into())
}

/// When a victim is killed.
#[derive(Debug, Clone, Copy)]
struct Kill {
    /// Counts from when the first sandbox was made, and not from when the work began: how long fifty
    /// creations at once take is the machine's business, and one where it is longer than the
    /// [`INSTANTS`] would otherwise see them killed in the middle and nothing else.
    after_first: bool,
    delay: Duration,
}

impl std::fmt::Display for Kill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = if self.after_first {
            "the first sandbox"
        } else {
            "the beginning"
        };
        write!(f, "{} ms after {since}", self.delay.as_millis())
    }
}

/// Lets a victim work until `kill` says, and kills it.
fn kill_one(orders: &Orders, kill: Kill) -> Outcome<Acknowledged> {
    let mut victim = Process::new(std::env::current_exe()?)
        .env(MARK, orders.to_env())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = lines_of(&mut victim);
    if lines.recv_timeout(REST).as_deref() != Ok("ready") {
        let _ = victim.kill();
        return Err(format!("the victim did not start: {:?}", victim.wait()?).into());
    }
    let mut early = Vec::new();
    if kill.after_first {
        // An error is the victim's end, which is told apart below.
        early.extend(lines.recv_timeout(REST));
    }
    std::thread::sleep(kill.delay);
    victim.kill()?;
    let status = victim.wait()?;
    if std::os::unix::process::ExitStatusExt::signal(&status) != Some(9) {
        return Err(format!("the victim ended by itself: {status}").into());
    }
    let mut said = Acknowledged::default();
    for line in early.into_iter().chain(lines) {
        match line.split_once(' ') {
            Some(("created", id)) => said.created.insert(id.to_owned()),
            Some(("destroying", id)) => said.destroying.insert(id.to_owned()),
            Some(("destroyed", id)) => said.destroyed.insert(id.to_owned()),
            _ => return Err(format!("the victim failed: {line}").into()),
        };
    }
    Ok(said)
}

fn lines_of(victim: &mut Child) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    let out = victim.stdout.take().expect("it is piped");
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    receive
}

/// Restarts over what is left, checks it, and destroys it. Answers how many were alive.
async fn after_restart(orders: &Orders, said: &Acknowledged) -> Outcome<usize> {
    let engine = engine(orders).await?;
    let docker = DockerRuntime::connect(config(orders)).await?;
    let states = at_rest(&engine).await?;
    let existing: BTreeSet<SandboxId> = docker
        .recover()
        .await?
        .into_iter()
        .map(|found| found.id)
        .collect();

    let known: BTreeSet<SandboxId> = states
        .iter()
        .filter(|(_, state)| **state == State::Running)
        .map(|(id, _)| id.clone())
        .collect();
    if known != existing {
        return Err(format!("the store has {known:?} running, Docker has {existing:?}").into());
    }
    for id in &said.created {
        let state = states.get(&id.parse::<SandboxId>()?).copied();
        let may_be_gone = said.destroying.contains(id);
        let fits = match state {
            Some(State::Running) => !said.destroyed.contains(id),
            None => may_be_gone,
            Some(_) => false,
        };
        if !fits {
            return Err(format!("{id} was acknowledged and is {state:?}; {said:?}").into());
        }
    }
    for id in &existing {
        let output = engine.sandbox(id)?.exec(Command::argv(["true"])).await?;
        if !output.status.success() {
            return Err(format!("{id} runs and does not work: {:?}", output.status).into());
        }
    }
    destroy_all(&engine, &existing).await?;
    if !docker.recover().await?.is_empty() {
        return Err("something is left after everything was destroyed".into());
    }
    engine.shutdown().await;
    Ok(existing.len())
}

/// The states of everything not destroyed, once nothing is on its way any more.
async fn at_rest(engine: &Engine) -> Outcome<BTreeMap<SandboxId, State>> {
    let began = Instant::now();
    loop {
        let records = records(engine).await?;
        let moving = |one: &SandboxRecord| one.lifecycle.outstanding().is_some();
        if !records.iter().any(|one| moving(one)) {
            return Ok(records
                .iter()
                .map(|one| (one.id().clone(), one.state()))
                .collect());
        }
        if began.elapsed() > REST {
            return Err(format!("not at rest after {REST:?}: {records:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn records(engine: &Engine) -> Outcome<Vec<Arc<SandboxRecord>>> {
    let mut filter = ListFilter::default();
    let mut records = Vec::new();
    loop {
        let page = engine.list(&filter).await?;
        records.extend(page.sandboxes);
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return Ok(records),
        }
    }
}

async fn destroy_all(engine: &Engine, ids: &BTreeSet<SandboxId>) -> Outcome<()> {
    let all = ids.iter().map(|id| engine.destroy(id));
    for destroyed in futures_util::future::join_all(all).await {
        destroyed?;
    }
    Ok(())
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
