//! Lookups, and the addresses they open.

use super::super::gate::Transport;
use super::*;
use crate::kernel::Errno;

const NAMES: &[(&str, &[&str])] = &[
    ("near.one.test", &["198.51.100.1", "2001:db8::1"]),
    ("far.two.test", &["203.0.113.1"]),
    (
        "inner.one.test",
        &["10.0.0.1", "169.254.169.254", "127.0.0.1", "192.0.2.77"],
    ),
    ("empty.one.test", &[]),
];

fn bench(rules: EgressRules) -> Bench {
    Bench::in_hub(hub(Place::plain(), Names::of(NAMES)), rules)
}

fn domains(patterns: &[&str]) -> EgressRules {
    let add = |rules: EgressRules, pattern: &&str| rules.allow_domain(pattern).unwrap();
    patterns.iter().fold(EgressRules::deny_all(), add)
}

fn reaches(bench: &Bench, address: &str) -> bool {
    let to = SocketAddr::new(ip(address), 443);
    let reached = bench
        .network
        .gate()
        .admit(Transport::Tcp, to, true, |_| Ok(()));
    reached.is_ok()
}

#[tokio::test]
async fn an_allowed_name_opens_its_addresses_and_no_others() {
    let bench = bench(domains(&["near.one.test"]));
    assert!(!reaches(&bench, "198.51.100.1"));
    let found = bench.network.resolve("NEAR.one.test.", None).await.unwrap();
    assert_eq!(found, [ip("198.51.100.1"), ip("2001:db8::1")]);
    for address in ["198.51.100.1", "2001:db8::1", "::ffff:198.51.100.1"] {
        assert!(reaches(&bench, address), "{address}");
    }
    assert_eq!(
        bench.network.resolve("far.two.test", None).await,
        Err(Errno::ACCES)
    );
    assert!(!reaches(&bench, "203.0.113.1"));
}

#[tokio::test]
async fn a_name_cannot_open_what_surrounds_the_sandbox() {
    let bench = bench(domains(&["*.one.test"]));
    bench.network.resolve("inner.one.test", None).await.unwrap();
    for address in ["10.0.0.1", "169.254.169.254"] {
        assert!(!reaches(&bench, address), "{address}");
    }
}

#[tokio::test]
async fn a_refused_name_is_nobody_asked() {
    let names = Arc::new(Names::of(NAMES));
    let config = NetworkConfig {
        resolver: Arc::clone(&names) as Arc<dyn Resolver>,
        ..NetworkConfig::default()
    };
    let hub = Arc::new(Hub::around(config, Arc::new(Place::plain())));
    let bench = Bench::on(&hub, 16, Some(EgressRules::deny_all()));
    assert_eq!(
        bench.network.resolve("near.one.test", None).await,
        Err(Errno::ACCES)
    );
    // Nor are addresses, nor what is no name.
    for (name, found) in [
        ("203.0.113.1", Ok(vec![ip("203.0.113.1")])),
        ("localhost", Ok(vec![ip("127.0.0.1"), ip("::1")])),
        ("not a name", Err(Errno::NOENT)),
        ("", Err(Errno::NOENT)),
    ] {
        assert_eq!(bench.network.resolve(name, None).await, found, "{name:?}");
    }
    assert_eq!(names.asked.load(Ordering::Relaxed), 0);
    bench.denied(1).await;
}

#[tokio::test]
async fn a_family_is_picked_and_none_is_no_answer() {
    let bench = bench(EgressRules::allow_all());
    let resolve = |name: &'static str, family| bench.network.resolve(name, family);
    assert_eq!(
        resolve("near.one.test", Some(Family::V6)).await,
        Ok(vec![ip("2001:db8::1")])
    );
    assert_eq!(
        resolve("far.two.test", Some(Family::V6)).await,
        Err(Errno::NOENT)
    );
    assert_eq!(resolve("empty.one.test", None).await, Err(Errno::NOENT));
    assert_eq!(resolve("unknown.test", None).await, Err(Errno::NOENT));
}

