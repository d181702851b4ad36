//! The documentation's page works without the internet.

use axum::http::Method;

use crate::support::World;

#[tokio::test]
async fn the_root_leads_to_the_page_and_the_page_to_nothing_outside() {
    let world = World::new().await;
    let get = async |path: &str| world.ask_without_key(Method::GET, path).send().await;

    let root = get("/").await.expect(307);
    assert_eq!(root.header("location"), "docs");
    let page = get("/docs").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .contains("connect-src 'self'")
    );
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!html.contains("://"), "the page reaches outside");

    let named = html.split(['"']).filter(|text| text.starts_with("docs/"));
    let named: Vec<&str> = named.collect();
    assert_eq!(named.len(), 5, "{named:?}");
    for file in named {
        let answer = get(&format!("/{file}")).await.expect(200);
        assert!(answer.body.len() > 100, "{file}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let initializer = get("/docs/swagger-initializer.js").await.expect(200);
    let script = String::from_utf8(initializer.body.to_vec()).unwrap();
    assert!(script.contains("openapi.json"), "{script}");
    assert!(!script.contains("petstore"), "{script}");
}

#[tokio::test]
async fn nothing_else_is_served_beside_the_page() {
    let world = World::new().await;
    for name in [
        "index.html",
        "..%2Fopenapi.json",
        "oauth2-redirect.html",
        "",
    ] {
        let path = format!("/docs/{name}");
        let answer = world.ask_without_key(Method::GET, &path).send().await;
        assert_eq!(answer.expect(404).code(), "not_found", "{name}");
    }
}
