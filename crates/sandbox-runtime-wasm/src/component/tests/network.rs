//! Sockets of components.

use sandbox_core::ProcessEvent;

use super::Sandbox;

#[tokio::test]
async fn the_sandbox_s_own_loopback_carries_streams_and_datagrams() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.says(&["stream"]).await, "true\nping pong\n");
    assert_eq!(sandbox.says(&["datagram"]).await, "Ok(\"datagram\") true\n");
    sandbox.assert_clean();
}

#[tokio::test]
async fn the_policy_is_asked() {
    let sandbox = Sandbox::new();
    let said = sandbox.says(&["connect", "192.0.2.1:80"]).await;
    assert_eq!(said, "Err(PermissionDenied)\n");
    let said = sandbox.says(&["connect", "169.254.169.254:80"]).await;
    assert_eq!(said, "Err(PermissionDenied)\n");
    let said = sandbox.says(&["connect", "127.0.0.1:9"]).await;
    assert_eq!(said, "Err(ConnectionRefused)\n");
}

#[tokio::test]
async fn its_own_names_are_known_and_others_denied() {
    let sandbox = Sandbox::new();
    for name in ["localhost", "probe-host", "127.0.0.1"] {
        let said = sandbox.says(&["resolve", name]).await;
        assert!(said.contains("127.0.0.1:80"), "{name}: {said}");
    }
    let said = sandbox.says(&["resolve", "example.com"]).await;
    assert_eq!(said, "Err(\"failed\")\n");
}

#[tokio::test]
async fn the_host_reaches_what_listens() {
    let sandbox = Sandbox::new();
    let process = sandbox.spawn(&["serve"]).await;
    let reader = process.take_output().unwrap();
    let first = reader.next().await;
    assert!(matches!(first, Some(ProcessEvent::Output(_, said)) if said == "listening\n"));
    let network = crate::net::Network::of(&sandbox.machine).unwrap();
    let mut connection = network.connect_to(8000).await.unwrap();
    let mut served = String::new();
    futures_util::AsyncReadExt::read_to_string(&mut connection, &mut served)
        .await
        .unwrap();
    assert_eq!(served, "served");
    assert!(process.wait().await.success());
}
