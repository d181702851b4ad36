//! The one place where a sandbox's network asks its policy.
//!
//! Nothing reaches the host's network, a listener of the sandbox or the resolver but with a [`Permit`]
//! or a [`LookupPermit`], and only this file makes them. A permit lives no longer than the policy it
//! came from is held still, and what is opened with it is known here before it ends: so there is no
//! moment in which a new policy could miss an open flow.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::{Duration, Instant};

use sandbox_core::Timestamp;
use sandbox_core::egress::{
    Decision, Destination, DomainName, EgressPolicy, EgressRules, Environment, Protocol, Rule,
    ScopedPolicy,
};

use super::address;
use super::denials::Denials;
use super::surroundings::Surroundings;
use crate::kernel::{Errno, Result};
use crate::lock::Lock;

/// What carries bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
    /// Echo requests of ICMP; ports mean nothing.
    Echo,
}

impl Transport {
    fn to(self, to: SocketAddr) -> Destination {
        let protocol = match self {
            Self::Tcp => Protocol::Tcp(to.port()),
            Self::Udp => Protocol::Udp(to.port()),
            Self::Echo => Protocol::Icmp,
        };
        Destination::address(to.ip(), protocol)
    }
}

/// Something open that a new policy may no longer allow.
pub(super) trait Flow: Send + Sync {
    /// Where it goes.
    fn destination(&self) -> &Destination;
    /// Ends it, at once and for good. The gate is locked meanwhile.
    fn cut(&self);
}

/// Leave to reach one address.
pub(super) struct Permit<'a> {
    to: SocketAddr,
    destination: Destination,
    inside: bool,
    flows: &'a mut Flows,
}

impl Permit<'_> {
    /// The address that was judged, which is the one to connect to.
    pub(super) fn address(&self) -> SocketAddr {
        self.to
    }

    /// What was judged.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether it is the sandbox itself.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }

    /// Has `flow` cut when it is no longer allowed.
    pub(super) fn keep<F: Flow + 'static>(&mut self, flow: &Arc<F>) {
        let weak: Weak<F> = Arc::downgrade(flow);
        self.flows.add(weak);
    }
}

/// Leave to look one name up.
#[derive(Debug)]
pub(super) struct LookupPermit(DomainName);

impl LookupPermit {
    /// The name.
    pub(super) fn name(&self) -> &DomainName {
        &self.0
    }
}

/// The policy of one sandbox. Without one everything is denied.
#[derive(Debug)]
pub(super) struct Gate {
    surroundings: Arc<dyn Surroundings>,
    denials: Arc<Denials>,
    started: Instant,
    lifetime: Duration,
    state: Lock<State>,
    /// When the first learned address ends, in milliseconds since the start.
    next_end: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    policy: Option<Box<ScopedPolicy>>,
    /// The one that `policy` has a copy of.
    environment: Option<Arc<Environment>>,
    flows: Flows,
}

#[derive(Debug, Default)]
struct Flows {
    open: Vec<Weak<dyn Flow>>,
    /// The length at which those that have ended are taken out.
    tidy_at: usize,
}

impl std::fmt::Debug for dyn Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flow({})", self.destination())
    }
}

impl Flows {
    fn add(&mut self, flow: Weak<dyn Flow>) {
        if self.open.len() >= self.tidy_at {
            self.open.retain(|flow| flow.strong_count() > 0);
            self.tidy_at = (2 * self.open.len()).max(16);
        }
        self.open.push(flow);
    }

    /// Cuts what `keep` does not want.
    fn sweep(&mut self, keep: impl Fn(&Destination) -> bool) {
        self.open.retain(|flow| {
            let Some(flow) = flow.upgrade() else {
                return false;
            };
            let kept = keep(flow.destination());
            if !kept {
                flow.cut();
            }
            kept
        });
    }
}

impl Gate {
    /// A gate that lets nothing through yet, and forgets what names resolved to after `lifetime`.
    pub(super) fn new(
        surroundings: Arc<dyn Surroundings>,
        lifetime: Duration,
        denials: Arc<Denials>,
    ) -> Self {
        Self {
            surroundings,
            denials,
            started: Instant::now(),
            lifetime,
            state: Lock::default(),
            next_end: AtomicU64::new(u64::MAX),
        }
    }

    /// Replaces the rules, `None` for none, and cuts what they no longer allow.
    pub(super) fn set(&self, rules: Option<&EgressRules>) {
        let mut state = self.state.lock();
        let Some(rules) = rules else {
            state.policy = None;
            // Nobody has a copy of it now.
            state.environment = None;
            state.flows.sweep(|_| false);
            return;
        };
        let environment = match &state.policy {
            Some(policy) => policy.environment.clone(),
            None => Environment::namespace(),
        };
        let mut policy = ScopedPolicy::new(rules.clone(), environment);
        if let Some(before) = state.policy.take() {
            policy.learned = before.learned;
            policy.learned.expire(self.now());
            policy
                .learned
                .retain_allowed(&policy.rules, &policy.environment);
        }
        let State { flows, .. } = &mut *state;
        flows.sweep(|destination| policy.decide(destination).is_allowed());
        self.note_ends(&policy);
        state.policy = Some(Box::new(policy));
    }

