//! The API's description, as OpenAPI 3.1.
//!
//! Handlers say what they take and answer; what the layers before them demand and answer is added
//! here, from the same policy that the layers carry out.

use std::sync::LazyLock;

use axum::http::Method;
use bytes::Bytes;
use sandbox_api_types::ErrorBody;
use sandbox_engine::owners::Scope;
use serde_json::json;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, Object, OpenApi, OpenApiBuilder,
    OpenApiVersion, Ref, RefOr, Required, Response, Server, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::route::{BodyClass, Repeat, RouteInfo, Table};
use crate::{cloud, docs, probes};

/// The description of every route of every dialect.
pub fn openapi() -> OpenApi {
    describe([cloud::table(), probes::table(), docs::table()])
}

/// The description as it is served.
pub(crate) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        // It is made of strings and maps with strings as keys, which JSON can write.
        serde_json::to_vec(&openapi()).map_or_else(|_| Bytes::new(), Bytes::from)
    });
    DOCUMENT.clone()
}

const DESCRIPTION: &str = "Isolated places to run untrusted code: create them, run commands in \
them, read and write their files, decide what they may connect to.\n\nEvery request carries an API \
key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`. An error is \
`{\"error\": {\"code\", \"message\", \"field\"?}}`. Every answer has an `X-Request-ID`.";

fn describe(tables: impl IntoIterator<Item = Table>) -> OpenApi {
    let mut document = OpenApiBuilder::new()
        .openapi(OpenApiVersion::Version31)
        .info(info())
        .servers(Some([Server::new("/")]))
        .components(Some(components()))
        .build();
    for route in tables.into_iter().flat_map(Table::into_documented) {
        let path = template(&route.info.path);
        let mut item = route.item;
        if let Some(operation) = operation_of(&mut item, &route.info.method) {
            complete(operation, &route.info);
        }
        match document.paths.paths.get_mut(&path) {
            Some(known) => known.merge_operations(item),
            None => {
                document.paths.paths.insert(path, item);
            }
        }
        if let Some(components) = &mut document.components {
            components.schemas.extend(route.schemas);
        }
    }
    document
}

fn info() -> utoipa::openapi::Info {
    let license = LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE"));
    InfoBuilder::new()
        .title("Sandbox API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license.build()))
        .build()
}

const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";

fn components() -> Components {
    let mut components = Components::new();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key of the organisation."));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    let header = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
    components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(header));
    let mut schemas = vec![(ErrorBody::name().into_owned(), ErrorBody::schema())];
    ErrorBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    for failure in &FAILURES {
        let response = failure.response();
        components
            .responses
            .insert(failure.name.to_owned(), RefOr::T(response));
    }
    components
}

/// An answer of the layers.
struct Failure {
    name: &'static str,
    status: &'static str,
    code: &'static str,
    description: &'static str,
    example: &'static str,
}

impl Failure {
    fn response(&self) -> Response {
        let example = json!({"error": {"code": self.code, "message": self.example}});
        let content = ContentBuilder::new()
            .schema(Some(error_schema()))
            .example(Some(example));
        ResponseBuilder::new()
            .description(self.description)
            .content("application/json", content.build())
            .build()
    }
}

fn error_schema() -> Ref {
    Ref::from_schema_name(ErrorBody::name())
}

macro_rules! failures {
    ($($name:ident = $status:literal $code:literal $description:literal $example:literal;)+) => {
        const FAILURES: [Failure; [$($status),+].len()] = [$(Failure {
            name: stringify!($name),
            status: $status,
            code: $code,
            description: $description,
            example: $example,
        }),+];
    };
}

failures! {
    BadRequest = "400" "invalid_spec" "A value is malformed, out of range, unknown or contradicts another one; `field` names it" "must be at most 24h";
    Unauthorized = "401" "unauthorized" "No API key, or one that is unknown or revoked" "an API key is needed; pass one as 'Authorization: Bearer KEY' or 'X-API-Key: KEY' (the `sandbox` program: SANDBOX_API_KEY)";
    Forbidden = "403" "permission_denied" "The key's scope is too small, or the sandbox belongs to another organisation" "this API key does not have the scope \"write\"";
    NotFound = "404" "not_found" "It does not exist" "there is no such sandbox";
    Conflict = "409" "conflict" "It does not fit the current state, or the idempotency key was used with another request" "the sandbox is suspended";
    PayloadTooLarge = "413" "payload_too_large" "The body is too large" "has more than 1048576 bytes, the most that may be sent at once (the server's setting api.max_json_bytes)";
    UnsupportedMediaType = "415" "unsupported_media_type" "The body is not JSON" "the body must be JSON, with 'Content-Type: application/json'";
    TooManyRequests = "429" "rate_limited" "Too many requests, or a quota is used up; `Retry-After` says when to try again, where that is known" "more than 600 requests a minute";
    Internal = "500" "internal" "A defect of the server" "something went wrong in the server; the request's id is req_1";
    Unavailable = "503" "unavailable" "Something that the server depends on is away, or it has too much to do; try again" "the runtime docker does not answer";
    Timeout = "504" "timeout" "It was not done in time" "was not done within 60 seconds";
}

/// The failures that a route with this policy can have before, or because of, its handler.
fn applies(failure: &Failure, route: &RouteInfo) -> bool {
    let policy = route.policy;
    let is_keyed = policy.scope.is_some();
    match failure.status {
        "401" | "403" | "429" | "504" => is_keyed,
        "400" => is_keyed && (route.path.contains('{') || policy.body != BodyClass::None),
        "404" => route.path.contains('{'),
        "409" => is_keyed && policy.repeat != Repeat::Safe,
        "413" | "415" => policy.body == BodyClass::Json,
        _ => true,
    }
}

/// Adds what the layers demand and answer.
fn complete(operation: &mut Operation, route: &RouteInfo) {
    for failure in FAILURES.iter().filter(|failure| applies(failure, route)) {
        let shared = RefOr::Ref(Ref::from_response_name(failure.name));
        let responses = &mut operation.responses.responses;
        responses.entry(failure.status.to_owned()).or_insert(shared);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            let content = ContentBuilder::new().schema(Some(error_schema())).build();
            response
                .content
                .insert("application/json".to_owned(), RefOr::T(content));
        }
    }
    if let Some(scope) = route.policy.scope {
        operation.security = Some(security(scope));
    }
    if !matches!(route.policy.repeat, Repeat::Safe | Repeat::Refused) {
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(RefOr::T(idempotency_key()));
    }
}

/// Either way of passing a key does; its scopes are named as OpenAPI 3.1 allows for any scheme.
fn security(scope: Scope) -> Vec<SecurityRequirement> {
    let scopes = [scope.as_str()];
    [BEARER, API_KEY]
        .map(|scheme| SecurityRequirement::new(scheme, scopes))
        .into()
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "1 to 255 visible ASCII characters. The same request with the same key within 24 hours \
             is carried out once and answered again with `Idempotent-Replayed: true`; with another \
             body it is a conflict.",
        ))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn operation_of<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::PUT => item.put.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        Method::PATCH => item.patch.as_mut(),
        _ => None,
    }
}

/// A path as OpenAPI has it, which knows no parameter over several segments.
fn template(path: &str) -> String {
    path.replace("{*", "{")
}
