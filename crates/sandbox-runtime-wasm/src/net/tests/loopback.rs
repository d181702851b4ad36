//! Sockets between the processes of one sandbox, and from the host to them.

use std::task::{Context, Poll, Waker};

use futures_util::{AsyncReadExt, AsyncWriteExt};
use sandbox_core::ErrorKind;

use super::*;
use crate::kernel::{Errno, Socket as _};

fn bench() -> Bench {
    Bench::new(EgressRules::deny_all())
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[tokio::test]
async fn a_listener_and_who_connects_talk_both_ways() {
    let bench = bench();
    for (listen, call) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("0.0.0.0:81", "127.0.0.9:81"),
        ("[::]:82", "127.0.0.1:82"),
        ("[::]:83", "[::1]:83"),
        ("127.0.0.1:84", "0.0.0.0:84"),
        ("127.0.0.1:85", "[::ffff:127.0.0.1]:85"),
    ] {
        let listener = bench.listen(listen, 5);
        let near = bench.connect(call).await.unwrap();
        let far = accept(&listener).await.unwrap();
        send(&near, b"there").await.unwrap();
        assert_eq!(receive(&far).await.unwrap(), b"there");
        send(&far, b"back").await.unwrap();
        assert_eq!(receive(&near).await.unwrap(), b"back");
        assert_eq!(near.name().port(), far.peer().unwrap().port(), "{call}");
        assert_eq!(near.peer().unwrap().port(), far.name().port());
        near.shut_down(false, true).unwrap();
        assert_eq!(receive(&far).await.unwrap(), b"");
        send(&far, b"still").await.unwrap();
        assert_eq!(receive(&near).await.unwrap(), b"still");
    }
    assert_eq!(bench.network.traffic(), (0, 0), "nothing left the sandbox");
    assert_eq!(bench.network.hub().sockets.used(), 0);
}

#[tokio::test]
async fn two_sandboxes_do_not_reach_each_other() {
    let hub = Arc::new(hub(Place::plain(), Names::default()));
    let one = Bench::on(&hub, 64, Some(EgressRules::allow_all()));
    let other = Bench::on(&hub, 64, Some(EgressRules::allow_all()));
    let _listener = one.listen("0.0.0.0:80", 5);
    let _inbox = {
        let udp = one.udp(Family::V4);
        udp.bind(at("0.0.0.0:53")).unwrap();
        udp
    };
    for address in ["127.0.0.1:80", "0.0.0.0:80", "127.0.0.2:80"] {
        assert_eq!(
            other.connect(address).await.unwrap_err(),
            Errno::CONNREFUSED
        );
    }
    assert!(other.network.connect_to(80).await.is_err());
    let udp = other.udp(Family::V4);
    udp.connect(Some(at("127.0.0.1:53"))).unwrap();
    send(&udp, b"x").await.unwrap();
    assert_eq!(receive(&udp).await, Err(Errno::CONNREFUSED));
}

#[tokio::test]
async fn a_port_is_taken_once() {
    let bench = bench();
    let bind = |address: &str| {
        let address = at(address);
        let socket = bench.tcp(Family::of(address.ip()));
        socket.bind(address).map(|()| socket)
    };
    let first = bind("127.0.0.1:80").unwrap();
    for address in [
        "127.0.0.1:80",
        "0.0.0.0:80",
        "[::]:80",
        "[::ffff:127.0.0.1]:80",
    ] {
        assert_eq!(bind(address).unwrap_err(), Errno::ADDRINUSE, "{address}");
    }
    let _other = bind("127.0.0.2:80").unwrap();
    let _v6 = bind("[::1]:80").unwrap();
    assert_eq!(
        first.bind(at("127.0.0.1:81")),
        Err(Errno::INVAL),
        "bound already"
    );
    drop(first);
    bind("127.0.0.1:80").unwrap();
    for address in ["203.0.113.1:80", "10.0.0.1:80", "[2001:db8::1]:80"] {
        assert_eq!(bind(address).unwrap_err(), Errno::ADDRNOTAVAIL, "{address}");
    }
    let udp = bench.udp(Family::V4);
    udp.bind(at("127.0.0.2:80")).unwrap();
}

