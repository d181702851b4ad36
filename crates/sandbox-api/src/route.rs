//! Routes, and what each has to say about itself before it can exist.

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use sandbox_engine::owners::Scope;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{PathItem, Paths};
use utoipa::openapi::schema::Schema;
use utoipa_axum::router::UtoipaMethodRouter;

use crate::dialect::Dialect;
use crate::error::{ApiError, Reason};
use crate::layers::edge::{self, Edge};
use crate::layers::gate;
use crate::state::AppState;

/// What body a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyClass {
    /// None: one that is sent is not read.
    None,
    /// JSON, up to [`max_json_bytes`](crate::ApiConfig::max_json_bytes).
    Json,
    /// Raw bytes, streamed, up to [`max_file_bytes`](crate::ApiConfig::max_file_bytes).
    File,
}

/// How long a route may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// It asks the engine and answers.
    Unary,
    /// It waits for work that takes minutes: a creation, a command, a transfer.
    Long,
    /// Its answer goes on until either side ends it.
    Stream,
}

/// What an idempotency key means to a route, by what doing the request twice would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Nothing: the route changes nothing.
    Safe,
    /// It makes a sandbox: [`Creation`](crate::extract::Creation) makes exactly one, also over a
    /// death of the server. The first answer is given again.
    Create,
    /// Doing it again comes to the same: destroy, a file written whole. The first answer is given
    /// again.
    Repeatable,
    /// It must not be done twice: a command, a process, a key. The first answer is given again; one
    /// that was interrupted is refused.
    Once,
    /// A key is refused, because the answer is a stream that cannot be given again.
    Refused,
}

/// Everything the shared layers need to know about a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoutePolicy {
    /// What a key must be allowed to do; `None`: no key is asked for.
    pub scope: Option<Scope>,
    /// The body.
    pub body: BodyClass,
    /// The time.
    pub deadline: Deadline,
    /// What an idempotency key means.
    pub repeat: Repeat,
}

/// The policy of a route that asks for no key.
pub(crate) const fn open() -> RoutePolicy {
    RoutePolicy {
        scope: None,
        body: BodyClass::None,
        deadline: Deadline::Unary,
        repeat: Repeat::Safe,
    }
}

/// The policy of a route that only looks.
pub(crate) const fn read(deadline: Deadline) -> RoutePolicy {
    RoutePolicy {
        scope: Some(Scope::Read),
        body: BodyClass::None,
        deadline,
        repeat: Repeat::Safe,
    }
}

/// The policy of a route that changes or runs something.
pub(crate) const fn write(body: BodyClass, deadline: Deadline, repeat: Repeat) -> RoutePolicy {
    RoutePolicy {
        scope: Some(Scope::Write),
        body,
        deadline,
        repeat,
    }
}

/// The policy of a route that manages the organisation.
pub(crate) const fn admin(body: BodyClass, deadline: Deadline, repeat: Repeat) -> RoutePolicy {
    RoutePolicy {
        scope: Some(Scope::Admin),
        body,
        deadline,
        repeat,
    }
}

/// A route as it can be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The method.
    pub method: Method,
    /// The path as axum has it: `/v1/sandboxes/{id}/files/{*path}`.
    pub path: String,
    /// What the layers do for it.
    pub policy: RoutePolicy,
    /// Whether it is an operation of the API's description; otherwise it is another spelling of
    /// one.
    pub is_described: bool,
}

/// One route: its handler, its operation in the API's description, and its policy.
struct Route {
    info: RouteInfo,
    schemas: Vec<(String, RefOr<Schema>)>,
    paths: Paths,
    handler: MethodRouter<AppState>,
}

/// A route as its handler describes it.
pub(crate) struct Documented {
    pub(crate) info: RouteInfo,
    pub(crate) item: PathItem,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

/// The routes of a dialect. The only way to a route is [`add`](Self::add), which asks for
/// everything.
pub(crate) struct Table {
    dialect: &'static Dialect,
    routes: Vec<Route>,
}

impl Table {
    pub(crate) const fn new(dialect: &'static Dialect) -> Self {
        Self {
            dialect,
            routes: Vec::new(),
        }
    }

