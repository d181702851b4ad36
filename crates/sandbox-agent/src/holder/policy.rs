//! The policy in force, and the only place that changes it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sandbox_core::Timestamp;
use sandbox_core::egress::{
    Destination, DomainName, EgressPolicy, EgressRules, Environment, Explanation, LearnedAddresses,
    PacketFilter, ScopedPolicy,
};

use super::alarm::Bell;
use super::denials::Denials;
use super::denied;
use super::devices;
use super::nft::batch::{Batch, Table};
use super::nft::dump::{Count, set_alarms, take_counters};
use super::nft::socket::Session;
use super::ruleset::{ALARM, Features, INET, NETDEV, Plan};
use super::sets::Sets;

#[cfg(test)]
mod tests;

/// How long an address stays open after the last answer that named it, for the kernel and the
/// policy alike. Not its record's time to live: connections outlast it, and a sandbox that means
/// to keep an address would ask again.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The namespace's policy. The kernel's rules and this are changed together or not at all.
#[derive(Debug)]
pub(super) struct Policy {
    features: Features,
    mark: u32,
    started: Instant,
    lifetime: Duration,
    bell: Bell,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    scoped: ScopedPolicy,
    upstreams: Vec<SocketAddr>,
    devices: Vec<String>,
    counters: BTreeMap<String, Count>,
    refused_lookups: u64,
    denials: Denials,
    session: Session,
}

