use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{desired::Fault, search::SearchFault};

/// Why a request was refused, as `application/problem+json` (RFC 9457).
///
/// `code` is stable and for programs; `detail` is for the person: the cause and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the code says which problem it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// Stable word for programs.
    #[schema(example = "host_unknown")]
    pub code: &'static str,
    /// Cause and next step in plain words.
    pub detail: String,
    /// Which field is wrong, as a path such as `network.interfaces.eth0.mac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<Box<str>>,
    /// The bytes of the field's text that are meant: from, and up to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u16>>)]
    pub place: Option<[u16; 2]>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub advice: Option<Box<str>>,
    /// Seconds to wait before trying again; also sent as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem with its stable code and its words.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            field: None,
            place: None,
            advice: None,
            retry_after_seconds: None,
        }
    }

    /// The same, with the time after which trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// What a person wrote and cannot be.
    #[must_use]
    pub fn refused(status: StatusCode, code: &'static str, fault: &Fault) -> Self {
        Self {
            field: Some(fault.field.as_str().into()),
            advice: Some(fault.advice.as_str().into()),
            ..Self::new(status, code, fault.to_string())
        }
    }

    /// A search that cannot be read, in the parameter `q`.
    #[must_use]
    pub fn of_search(fault: &SearchFault) -> Self {
        let byte = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        Self {
            field: Some("q".into()),
            place: Some([byte(fault.place.start), byte(fault.place.end)]),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "search_fault", fault.to_string())
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Something failed on our side: the cause goes to the log, never to the client.
    #[must_use]
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        let chain: Vec<String> = std::iter::successors(Some(cause), |error| error.source())
            .map(ToString::to_string)
            .collect();
        tracing::error!(error = chain.join(": "), "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server could not do this; its log says why",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_carries_its_status_type_and_wait() {
        let response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "wait a little")
            .retry_after(7)
            .into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    }
}
