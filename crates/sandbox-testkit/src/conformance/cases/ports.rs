//! Connections to ports.

use futures_util::{AsyncReadExt, AsyncWriteExt};
use sandbox_core::{BoxConnection, ErrorKind, Result, Sandbox};

use crate::conformance::trial::{Trial, refused};

/// Starts the harness's listener and connects to it as soon as it listens.
async fn dial(t: &Trial, sandbox: &dyn Sandbox, port: u16) -> Result<BoxConnection> {
    sandbox.spawn(t.harness.listener(port)).await?;
    let dialling = async {
        loop {
            match sandbox.connect(port).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                other => return other,
            }
        }
    };
    t.soon("the listener listens", dialling).await
}

pub(in crate::conformance) async fn a_listener_on_loopback_is_reached(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let mut connection = dial(t, sandbox.as_ref(), 7070).await?;
    let talking = async {
        connection.write_all(b"hello").await?;
        connection.flush().await?;
        let mut echo = [0; 5];
        connection.read_exact(&mut echo).await?;
        Ok::<_, std::io::Error>(echo)
    };
    let echo = t.soon("the echo", talking).await;
    assert_eq!(echo.expect("the connection stays open"), *b"hello");
    Ok(())
}

pub(in crate::conformance) async fn each_direction_closes_on_its_own(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (mut reader, mut writer) = dial(t, sandbox.as_ref(), 7071).await?.split();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let writing = async {
        writer.write_all(&sent).await?;
        writer.close().await
    };
    let mut echo = Vec::new();
    let talking = async { tokio::try_join!(writing, reader.read_to_end(&mut echo)) };
    let talked = t.soon("everything comes back", talking).await;
    talked.expect("the connection stays open");
    assert_eq!(echo.len(), sent.len());
    assert!(echo == sent, "the bytes were changed on their way");
    Ok(())
}

pub(in crate::conformance) async fn a_port_without_a_listener_is_unavailable(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let connected = sandbox.connect(7072).await;
    refused(connected, ErrorKind::Unavailable, Some("port"));
    let connected = sandbox.connect(0).await;
    refused(connected, ErrorKind::InvalidSpec, Some("port"));
    Ok(())
}