    /// Adds the one handler that `routes!` was given.
    ///
    /// # Panics
    /// When it was given several, or a handler of several methods: each has a policy of its own.
    #[must_use]
    pub(crate) fn add(mut self, route: UtoipaMethodRouter<AppState>, policy: RoutePolicy) -> Self {
        let (schemas, paths, handler) = route;
        let info = RouteInfo {
            method: only_method(&paths),
            path: only_path(&paths).to_owned(),
            policy,
            is_described: true,
        };
        self.routes.push(Route {
            info,
            schemas,
            paths,
            handler,
        });
        self
    }

    /// Adds another spelling of a path that is described: the same for whoever calls it, and no
    /// operation of its own.
    #[must_use]
    pub(crate) fn add_spelling(
        mut self,
        method: Method,
        path: &str,
        handler: MethodRouter<AppState>,
        policy: RoutePolicy,
    ) -> Self {
        let info = RouteInfo {
            method,
            path: path.to_owned(),
            policy,
            is_described: false,
        };
        self.routes.push(Route {
            info,
            schemas: Vec::new(),
            paths: Paths::new(),
            handler,
        });
        self
    }

    /// Adds the routes of another table of the dialect.
    #[must_use]
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self
    }

    pub(crate) fn list(&self) -> Vec<RouteInfo> {
        self.routes.iter().map(|route| route.info.clone()).collect()
    }

    /// The router, each route behind the [gate] that carries out its policy and all of them behind
    /// the [edge].
    pub(crate) fn build(self, state: &AppState) -> Router {
        let mut router = Router::new();
        for Route { info, handler, .. } in self.routes {
            let handler = gate::before(handler, state, self.dialect, info.policy);
            router = router.route(&info.path, handler);
        }
        let refusing = router.method_not_allowed_fallback(async || {
            ApiError::new(
                Reason::MethodNotAllowed,
                "this path does not take this method",
            )
        });
        edged(refusing, state, self.dialect)
    }

    /// The routes as they are described.
    pub(crate) fn into_documented(self) -> impl Iterator<Item = Documented> {
        let described = self
            .routes
            .into_iter()
            .filter(|route| route.info.is_described);
        described.map(|route| Documented {
            item: route.paths.paths.into_values().next().unwrap_or_default(),
            info: route.info,
            schemas: route.schemas,
        })
    }
}

/// What answers paths that lead nowhere, in the shape of `dialect`.
pub(crate) fn nowhere(state: &AppState, dialect: &'static Dialect) -> Router {
    let router = Router::new()
        .fallback(async || ApiError::new(Reason::NoSuchPath, "there is nothing at this path"));
    edged(router, state, dialect)
}

fn edged(router: Router<AppState>, state: &AppState, dialect: &'static Dialect) -> Router {
    let edge = Edge {
        state: state.clone(),
        dialect,
    };
    router
        .layer(from_fn_with_state(edge, edge::pass))
        .with_state(state.clone())
}

fn only_path(paths: &Paths) -> &str {
    let mut all = paths.paths.keys();
    match (all.next(), all.next()) {
        (Some(path), None) => path,
        (_, _) => panic!("a route has one path"),
    }
}

fn only_method(paths: &Paths) -> Method {
    let item = &paths.paths[only_path(paths)];
    let all = [
        (Method::GET, item.get.is_some()),
        (Method::PUT, item.put.is_some()),
        (Method::POST, item.post.is_some()),
        (Method::DELETE, item.delete.is_some()),
        (Method::PATCH, item.patch.is_some()),
    ];
    let mut found = all.into_iter().filter(|(_, is_there)| *is_there);
    match (found.next(), found.next()) {
        (Some((method, _)), None) => method,
        (_, _) => panic!("a route has one method"),
    }
}
