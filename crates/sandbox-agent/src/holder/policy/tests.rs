//! The policy against a kernel, in a network namespace of the test's own.

use std::thread;

use super::super::nft::attributes::{Attributes, find, parse};
use super::super::nft::batch::{SUBSYSTEM, message};
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
        let answers = [address()];
        policy.learn(&name(), &answers).unwrap_err();
        assert!(!allows(&policy));
        assert_eq!(policy.learned(), []);
        set(&policy, names_allowed()).unwrap();
        policy.learn(&name(), &answers).unwrap();
        assert!(allows(&policy));
    });
}

/// How long each learned IPv4 address stays open in the kernel.
fn open_in_the_kernel() -> Vec<Duration> {
    const EXPIRATION: u16 = 5;
    let which = Attributes::new().string(1, INET.name).string(2, "learned4");
    let request = message(SUBSYSTEM << 8 | 13, 0x300, 1, INET.family, 0, which);
    let answers = Session::default().dump(&request, 12).unwrap();
    let lists = answers.iter().filter_map(|answer| find(answer, 3));
    let left = lists.flat_map(parse).map(|(_, element)| {
        let left = find(element, EXPIRATION).unwrap();
        Duration::from_millis(u64::from_be_bytes(left.try_into().unwrap()))
    });
    left.collect()
}

#[test]
#[ignore = "needs root and network namespaces"]
fn kernel_and_explanation_agree_on_how_long_an_address_is_open() {
    apart(|| {
        let mut policy = Policy::close().unwrap();
        policy.lifetime = Duration::from_secs(2);
        set(&policy, names_allowed()).unwrap();
        policy.learn(&name(), &[address()]).unwrap();
        thread::sleep(Duration::from_millis(500));
        // A new policy opens it again, for what is left and not anew.
        set(&policy, names_allowed()).unwrap();
        let left = open_in_the_kernel();
        assert!(
            left.len() == 1 && left[0] <= Duration::from_millis(1_500),
            "{left:?}"
        );
        assert!(allows(&policy));
        thread::sleep(Duration::from_millis(1_600));
        assert_eq!(open_in_the_kernel(), []);
        assert!(!allows(&policy));
        assert_eq!(policy.learned(), []);
        policy.lifetime = LIFETIME;
        policy.learn(&name(), &[address()]).unwrap();
        let (left, seconds) = (open_in_the_kernel(), policy.learned()[0].2);
        assert!(
            left[0].as_secs().abs_diff(seconds) <= 1,
            "{left:?} {seconds}"
        );
    });
}

#[test]
fn only_refusals_of_what_the_sandbox_sent_are_denials() {
    assert!(is_denial("output_default"));
    assert!(is_denial("link_source_route"));
    assert!(!is_denial("output_allow_all"));
    assert!(!is_denial("input_unsolicited"));
    assert!(!is_denial("input_default"));
}
