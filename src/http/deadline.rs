use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Problem;

/// Longest time from a request's head to the head of its answer. It bounds how long a body may trickle in; streams and
/// downloads begin within it and may last longer.
pub(super) const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// Gives up a request that takes too long.
pub(super) async fn in_time(State(longest): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(response) => response,
        Err(_late) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            format!(
                "the request was not complete and answered within {} seconds; try again",
                longest.as_secs()
            ),
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, Bytes},
        http::Request,
        middleware::from_fn_with_state,
        routing::post,
    };
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let router = Router::new()
            .route("/", post(async |body: Bytes| body))
            .layer(from_fn_with_state(Duration::from_millis(10), in_time));
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let late = Request::post("/").body(endless).unwrap();
        let answer = router.clone().oneshot(late).await.unwrap();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        let whole = Request::post("/").body(Body::from("x")).unwrap();
        assert_eq!(router.oneshot(whole).await.unwrap().status(), StatusCode::OK);
    }
}
