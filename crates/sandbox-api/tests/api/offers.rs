//! What a server offers: templates and runtimes.

use sandbox_core::ErrorKind;
use sandbox_testkit::{Call, Fault, When};

use crate::stream::soon;
use crate::support::World;

#[tokio::test]
async fn templates_are_listed_by_name_and_found_by_name_or_alias() {
    let world = World::new().await;
    let listed = world.get("/v1/templates").send().await.expect(200).json();
    let listed = listed["templates"].as_array().unwrap().clone();
    let names: Vec<_> = listed
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"python") && names.is_sorted(), "{names:?}");
    assert!(listed.iter().all(|one| one.get("env").is_none()));
    assert!(
        listed
            .iter()
            .all(|one| one["egress"]["mode"] == "allow_all")
    );
    for template in &listed {
        let path = format!("/v1/templates/{}", template["name"].as_str().unwrap());
        assert_eq!(&world.get(path).send().await.expect(200).json(), template);
    }
    let templates = world.engine.templates();
    let aliased = templates.iter().find_map(|template| {
        let alias = templates.aliases(&template.name).next()?;
        Some((alias.to_owned(), template.name.as_str().to_owned()))
    });
    let (alias, name) = aliased.expect("some template has an alias");
    let found = world
        .get(format!("/v1/templates/{}", alias.replace('/', "%2F")))
        .send()
        .await;
    assert_eq!(found.expect(200).json()["name"], name);
    for unknown in ["nothing", "..", "%2e%2e", "%00", "Python"] {
        let answer = world
            .get(format!("/v1/templates/{unknown}"))
            .send()
            .await
            .expect(404);
        assert_eq!(answer.field(), "template", "{unknown}");
    }
}

#[tokio::test]
async fn runtimes_say_what_they_can_and_nothing_of_their_backend() {
    let world = World::new().await;
    let listed = world.get("/v1/runtimes").send().await.expect(200).json();
    let runtime = &listed["runtimes"][0];
    assert_eq!(runtime["name"], "fake");
    assert_eq!(runtime["default"], true);
    assert_eq!(runtime["available"], true);
    assert_eq!(runtime["health"], "ok");
    assert_eq!(runtime["capabilities"]["pause"], true);

    let fault = Fault::fail(Call::Health, When::Before, ErrorKind::Unavailable);
    let fault = fault.with_message("connect /run/secret.sock: start the daemon", None);
    world.daemon.faults().inject(fault);
    let listed = world.get("/v1/runtimes").send().await.expect(200).json();
    assert_eq!(listed["runtimes"][0]["health"], "failing");
    assert!(!listed.to_string().contains("secret"), "{listed}");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_does_not_answer_holds_up_the_list_for_a_bounded_time() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Health, When::Before));
    let listed = soon(world.get("/v1/runtimes").send())
        .await
        .expect(200)
        .json();
    assert_eq!(listed["runtimes"][0]["health"], "unanswered");
}