#[tokio::test]
async fn what_was_learned_goes_with_its_rule() {
    let bench = bench(domains(&["near.one.test", "far.two.test"]));
    bench.network.resolve("near.one.test", None).await.unwrap();
    bench.network.resolve("far.two.test", None).await.unwrap();
    bench.network.set_egress(Some(&domains(&["far.two.test"])));
    assert!(!reaches(&bench, "198.51.100.1"));
    assert!(reaches(&bench, "203.0.113.1"));
    bench.network.set_egress(None);
    bench.network.set_egress(Some(&domains(&["far.two.test"])));
    assert!(
        !reaches(&bench, "203.0.113.1"),
        "it was learned under another policy"
    );
}

#[tokio::test]
async fn what_was_learned_ends() {
    let mut hub = hub(Place::plain(), Names::of(NAMES));
    hub.lifetime = Duration::from_millis(200);
    let bench = Bench::in_hub(hub, domains(&["near.one.test"]));
    bench.network.resolve("near.one.test", None).await.unwrap();
    let ended = async {
        while reaches(&bench, "198.51.100.1") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(ended).await;
    bench.network.resolve("near.one.test", None).await.unwrap();
    assert!(
        reaches(&bench, "198.51.100.1"),
        "asking again opens it again"
    );
}

/// Answers when it is told to.
#[derive(Debug)]
struct Slow {
    asked: tokio::sync::Semaphore,
    go: tokio::sync::Semaphore,
    most: AtomicU64,
    now: AtomicU64,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: tokio::sync::Semaphore::new(0),
            go: tokio::sync::Semaphore::new(0),
            most: AtomicU64::new(0),
            now: AtomicU64::new(0),
        })
    }

    fn bench(self: &Arc<Self>, rules: EgressRules) -> Bench {
        let config = NetworkConfig {
            resolver: Arc::clone(self) as Arc<dyn Resolver>,
            ..NetworkConfig::default()
        };
        Bench::in_hub(Hub::around(config, Arc::new(Place::plain())), rules)
    }
}

#[async_trait]
impl Resolver for Slow {
    async fn resolve(&self, _: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.asked.add_permits(1);
        let go = self
            .go
            .acquire()
            .await
            .map_err(|_| ResolveError::Unavailable)?;
        go.forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![ip("198.51.100.1")])
    }
}

#[tokio::test]
async fn a_policy_that_changes_during_a_lookup_keeps_the_answer_back() {
    let slow = Slow::new();
    let bench = slow.bench(domains(&["near.one.test"]));
    let network = Arc::clone(&bench.network);
    let looking = tokio::spawn(async move { network.resolve("near.one.test", None).await });
    soon(slow.asked.acquire()).await.unwrap().forget();
    bench.network.set_egress(Some(&EgressRules::deny_all()));
    slow.go.add_permits(1);
    assert_eq!(soon(looking).await.unwrap(), Err(Errno::ACCES));
    assert!(!reaches(&bench, "198.51.100.1"));
}

#[tokio::test]
async fn one_sandbox_has_few_lookups_at_once_also_when_it_gives_them_up() {
    const LOOKUPS: u64 = 8;
    let slow = Slow::new();
    let bench = slow.bench(EgressRules::allow_all());
    // Half of those who ask are killed while they wait; what they began goes on.
    for round in 0..2 {
        let asking: Vec<_> = (0..40)
            .map(|_| {
                let network = Arc::clone(&bench.network);
                tokio::spawn(async move { network.resolve("near.one.test", None).await })
            })
            .collect();
        if round == 0 {
            soon(slow.asked.acquire_many(LOOKUPS as u32))
                .await
                .unwrap()
                .forget();
            asking.iter().for_each(tokio::task::JoinHandle::abort);
            continue;
        }
        slow.go.add_permits(40 + LOOKUPS as usize);
        for asked in asking {
            soon(asked).await.unwrap().unwrap();
        }
    }
    assert_eq!(slow.most.load(Ordering::SeqCst), LOOKUPS);
}
