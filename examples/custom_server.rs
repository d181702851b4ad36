//! A server of one's own: the sandbox API nested in an axum app that has its own routes and its own
//! way of knowing who asks.
//!
//! `cargo run --example custom_server --features api` serves on a free port of this machine until
//! Enter is pressed; the lines to try are printed. It runs on the in-memory runtime of the tests, so
//! that it needs nothing; `sandbox::docker::DockerRuntime` takes its place.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sandbox::api::{ApiConfig, router};
use sandbox::engine::Engine;
use sandbox::engine::owners::{
    KeyId, MemoryOwners, OrganisationId, Owners, Principal, Quotas, Scope, Scopes,
};
use sandbox::{Source, Template};
use sandbox_testkit::{FAKE_IMAGE, FakeRuntime};

/// The embedder's users by their session, and what each may do.
type Sessions = Arc<BTreeMap<&'static str, Principal>>;

fn user(name: &str, scope: Scope) -> sandbox::Result<Principal> {
    Ok(Principal {
        // Sandboxes belong to the organisation: here each user is one.
        organisation: OrganisationId::new(name)?,
        // What shows in logs as the one who asked.
        key_id: KeyId::new(format!("session-{name}"))?,
        scopes: Scopes::up_to(scope),
        expires_at: None,
        quotas: Quotas::default(),
    })
}

/// Finds out by the cookie who asks; whoever has none gets nothing.
async fn know_the_user(
    State(sessions): State<Sessions>,
    mut request: Request,
    next: Next,
) -> Response {
    let cookie = request.headers().get("cookie");
    let session = cookie.and_then(|cookie| cookie.to_str().ok()?.strip_prefix("session="));
    match session.and_then(|session| sessions.get(session)) {
        Some(principal) => {
            request.extensions_mut().insert(principal.clone());
            next.run(request).await
        }
        None => (StatusCode::UNAUTHORIZED, "log in first\n").into_response(),
    }
}

/// The embedder's app: a page of its own, and the sandbox API below `/sandboxes-of/us`.
fn app(engine: Engine, sessions: Sessions) -> Router {
    // Nobody has an API key here.
    let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
    let api = router(engine, owners, ApiConfig::default());
    Router::new()
        .route("/", get(async || "the embedder's own page\n"))
        .nest(
            "/sandboxes-of/us",
            api.layer(from_fn_with_state(sessions, know_the_user)),
        )
}

async fn engine() -> sandbox::Result<Engine> {
    let template = Template::new("base".parse()?, Source::Image(FAKE_IMAGE.into()));
    Engine::builder()
        .runtime("fake", Arc::new(FakeRuntime::new()))
        .template(template)
        .build()
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = BTreeMap::from([
        ("alice-1", user("alice", Scope::Write)?),
        ("bob-1", user("bob", Scope::Read)?),
    ]);
    let engine = engine().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/sandboxes-of/us/v1", listener.local_addr()?);
    let app = app(engine.clone(), Arc::new(sessions));

    println!("Alice makes a sandbox, and Bob may look but not make one:");
    println!(
        "  curl -b session=alice-1 --json '{{\"template\":\"base\"}}' {url}/sandboxes\n  \
         curl -b session=bob-1 {url}/sandboxes\n\
         Enter ends the server."
    );
    let enter = async {
        let line = || std::io::stdin().read_line(&mut String::new());
        let _ = tokio::task::spawn_blocking(line).await;
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(enter)
        .await?;
    engine.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    async fn ask(app: &Router, method: &str, path: &str, session: &str) -> StatusCode {
        let body = if method == "POST" {
            r#"{"template":"base"}"#
        } else {
            ""
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", session)
            .header("content-type", "application/json")
            .body(Body::from(body));
        app.clone()
            .oneshot(request.unwrap())
            .await
            .unwrap()
            .status()
    }

    #[tokio::test]
    async fn the_embedders_own_sessions_say_who_may_do_what() {
        let sessions = BTreeMap::from([
            ("alice-1", user("alice", Scope::Write).unwrap()),
            ("bob-1", user("bob", Scope::Read).unwrap()),
        ]);
        let app = app(engine().await.unwrap(), Arc::new(sessions));
        let path = "/sandboxes-of/us/v1/sandboxes";
        assert_eq!(ask(&app, "GET", "/", "").await, StatusCode::OK);
        for (method, session, status) in [
            ("POST", "session=alice-1", StatusCode::CREATED),
            ("POST", "session=bob-1", StatusCode::FORBIDDEN),
            ("GET", "session=bob-1", StatusCode::OK),
            ("GET", "session=mallory", StatusCode::UNAUTHORIZED),
            ("GET", "", StatusCode::UNAUTHORIZED),
        ] {
            let answered = ask(&app, method, path, session).await;
            assert_eq!(answered, status, "{method} with {session:?}");
        }
    }
}