impl Policy {
    /// Loads *deny everything but loopback*, with as much as this kernel can do.
    pub(super) fn close() -> io::Result<Self> {
        let devices = devices::list()?;
        let mark = random_mark()?;
        let scoped = ScopedPolicy::new(EgressRules::deny_all(), Environment::namespace());
        let mut session = Session::default();
        let mut refused = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        let alarm = session.commit(alarm_alone()).is_ok();
        for features in [(true, true), (true, false), (false, true), (false, false)] {
            let features = Features {
                link: features.0,
                reject: features.1,
                alarm,
            };
            match session.commit(batch(
                &scoped,
                Timestamp::EPOCH,
                &[],
                &devices,
                mark,
                features,
            )) {
                Ok(()) => {
                    return Ok(Self {
                        features,
                        mark,
                        started: Instant::now(),
                        lifetime: LIFETIME,
                        bell: Bell::default(),
                        state: Mutex::new(State {
                            scoped,
                            upstreams: Vec::new(),
                            devices,
                            counters: BTreeMap::new(),
                            refused_lookups: 0,
                            denials: Denials::default(),
                            session,
                        }),
                    });
                }
                Err(error) if missing(&error) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// What this kernel can do.
    pub(super) fn features(&self) -> Features {
        self.features
    }

    /// What the resolver's own packets carry.
    pub(super) fn mark(&self) -> u32 {
        self.mark
    }

    /// The interfaces filtered now.
    pub(super) fn devices(&self) -> Vec<String> {
        self.lock().devices.clone()
    }

    /// Where the resolver asks.
    pub(super) fn upstreams(&self) -> Vec<SocketAddr> {
        self.lock().upstreams.clone()
    }

    /// Replaces the policy in one transaction. On an error the old one stays in force. Counts and
    /// refusals that cannot be read are lost, and so is what was learned when the policy
    /// loads only without it.
    pub(super) fn set(
        &self,
        rules: EgressRules,
        mut environment: Environment,
        upstreams: Vec<SocketAddr>,
    ) -> io::Result<()> {
        // Loopback of a namespace is the namespace's.
        environment.own_loopback = true;
        let devices = devices::list()?;
        let mut state = self.lock();
        let mut learned = state.scoped.learned.clone();
        let now = self.now();
        learned.expire(now);
        learned.retain_allowed(&rules, &environment);
        let mut scoped = ScopedPolicy {
            rules,
            environment,
            learned,
        };
        // Replacing the tables resets what they hold. A count that cannot be read is lost: it
        // must not keep a stricter policy from being loaded.
        let _ = self.collect(&mut state);
        let _ = state.collect_denials();
        load(&mut scoped, |scoped| {
            let batch = batch(scoped, now, &upstreams, &devices, self.mark, self.features);
            state.session.commit(batch)
        })?;
        state.scoped = scoped;
        state.upstreams = upstreams;
        state.devices = devices;
        Ok(())
    }

    /// Whether `name` may be looked up; a refusal is remembered.
    pub(super) fn may_look_up(&self, name: &DomainName) -> bool {
        let mut state = self.lock();
        let lookup = Destination::Lookup(name.clone());
        let allowed = state.scoped.decide(&lookup).is_allowed();
        if !allowed {
            state.denials.push(lookup);
            state.refused_lookups = state.refused_lookups.saturating_add(1);
            self.bell.ring();
        }
        allowed
    }

    /// Opens what `name` resolved to, before anyone is told the answer. Addresses that no
    /// name may open are left out. On an error nothing is learned.
    pub(super) fn learn(&self, name: &DomainName, answers: &[IpAddr]) -> io::Result<()> {
        let mut state = self.lock();
        // The policy may have changed while the answer was on its way.
        if state.scoped.rules.matching_domain(name).is_none() {
            return Ok(());
        }
        let now = self.now();
        let mut batch = Batch::new();
        // Assigned when the kernel agreed.
        let mut learned = state.scoped.learned.clone();
        learned.expire(now);
        let mut news = false;
        let until = now.plus(self.lifetime);
        let millis = until.as_millis() - now.as_millis();
        for address in answers {
            let environment = &state.scoped.environment;
            if learned.learn(environment, name, *address, until).is_err() {
                continue;
            }
            news = true;
            Sets::new(&mut batch, INET).learn(*address, millis);
            if self.features.link && !state.devices.is_empty() {
                Sets::new(&mut batch, NETDEV).learn(*address, millis);
            }
        }
        if news {
            state.session.commit(batch)?;
            state.scoped.learned = learned;
        }
        Ok(())
    }

    /// Every counter since the start, and how much of that was refused: packets and lookups.
    pub(super) fn counters(&self) -> io::Result<(BTreeMap<String, Count>, u64)> {
        let mut state = self.lock();
        self.collect(&mut state)?;
        Ok((state.counters.clone(), state.denied()))
    }

    /// What was refused since the start. What is refused from now on rings the bell.
    pub(super) fn denied_from_now(&self) -> io::Result<u64> {
        let mut state = self.lock();
        // Before the counts are read: nothing may be refused in between and never told.
        if self.features.alarm {
            set_alarms(&mut state.session, INET)?;
        }
        self.collect(&mut state)?;
        Ok(state.denied())
    }

    /// Rings when something may have been refused.
    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// What was refused since the last call.
    pub(super) fn take_denials(&self) -> io::Result<Denials> {
        let mut state = self.lock();
        state.collect_denials()?;
        Ok(std::mem::take(&mut state.denials))
    }

    /// What names resolved to, with the seconds it stays open for.
    pub(super) fn learned(&self) -> Vec<(IpAddr, String, u64)> {
        let (state, now) = (self.lock(), self.now());
        let learned = state.scoped.learned.iter();
        learned
            .filter(|(_, _, expires)| *expires > now)
            .map(|(address, name, expires)| {
                (address, name.to_string(), expires.since(now).as_secs())
            })
            .collect()
    }

    /// Which rule decides about `destination`.
    pub(super) fn explain(&self, destination: &Destination) -> Explanation {
        let mut state = self.lock();
        // The kernel drops it at its end by itself.
        state.scoped.learned.expire(self.now());
        state.scoped.explain(destination)
    }

    fn collect(&self, state: &mut State) -> io::Result<()> {
        let mut counts = take_counters(&mut state.session, INET)?;
        if self.features.link && !state.devices.is_empty() {
            counts.extend(take_counters(&mut state.session, NETDEV)?);
        }
        for (name, count) in counts {
            let sum = state.counters.entry(name).or_default();
            sum.packets = sum.packets.saturating_add(count.packets);
            sum.bytes = sum.bytes.saturating_add(count.bytes);
        }
        Ok(())
    }

    /// Time since the start, which no one can set.
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(self.started.elapsed())
    }

    /// A panic elsewhere leaves a state that is whole: it is only assigned after the kernel agreed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn denied(&self) -> u64 {
        let refusals = self.counters.iter().filter(|(name, _)| is_denial(name));
        let packets: u64 = refusals.map(|(_, count)| count.packets).sum();
        packets.saturating_add(self.refused_lookups)
    }

    fn collect_denials(&mut self) -> io::Result<()> {
        denied::take(&mut self.session, &mut self.denials)
    }
}

/// Has `commit` load `scoped`. What was learned is the one part that names make grow: without it
/// the policy is smaller and stricter, and names can be looked up again.
fn load(
    scoped: &mut ScopedPolicy,
    mut commit: impl FnMut(&ScopedPolicy) -> io::Result<()>,
) -> io::Result<()> {
    let first = commit(scoped);
    if first.is_ok() || scoped.learned == LearnedAddresses::default() {
        return first;
    }
    scoped.learned = LearnedAddresses::default();
    commit(scoped)
}

/// Counters of what the sandbox tried and may not.
fn is_denial(counter: &str) -> bool {
    const DENYING: [&str; 11] = [
        "own_loopback",
        "advertisement",
        "mapped_on_wire",
        "protected",
        "deny_cidrs",
        "default",
        "resolver",
        "source_route",
        "arp",
        "frame",
        "spoofed",
    ];
    match counter.split_once('_') {
        Some(("output" | "link", rest)) => DENYING.contains(&rest),
        _ => false,
    }
}

/// A transaction that changes nothing, and that a kernel without alarms refuses.
fn alarm_alone() -> Batch {
    let probe = Table {
        name: "sandbox_probe",
        ..INET
    };
    let mut batch = Batch::new();
    batch.replace_table(probe);
    batch.alarm(probe, ALARM);
    batch.remove_table(probe);
    batch
}

fn batch(
    scoped: &ScopedPolicy,
    now: Timestamp,
    upstreams: &[SocketAddr],
    devices: &[String],
    mark: u32,
    features: Features,
) -> Batch {
    let plan = Plan {
        filter: &PacketFilter::compile(&scoped.rules, &scoped.environment),
        environment: &scoped.environment,
        learned: &scoped.learned,
        now,
        upstreams,
        mark,
        devices,
        features,
    };
    plan.batch()
}

/// How kernels say that they lack a hook or an expression.
fn missing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOENT | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)
    )
}

/// Not zero, and not to be guessed: since Linux 5.17 CAP_NET_RAW may set marks too.
fn random_mark() -> io::Result<u32> {
    let mut bytes = [0; 4];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes) | 1)
}