    /// Lets `open` reach `to`, when the policy allows it. `fresh`: no flow goes there yet, so that the
    /// host's routes are asked as well.
    ///
    /// # Errors
    /// `ACCES` when it does not, which is counted; whatever `open` fails with.
    pub(super) fn admit<T>(
        &self,
        transport: Transport,
        to: SocketAddr,
        fresh: bool,
        open: impl FnOnce(Permit<'_>) -> Result<T>,
    ) -> Result<T> {
        let to = address::target(to);
        let destination = transport.to(to);
        let mut state = self.state.lock();
        let allowed = self.judge(&mut state, &destination, fresh)?;
        let Some(rule) = allowed else {
            return Err(self.refuse(state, &destination));
        };
        open(Permit {
            to,
            destination,
            inside: rule == Rule::OwnLoopback,
            flows: &mut state.flows,
        })
    }

    /// Lets `name` be looked up, when the policy allows it.
    ///
    /// # Errors
    /// `ACCES` when it does not, which is counted.
    pub(super) fn admit_lookup(&self, name: &DomainName) -> Result<LookupPermit> {
        let destination = Destination::Lookup(name.clone());
        let mut state = self.state.lock();
        match self.judge(&mut state, &destination, false)? {
            Some(_) => Ok(LookupPermit(name.clone())),
            None => Err(self.refuse(state, &destination)),
        }
    }

    /// Opens what the name resolved to, where `allow_domains` has it: before anyone is told the
    /// answer. Addresses that no name may open are left out.
    ///
    /// # Errors
    /// `ACCES` when the name is no longer allowed: its answer is for nobody then.
    pub(super) fn learn(&self, permit: &LookupPermit, answer: &[std::net::IpAddr]) -> Result<()> {
        let name = permit.name();
        let destination = Destination::Lookup(name.clone());
        let mut state = self.state.lock();
        if self.judge(&mut state, &destination, false)?.is_none() {
            return Err(self.refuse(state, &destination));
        }
        let until = self.now().plus(self.lifetime);
        let Some(policy) = state.policy.as_deref_mut() else {
            return Err(Errno::ACCES);
        };
        if policy.rules.matching_domain(name).is_none() {
            return Ok(());
        }
        let ScopedPolicy {
            environment,
            learned,
            ..
        } = &mut *policy;
        for address in answer {
            if let Err(error) = learned.learn(environment, name, *address, until) {
                tracing::debug!(%error, "an answer opens nothing");
            }
        }
        self.note_ends(policy);
        Ok(())
    }

    /// Cuts what only a learned address allowed that has ended. Cheap while none has.
    pub(super) fn refresh(&self) {
        let now = self.now();
        if now.as_millis() < self.next_end.load(Ordering::Relaxed) {
            return;
        }
        self.expire(&mut self.state.lock(), now);
    }

    /// Which rule decides about `destination`, and why.
    #[cfg(test)]
    pub(super) fn explain(&self, destination: &Destination) -> sandbox_core::egress::Explanation {
        let mut state = self.state.lock();
        let known = self.know(&mut state);
        match state.policy.as_deref() {
            Some(policy) if known => policy.explain(destination),
            _ => EgressRules::deny_all().explain(destination),
        }
    }

    /// The rule that allows `destination`; `None` when it is denied.
    fn judge(
        &self,
        state: &mut State,
        destination: &Destination,
        fresh: bool,
    ) -> Result<Option<Rule>> {
        if !self.know(state) {
            return Ok(None);
        }
        self.expire(state, self.now());
        let Some(policy) = state.policy.as_deref_mut() else {
            return Ok(None);
        };
        let decision = policy.decide(destination);
        if fresh
            && decision.is_allowed()
            && decision.rule != Rule::OwnLoopback
            && let Destination::Address { address, .. } = destination
            && self
                .surroundings
                .is_host(*address)
                .map_err(|error| super::failure::errno(&error))?
        {
            // The host's, though not listed as such: judged again as what it is.
            policy.environment.host.push((*address).into());
            let decision = policy.decide(destination);
            policy.environment.host.pop();
            return Ok(allowed(decision));
        }
        Ok(allowed(decision))
    }

    /// Whether the policy knows what surrounds the sandbox now; what a change of that no longer
    /// allows is cut.
    fn know(&self, state: &mut State) -> bool {
        let Some(current) = self.surroundings.environment() else {
            state.flows.sweep(|_| false);
            return false;
        };
        let State {
            policy,
            environment,
            flows,
        } = state;
        let Some(policy) = policy.as_deref_mut() else {
            return false;
        };
        let same = environment
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &current));
        if !same {
            policy.environment = (*current).clone();
            // Connections to it stay in the kernel of the sandbox.
            policy.environment.own_loopback = true;
            policy
                .learned
                .retain_allowed(&policy.rules, &policy.environment);
            flows.sweep(|destination| policy.decide(destination).is_allowed());
            *environment = Some(current);
        }
        true
    }

    fn expire(&self, state: &mut State, now: Timestamp) {
        if now.as_millis() < self.next_end.load(Ordering::Relaxed) {
            return;
        }
        let State { policy, flows, .. } = state;
        let Some(policy) = policy.as_deref_mut() else {
            self.next_end.store(u64::MAX, Ordering::Relaxed);
            return;
        };
        policy.learned.expire(now);
        flows.sweep(|destination| policy.decide(destination).is_allowed());
        self.note_ends(policy);
    }

    fn note_ends(&self, policy: &ScopedPolicy) {
        let ends = policy.learned.iter().map(|(_, _, end)| end.as_millis());
        self.next_end
            .store(ends.min().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn refuse(&self, state: MutexGuard<'_, State>, destination: &Destination) -> Errno {
        drop(state);
        tracing::debug!(%destination, "refused by the egress policy");
        self.denials.note();
        Errno::ACCES
    }

    /// Time since the start, which no one can set.
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(self.started.elapsed())
    }
}

fn allowed(decision: Decision) -> Option<Rule> {
    decision.is_allowed().then_some(decision.rule)
}
