//! The policy against a kernel, in a network namespace of the test's own.

use std::thread;

use super::*;

/// Does `work` in a network namespace without interfaces.
#[expect(unsafe_code, reason = "a thread enters a network namespace by unshare")]
fn apart(work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: unshare takes no pointers, and affects this thread alone.
            let code = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(code, 0, "{}", io::Error::last_os_error());
            work();
        });
        thread.join().unwrap();
    });
}

fn name() -> DomainName {
    DomainName::parse("a.example.com").unwrap()
}

fn address() -> IpAddr {
    "203.0.113.7".parse().unwrap()
}

fn names_allowed() -> EgressRules {
    let rules = EgressRules::deny_all();
    rules.allow_domain("a.example.com").unwrap()
}

fn set(policy: &Policy, rules: EgressRules) -> io::Result<()> {
    policy.set(rules, Environment::namespace(), Vec::new())
}

fn allows(policy: &Policy) -> bool {
    let to = Destination::tcp((address(), 443));
    policy.explain(&to).decision.is_allowed()
}

/// Takes every set and counter away, as an administrator of the machine may.
fn empty_the_table() {
    let mut batch = Batch::new();
    batch.replace_table(INET);
    Session::default().commit(batch).unwrap();
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_policy_is_loaded_when_the_counts_of_the_old_one_cannot_be_read() {
    apart(|| {
        let policy = Policy::close().unwrap();
        set(&policy, EgressRules::allow_all()).unwrap();
        assert!(allows(&policy));
        empty_the_table();
        set(&policy, EgressRules::deny_all()).unwrap();
        assert!(!allows(&policy));
        policy.counters().unwrap();
        policy.take_denials().unwrap();
    });
}

#[test]
fn a_policy_that_does_not_fit_with_what_was_learned_is_loaded_without() {
    let mut scoped = ScopedPolicy::new(names_allowed(), Environment::namespace());
    let learned = &mut scoped.learned;
    learned
        .learn(&scoped.environment, &name(), address(), Timestamp::MAX)
        .unwrap();
    let too_large = || io::Error::from_raw_os_error(libc::EMSGSIZE);
    load(&mut scoped, |scoped| {
        let empty = scoped.learned == LearnedAddresses::default();
        if empty { Ok(()) } else { Err(too_large()) }
    })
    .unwrap();
    assert_eq!(scoped.learned, LearnedAddresses::default());
    let mut attempts = 0;
    let refused = load(&mut scoped, |_| {
        attempts += 1;
        Err(too_large())
    });
    assert_eq!((refused.is_err(), attempts), (true, 1));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn an_address_the_kernel_did_not_take_is_not_learned() {
    apart(|| {
        let policy = Policy::close().unwrap();
        set(&policy, names_allowed()).unwrap();
        empty_the_table();
        let answers = [(address(), Duration::from_secs(60))];
        policy.learn(&name(), &answers).unwrap_err();
        assert!(!allows(&policy));
        assert_eq!(policy.learned(), []);
        set(&policy, names_allowed()).unwrap();
        policy.learn(&name(), &answers).unwrap();
        assert!(allows(&policy));
    });
}