#[tokio::test]
async fn any_port_is_another_one_each_time_until_none_is_left() {
    let bench = Bench::on(
        &Arc::new(hub(Place::plain(), Names::default())),
        u32::MAX,
        Some(EgressRules::deny_all()),
    );
    let bind = || -> Result<Arc<Socket>> {
        let socket = bench.socket(Family::V4, SocketKind::Stream)?;
        socket.bind(at("127.0.0.1:0"))?;
        Ok(socket)
    };
    let mut bound = Vec::new();
    let refused = loop {
        match bind() {
            Ok(socket) => bound.push(socket),
            Err(errno) => break errno,
        }
    };
    // The most sockets come before the most ports.
    assert_eq!(refused, Errno::NFILE);
    let mut ports: Vec<u16> = bound.iter().map(|socket| socket.name().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), bound.len());
    drop(bound);
    bind().unwrap();
}

#[tokio::test]
async fn sockets_are_bounded_and_come_back() {
    let bench = bench();
    let mut open = Vec::new();
    for _ in 0..10_000 {
        match bench.socket(Family::V4, SocketKind::Datagram) {
            Ok(socket) => open.push(socket),
            Err(errno) => assert_eq!(errno, Errno::NFILE),
        }
    }
    assert_eq!(open.len(), 4096, "the limit of open files");
    open.truncate(10);
    bench.tcp(Family::V4);
    drop(open);
    assert_eq!(bench.network.sockets().used(), 0);
    assert_eq!(bench.account.used(), 0);
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_no_longer_than_they_want() {
    let mut hub = hub(Place::plain(), Names::default());
    hub.connect_timeout = Duration::from_millis(300);
    let bench = Bench::in_hub(hub, EgressRules::deny_all());
    let listener = bench.listen("127.0.0.1:80", 2);
    let first = bench.connect("127.0.0.1:80").await.unwrap();
    let _second = bench.connect("127.0.0.1:80").await.unwrap();
    assert_eq!(
        bench.connect("127.0.0.1:80").await.unwrap_err(),
        Errno::TIMEDOUT
    );
    let third = bench.tcp(Family::V4);
    assert_eq!(third.connect(Some(at("127.0.0.1:80"))), Ok(false));
    assert_eq!(third.connect(Some(at("127.0.0.1:80"))), Err(Errno::ALREADY));
    let _accepted = accept(&listener).await.unwrap();
    soon(poll_fn(|cx| third.poll_connected(cx))).await.unwrap();
    assert_eq!(third.connect(Some(at("127.0.0.1:80"))), Err(Errno::ISCONN));
    // Who waits in the queue of a listener that goes is told.
    drop(listener);
    send(&third, b"x").await.unwrap_err();
    assert_eq!(receive(&third).await, Ok(Vec::new()));
    assert_eq!(
        bench.connect("127.0.0.1:80").await.unwrap_err(),
        Errno::CONNREFUSED
    );
    drop(first);
}

#[tokio::test]
async fn a_backlog_holds_no_more_than_the_sandboxs_sockets() {
    let hub = Arc::new(hub(Place::plain(), Names::default()));
    let bench = Bench::on(&hub, 64, Some(EgressRules::deny_all()));
    let _listener = bench.listen("127.0.0.1:80", u32::MAX);
    let mut refused = 0;
    for _ in 0..200 {
        // Who called is gone, and what it left is in the queue.
        match bench.connect("127.0.0.1:80").await {
            Ok(_) => {}
            Err(errno) => {
                assert_eq!(errno, Errno::NFILE);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert!(bench.network.sockets().used() <= 64);
}

#[tokio::test]
async fn who_is_killed_while_it_waits_leaves_nothing_behind() {
    let bench = bench();
    let listener = bench.listen("127.0.0.1:80", 1);
    {
        let mut accepting = Box::pin(accept(&listener));
        assert!(futures_util::poll!(accepting.as_mut()).is_pending());
    }
    let near = bench.connect("127.0.0.1:80").await.unwrap();
    {
        let mut receiving = Box::pin(receive(&near));
        assert!(futures_util::poll!(receiving.as_mut()).is_pending());
        let mut connecting = Box::pin(bench.connect("127.0.0.1:80"));
        assert!(futures_util::poll!(connecting.as_mut()).is_pending());
    }
    let far = accept(&listener).await.unwrap();
    send(&far, b"on").await.unwrap();
    assert_eq!(receive(&near).await.unwrap(), b"on");
    drop((near, far, listener));
    assert_eq!(bench.network.sockets().used(), 0);
    assert_eq!(bench.account.used(), 0);
}

#[tokio::test]
async fn a_scan_of_every_port_finds_the_listeners_and_leaves_nothing() {
    let bench = bench();
    let _listeners = [80u16, 443, 8080].map(|port| bench.listen(&format!("127.0.0.1:{port}"), 5));
    let mut open = Vec::new();
    for port in 1..=u16::MAX {
        let to = SocketAddr::new(ip("127.0.0.1"), port);
        let socket = bench.tcp(Family::V4);
        match socket.connect(Some(to)) {
            Ok(true) => open.push(port),
            refused => assert_eq!(refused, Err(Errno::CONNREFUSED)),
        }
    }
    assert_eq!(open, [80, 443, 8080]);
    assert_eq!(
        bench.network.sockets().used(),
        6,
        "three listeners, and what waits there"
    );
}

#[tokio::test]
async fn what_is_on_its_way_is_bounded_and_charged() {
    let bench = bench();
    let listener = bench.listen("127.0.0.1:80", 1);
    let near = bench.connect("127.0.0.1:80").await.unwrap();
    let far = accept(&listener).await.unwrap();
    let chunk = vec![7; 10_000];
    let mut written = 0;
    while let Poll::Ready(sent) = near.poll_send(&noop(), &chunk, None) {
        written += sent.unwrap();
        assert!(written < 1 << 20, "nothing holds the writer back");
    }
    assert_eq!(bench.account.used(), written as u64);
    drop(near);
    assert_eq!(
        drain(&far).await.unwrap().len(),
        written,
        "what was sent comes after the end too"
    );
    assert_eq!(bench.account.used(), 0);
    drop(far);
}

#[tokio::test]
async fn looking_ahead_takes_nothing() {
    let bench = bench();
    let listener = bench.listen("127.0.0.1:80", 1);
    let near = bench.connect("127.0.0.1:80").await.unwrap();
    let far = accept(&listener).await.unwrap();
    send(&near, b"abc").await.unwrap();
    let mut bytes = [0; 2];
    for _ in 0..2 {
        let peeked = Socket::poll_receive(&far, &noop(), &mut bytes, true);
        assert_eq!(peeked.map(|peeked| peeked.unwrap().count), Poll::Ready(2));
        assert_eq!(&bytes, b"ab");
    }
    assert_eq!(receive(&far).await.unwrap(), b"abc");
}

#[tokio::test]
async fn readiness_says_what_the_call_would_do() {
    let bench = bench();
    let listener = bench.listen("127.0.0.1:80", 1);
    let ready = |socket: &Socket, write| kernel_ready(socket, write);
    assert_eq!(ready(&listener, false), None);
    let near = bench.connect("127.0.0.1:80").await.unwrap();
    assert_eq!(ready(&listener, false), Some((1, false)));
    let far = accept(&listener).await.unwrap();
    assert_eq!(ready(&near, false), None);
    assert!(ready(&near, true).is_some());
    send(&far, b"four").await.unwrap();
    assert_eq!(ready(&near, false), Some((4, false)));
    drop(far);
    assert_eq!(ready(&near, false), Some((4, true)));
    assert!(ready(&near, true).unwrap().1);
}

fn kernel_ready(socket: &Socket, write: bool) -> Option<(u64, bool)> {
    match socket.poll_ready(&mut noop(), write) {
        Poll::Ready(ready) => Some((ready.bytes, ready.hang_up)),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_wait_ends_with_its_timeout() {
    let bench = bench();
    let listener = bench.listen("127.0.0.1:80", 1);
    let near = bench.connect("127.0.0.1:80").await.unwrap();
    let far = accept(&listener).await.unwrap();
    near.set_timeout(super::super::Way::Receive, Duration::from_millis(50));
    let read = |bytes: &mut [u8]| {
        let near = Arc::clone(&near);
        let mut bytes = bytes.to_vec();
        async move { soon(poll_fn(|cx| near.poll_read(cx, &mut bytes))).await }
    };
    assert_eq!(read(&mut [0; 4]).await, Err(Errno::AGAIN));
    send(&far, b"late").await.unwrap();
    assert_eq!(read(&mut [0; 4]).await, Ok(4));
    near.set_timeout(super::super::Way::Receive, Duration::ZERO);
    let mut waiting = Box::pin(receive(&near));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
}

#[tokio::test]
async fn datagrams_go_whole_or_are_lost() {
    let bench = bench();
    let server = bench.udp(Family::V4);
    server.bind(at("127.0.0.1:53")).unwrap();
    let client = bench.udp(Family::V4);
    for datagram in [&b"one"[..], b"", b"three"] {
        let sent = send_to(&client, datagram, at("127.0.0.1:53")).await;
        assert_eq!(sent, Ok(datagram.len()));
    }
    let mut bytes = [0; 3];
    let mut next = || match Socket::poll_receive(&server, &noop(), &mut bytes, false) {
        Poll::Ready(received) => received.map(|received| (received.count, received.truncated)),
        Poll::Pending => Err(Errno::AGAIN),
    };
    assert_eq!(next(), Ok((3, false)));
    assert_eq!(next(), Ok((0, false)));
    assert_eq!(next(), Ok((3, true)), "what did not fit is lost");
    assert_eq!(next(), Err(Errno::AGAIN));
    // Nobody receives: what is too much is lost, and memory has an end.
    for _ in 0..1000 {
        send_to(&client, &[1; 4096], at("127.0.0.1:53"))
            .await
            .unwrap();
    }
    assert!(bench.account.used() < 1 << 20);
    let long = vec![0; 65_508];
    assert_eq!(
        send_to(&client, &long, at("127.0.0.1:53")).await,
        Err(Errno::MSGSIZE)
    );
    assert_eq!(
        send_to(&client, b"x", at("127.0.0.1:0")).await,
        Err(Errno::INVAL)
    );
    assert_eq!(send(&client, b"x").await, Err(Errno::DESTADDRREQ));
    drop(server);
    assert_eq!(bench.account.used(), 0);
}

#[tokio::test]
async fn a_connected_datagram_socket_hears_its_peer_alone() {
    let bench = bench();
    let [one, two, three] = [1, 2, 3].map(|number| {
        let socket = bench.udp(Family::V6);
        socket.bind(at(&format!("[::1]:{number}"))).unwrap();
        socket
    });
    one.connect(Some(at("[::1]:2"))).unwrap();
    send_to(&three, b"no", at("[::1]:1")).await.unwrap();
    send_to(&two, b"yes", at("[::1]:1")).await.unwrap();
    assert_eq!(receive(&one).await.unwrap(), b"yes");
    send(&one, b"answer").await.unwrap();
    assert_eq!(receive(&two).await.unwrap(), b"answer");
    drop(two);
    send(&one, b"gone").await.unwrap();
    assert_eq!(receive(&one).await, Err(Errno::CONNREFUSED));
    one.connect(None).unwrap();
    send_to(&three, b"open", at("[::1]:1")).await.unwrap();
    assert_eq!(receive(&one).await.unwrap(), b"open");
}

#[tokio::test]
async fn the_sandbox_answers_its_own_echo_requests() {
    let bench = bench();
    for (family, own, request, reply) in [
        (Family::V4, "127.0.0.1:0", 8, 0),
        (Family::V6, "[::1]:0", 128, 129),
    ] {
        let socket = bench.socket(family, SocketKind::Echo).unwrap();
        let message = [request, 0, 0, 0, 0, 1, 0, 2, b'p'];
        assert_eq!(send_to(&socket, &message, at(own)).await, Ok(9));
        let answer = receive(&socket).await.unwrap();
        assert_eq!((answer[0], answer[8]), (reply, b'p'));
    }
}

#[tokio::test]
async fn calls_in_the_wrong_state_say_so() {
    let bench = bench();
    let socket = bench.tcp(Family::V4);
    assert_eq!(receive(&socket).await, Err(Errno::NOTCONN));
    assert_eq!(send(&socket, b"x").await, Err(Errno::NOTCONN));
    assert_eq!(socket.peer(), Err(Errno::NOTCONN));
    assert_eq!(socket.shut_down(true, true), Err(Errno::NOTCONN));
    assert_eq!(accept(&socket).await.unwrap_err(), Errno::INVAL);
    assert_eq!(
        socket.connect(Some(at("[::1]:80"))),
        Err(Errno::AFNOSUPPORT)
    );
    assert_eq!(socket.connect(None), Err(Errno::AFNOSUPPORT));
    let udp = bench.udp(Family::V4);
    assert_eq!(udp.listen(1), Err(Errno::NOTSUP));
    let listener = bench.listen("127.0.0.1:80", 1);
    assert_eq!(
        listener.connect(Some(at("127.0.0.1:80"))),
        Err(Errno::INVAL)
    );
    let near = bench.connect("127.0.0.1:80").await.unwrap();
    assert_eq!(
        send_to(&near, b"x", at("127.0.0.1:80")).await,
        Err(Errno::ISCONN)
    );
    assert_eq!(near.listen(1), Err(Errno::INVAL));
}

#[tokio::test]
async fn the_host_connects_to_a_listener_and_each_way_closes_on_its_own() {
    const BYTES: usize = 10 << 20;
    let bench = bench();
    for address in [
        "127.0.0.1:80",
        "[::1]:81",
        "0.0.0.0:82",
        "[::]:83",
        "127.0.0.7:84",
    ] {
        let _listener = bench.listen(address, 1);
        let port = at(address).port();
        soon(bench.network.connect_to(port)).await.unwrap();
    }
    let listener = bench.listen("127.0.0.1:90", 1);
    let connection = soon(bench.network.connect_to(90)).await.unwrap();
    let guest = accept(&listener).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let sent: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.close().await.unwrap();
    };
    let echoing = async {
        loop {
            let bytes = receive(&guest).await.unwrap();
            if bytes.is_empty() {
                break;
            }
            // A slow one: others have their turn after every piece.
            tokio::task::yield_now().await;
            send(&guest, &bytes).await.unwrap();
        }
        guest.shut_down(false, true).unwrap();
    };
    let reading = async {
        let (mut echo, mut bytes) = (Vec::new(), vec![0; 16 << 10]);
        loop {
            match reader.read(&mut bytes).await.unwrap() {
                0 => return echo,
                count => echo.extend_from_slice(&bytes[..count]),
            }
        }
    };
    let (_, _, echo) = soon(async { tokio::join!(writing, echoing, reading) }).await;
    assert!(echo == sent, "the bytes were changed on their way");
    assert_eq!(bench.account.used(), 0);
}

#[tokio::test]
async fn a_port_without_a_listener_is_unavailable() {
    let bench = bench();
    for (port, kind) in [(80, ErrorKind::Unavailable), (0, ErrorKind::InvalidSpec)] {
        let error = bench.network.connect_to(port).await.err().unwrap();
        assert_eq!((error.kind(), error.field()), (kind, Some("port")));
    }
    let bound = bench.tcp(Family::V4);
    bound.bind(at("127.0.0.1:80")).unwrap();
    assert!(
        bench.network.connect_to(80).await.is_err(),
        "bound is not listening"
    );
}
