//! What programs send, read: ids in addresses, queries, documents. What cannot be read is refused like everything else, with
//! a code, the field and what to write.

use axum::{
    Json,
    extract::{
        self, FromRequest, FromRequestParts, Request,
        path::ErrorKind,
        rejection::{JsonRejection, PathRejection},
    },
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    desired::Fault,
    http::{Problem, router::LARGEST_BODY},
};

/// What cannot be read at all.
const MALFORMED: &str = "malformed";

/// The part of an address that names something.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Path::from_request_parts(parts, state).await;
        read.map(|extract::Path(named)| Self(named))
            .map_err(|rejection| no_name(&rejection))
    }
}

fn no_name(rejection: &PathRejection) -> Problem {
    let kind = match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => failed.kind(),
        other => return Problem::internal(other),
    };
    let fault = match kind {
        ErrorKind::DeserializeError { key, value, .. } | ErrorKind::ParseErrorAtKey { key, value, .. } => {
            id(key, value)
        }
        ErrorKind::ParseError { value, .. } | ErrorKind::ParseErrorAtIndex { value, .. } => id("id", value),
        ErrorKind::InvalidUtf8InPathParam { key } => Fault::unshown(
            key,
            "it is no UTF-8 text once `%` is read",
            "write other letters than a-z and 0-9 as %XX of their UTF-8 bytes",
        ),
        other => Fault::unshown("id", other.to_string(), "write the address as in /api/v1/openapi.json"),
    };
    Problem::refused(StatusCode::BAD_REQUEST, MALFORMED, &fault)
}

fn id(field: &str, value: &str) -> Fault {
    Fault::new(field, value, "it is no id (UUID)", ID_ADVICE)
}

/// What to write for an id.
const ID_ADVICE: &str = "write one as the lists give it, such as 01890a5d-ac96-774b-bcce-b302099a8057";

/// What stands behind the `?` of an address.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Query::from_request_parts(parts, state).await;
        read.map(|extract::Query(asked)| Self(asked)).map_err(|rejection| {
            // `Failed to deserialize query string: limit: invalid digit found in string`
            let text = rejection.body_text();
            let told = text.split_once(": ").map_or(text.as_str(), |(_, told)| told);
            let (field, why) = told.split_once(": ").unwrap_or(("query", told));
            Problem::refused(StatusCode::BAD_REQUEST, MALFORMED, &of_serde(field, why))
        })
    }
}

/// The document of a request.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(document) = Json::<Value>::from_request(request, state)
            .await
            .map_err(|rejection| no_document(&rejection))?;
        serde_path_to_error::deserialize(document).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "" } else { path.as_str() };
            let fault = of_serde(field, &error.inner().to_string());
            Problem::refused(StatusCode::UNPROCESSABLE_ENTITY, MALFORMED, &fault)
        })
    }
}

fn no_document(rejection: &JsonRejection) -> Problem {
    let (why, advice) = match rejection {
        JsonRejection::MissingJsonContentType(_) => (
            "the request does not say that its body is JSON".to_owned(),
            "add the header Content-Type: application/json".to_owned(),
        ),
        JsonRejection::BytesRejection(_) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => (
            "it is too large".to_owned(),
            format!("send {} KiB at most", LARGEST_BODY >> 10),
        ),
        JsonRejection::BytesRejection(_) => ("it did not arrive whole".to_owned(), "send it again".to_owned()),
        other => {
            // `Failed to parse the request body as JSON: expected value at line 1 column 1`
            let text = other.body_text();
            let told = text.split_once(": ").map_or(text.as_str(), |(_, told)| told);
            (format!("it is no JSON: {told}"), "send one JSON document".to_owned())
        }
    };
    Problem::refused(rejection.status(), MALFORMED, &Fault::unshown("body", why, advice))
}

/// A fault in the words of the house, out of those of serde.
fn of_serde(path: &str, why: &str) -> Fault {
    let named = |prefix: &str| {
        let (name, rest) = why.strip_prefix(prefix)?.split_once('`')?;
        Some((name, rest.trim_start_matches([',', ' '])))
    };
    let below = |name: &str| match path {
        "" | "?" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    if why.contains("UUID") {
        return Fault::unshown(
            if path.is_empty() { "id" } else { path },
            "it is no id (UUID)",
            ID_ADVICE,
        );
    }
    let whole = if path.is_empty() { "body" } else { path };
    if let Some((name, _)) = named("missing field `") {
        return Fault::unshown(&below(name), "it is missing", "add it");
    }
    if let Some((name, known)) = named("unknown field `") {
        return Fault::unshown(&below(name), "there is no such field", either(known, "leave it away"));
    }
    if let Some((word, known)) = named("unknown variant `") {
        return Fault::new(whole, word, "the word is not known", either(known, "write another"));
    }
    if path.is_empty() && why.starts_with("invalid ") {
        let why = "it is no document of the kind that is wanted here";
        return Fault::unshown(whole, why, "send an object as /api/v1/openapi.json describes it");
    }
    let wanted = why.split_once(", expected ").or_else(|| why.split_once("; expected "));
    if let Some((found, wanted)) = wanted {
        let found = found
            .trim_start_matches("invalid type: ")
            .trim_start_matches("invalid value: ");
        return Fault::unshown(whole, format!("it is {found}"), format!("write {wanted}"));
    }
    Fault::unshown(whole, why, "write it as /api/v1/openapi.json describes it")
}

/// What to write, from serde's words for what it expected; `otherwise` when it names nothing.
fn either(known: &str, otherwise: &str) -> String {
    let known = known.trim_start_matches("expected ").trim_start_matches("one of ");
    if known.is_empty() || known.starts_with("there are no") {
        otherwise.to_owned()
    } else {
        format!("write {}", known.replace('`', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serdes_words_become_ours() {
        for (path, why, told) in [
            ("", "missing field `family`", "family: it is missing; add it"),
            ("tree", "missing field `url`", "tree.url: it is missing; add it"),
            (
                "family",
                "unknown variant `windows`, expected one of `redhat`, `debian`",
                "family = `windows`: the word is not known; write redhat, debian",
            ),
            (
                "valeus",
                "unknown field `valeus`, expected `values` or `profile`",
                "valeus: there is no such field; write values or profile",
            ),
            (
                "arch",
                "invalid type: integer `5`, expected a string",
                "arch: it is integer `5`; write a string",
            ),
            (
                "",
                "invalid type: sequence, expected struct Wanted",
                "body: it is no document of the kind that is wanted here; send an object as /api/v1/openapi.json describes it",
            ),
            (
                "host",
                "UUID parsing failed: invalid character: found `w` at 1",
                "host: it is no id (UUID); write one as the lists give it, such as 01890a5d-ac96-774b-bcce-b302099a8057",
            ),
            (
                "limit",
                "invalid digit found in string",
                "limit: invalid digit found in string; write it as /api/v1/openapi.json describes it",
            ),
        ] {
            assert_eq!(of_serde(path, why).to_string(), told);
        }
    }
}
