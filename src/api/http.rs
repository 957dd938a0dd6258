//! `http::`: requests from the machine where spc runs.

use std::time::Duration;

use bytes::Bytes;
use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};

use super::context::Context;
use super::{Raw, assume_option, placed, secret, task};
use crate::host::{HostError, HostErrorKind, HttpRequest, HttpResponse};
use crate::model::Failure;
use crate::policy::CheckedUrl;
use crate::value::json::to_json;
use crate::value::{Options, Record};

/// Registers `http::`.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("http", shared_module!(module, "http"));
}

/// The default time limit for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The maximum number of redirects.
const MOST_REDIRECTS: usize = 10;

/// The headers and body of a request, with revealed secrets.
pub(super) struct Content {
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    timeout: Duration,
    follow: bool,
    assumed: Option<HttpResponse>,
}

impl Content {
    pub(super) fn read(context: &Context, options: &Dynamic) -> Result<Self, Failure> {
        let mut options = Options::of(options, "http options")?;
        let headers = options.map_of_text("headers")?.unwrap_or_default();
        let mut headers: Vec<(String, String)> = headers
            .into_iter()
            .map(|(name, value)| {
                secret::none_in(&name, "the name of a header")?;
                secret::exposed_in(context, &value, "a request's headers")
                    .map(|value| (name.to_lowercase(), value))
            })
            .collect::<Result<_, _>>()?;
        let body =
            options.take("body").map(|body| body_of(context, &body, &mut headers)).transpose()?;
        let timeout = options.duration("timeout")?.unwrap_or(PATIENCE);
        let follow = options.bool("follow")?.unwrap_or(true);
        let assumed = assume_option::response(&mut options)?;
        options.finish()?;
        Ok(Self { headers, body: body.map(Bytes::from), timeout, follow, assumed })
    }
}

/// The body of a request: a text unchanged, any other value as JSON with the content type of JSON.
fn body_of(
    context: &Context,
    body: &Dynamic,
    headers: &mut Vec<(String, String)>,
) -> Result<String, Failure> {
    const PLACE: &str = "a request's body";
    if let Some(text) = body.read_lock::<ImmutableString>() {
        return secret::exposed_in(context, &text, PLACE);
    }
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    Ok(secret::exposed_in_value(context, to_json(body)?, PLACE)?.to_string())
}

/// Sends a request and follows redirects. Each address is checked.
async fn send(
    context: &Context,
    method: &str,
    url: &str,
    content: Content,
) -> Result<Record, Failure> {
    let started = context.host.monotonic();
    let mut url = context.policy.address(url)?;
    let engines = context.policy.engines().clone();
    let mut request = HttpRequest {
        method: method.to_owned(),
        headers: content.headers,
        body: content.body,
        engines,
        ..HttpRequest::default()
    };
    for _ in 0..=MOST_REDIRECTS {
        url.as_str().clone_into(&mut request.url);
        request.timeout =
            Some(content.timeout.saturating_sub(context.host.monotonic().saturating_sub(started)));
        let mut response =
            context.host.http(&request).await.map_err(|error| unanswered(context, &url, error))?;
        if let Some(assumed) = assume_option::assumed_response(context, content.assumed.clone()) {
            response = assumed;
        }
        if is_engines(&response) && !url.is_listed_with_port() {
            return Err(context.policy.answered_by_engine(&url).into());
        }
        let location = response
            .headers
            .iter()
            .find(|(name, _)| name == "location")
            .map(|(_, value)| value.as_str());
        let next = location
            .filter(|_| content.follow && matches!(response.status, 301 | 302 | 303 | 307 | 308));
        match next.and_then(|location| url.redirected(location)) {
            None => {
                let elapsed = context.host.monotonic().saturating_sub(started);
                let url = context.secrets.mask(&url.without_user());
                return Ok(context.answered(answer(url, &response, elapsed)));
            }
            Some(next) => {
                let next = context.policy.address(&next)?;
                redirect(&mut request, response.status, url.is_same_server(&next));
                url = next;
            }
        }
    }
    Err(Failure::usage(format!("\"{}\" redirects more than {MOST_REDIRECTS} times", url.as_str())))
}

/// The failure if no server answers. In a test no server answers unless the test defines it.
fn unanswered(context: &Context, url: &CheckedUrl, error: HostError) -> Failure {
    let is_unreachable = error.kind == HostErrorKind::Unreachable;
    let failure = Failure::from(error);
    match &context.awaiting {
        Some(_) if is_unreachable => failure
            .hint(format!("in a test, `sim::http(\"{}\", …)` defines the answer", url.as_str())),
        _ => failure,
    }
}

/// Whether the response comes from a Docker Engine, according to its headers. spc may not know the
/// engine's address.
fn is_engines(response: &HttpResponse) -> bool {
    let value = |wanted: &str| {
        response.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    value("api-version").is_some()
        && value("server")
            .is_some_and(|server| server.starts_with("Docker/") || server.starts_with("Libpod/"))
}

/// Changes a request after a redirect as browsers do: headers that another server must not see are
/// removed, and a form is not sent again.
fn redirect(request: &mut HttpRequest, status: u16, same_server: bool) {
    if !same_server {
        request.headers.retain(|(name, _)| {
            !matches!(name.as_str(), "authorization" | "cookie" | "proxy-authorization")
        });
    }
    let becomes_get = status == 303 && request.method != "HEAD"
        || matches!(status, 301 | 302) && request.method == "POST";
    if becomes_get {
        "GET".clone_into(&mut request.method);
        request.body = None;
        request.headers.retain(|(name, _)| !name.starts_with("content-"));
    }
}

fn answer(url: String, response: &HttpResponse, elapsed: Duration) -> Record {
    let mut headers = rhai::Map::new();
    for (name, value) in &response.headers {
        let all = headers
            .get(name.as_str())
            .map_or_else(|| value.clone(), |before: &Dynamic| format!("{before}, {value}"));
        headers.insert(name.into(), all.into());
    }
    Record::new(
        "http answer",
        [
            ("status".into(), i64::from(response.status).into()),
            ("ok".into(), (200..300).contains(&response.status).into()),
            ("body".into(), String::from_utf8_lossy(&response.body).into_owned().into()),
            ("headers".into(), headers.into()),
            ("url".into(), url.into()),
            ("elapsed_ms".into(), i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).into()),
        ],
    )
}

fn request(
    context: &Context,
    method: &str,
    url: &str,
    options: &Dynamic,
) -> Result<Record, Failure> {
    let content = Content::read(context, options)?;
    let (credentials, server) = authority(url);
    if let Some(name) = context.secrets.named_in(server).into_iter().next() {
        return Err(Failure::usage(format!(
            "The secret \"{name}\" can't be used in the name of a server: others can see it"
        ))
        .hint("use it in the path, the query, a header or the body"));
    }
    let is_hintable = context.secrets.named_in(credentials).is_empty();
    let url = secret::exposed_in(context, url, "a request's address")?;
    let answer = task::wait(context, send(context, method, &url, content));
    if !matches!(method, "GET" | "HEAD") && answer.is_ok() {
        context.script.changes.note();
    }
    // The address may contain a secret; the result for the script doesn't.
    let mask = |text: &str| context.secrets.mask(text);
    answer.map_err(|failure| Failure {
        message: mask(&failure.message),
        hint: failure.hint.as_deref().filter(|_| is_hintable).map(mask),
        ..failure
    })
}

/// Splits the authority of a URL at the `@`: the user and the server.
fn authority(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    authority.rsplit_once('@').unwrap_or(("", authority))
}

#[export_module]
mod module {
    /// Sends a GET request. The result has `status`, `ok` (a status of 200 to 299), `body` as text,
    /// `headers` (names in lower case), `url` (after redirects) and `elapsed_ms`; `.json()` is the
    /// parsed body.
    ///
    /// Every status is a result, not an error. Throws `timeout` if no answer comes in time,
    /// `failed` if nothing listens, and `policy` if the address is on another machine and not
    /// listed in `spc.toml`, or leads to a Docker Engine. `localhost` and names below it
    /// (`web.localhost`) are this machine, whatever a resolver says.
    ///
    /// ```rhai,no_run
    /// let answer = http::get("http://localhost:8000/api/health/");
    /// if answer.json().status != "healthy" { fail("unhealthy", answer.body); }
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn get(call: NativeCallContext, url: &str) -> Raw<Record> {
        placed(&call, |context| request(context, "GET", url, &Dynamic::UNIT))
    }

    /// Sends a GET request with options: `headers` (a map; a secret in it has to be exposed),
    /// `timeout` (`"30s"`), `follow` redirects (true), and `assume`.
    ///
    /// `spc plan` sends no request. It assumes the status 200 and an empty body, or the answer in
    /// `assume`: a status, a body (a text, or a list as JSON), or `#{ status, body, headers }`,
    /// whose `body` is JSON unless it is a text.
    ///
    /// ```rhai,no_run
    /// http::get("http://localhost:5555/api/workers", #{ headers: #{ accept: "application/json" }, timeout: "5s" });
    /// let health = http::get("http://localhost:8000/api/health/", #{ assume: #{ body: #{ status: "healthy" } } }).json();
    /// ```
    #[rhai_fn(name = "get", return_raw, volatile)]
    pub fn get_with(call: NativeCallContext, url: &str, options: Dynamic) -> Raw<Record> {
        placed(&call, |context| request(context, "GET", url, &options))
    }

    /// Sends a HEAD request; otherwise as `http::get`.
    ///
    /// ```rhai,no_run
    /// let length = http::head("http://localhost/logo.png").headers["content-length"].int();
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn head(call: NativeCallContext, url: &str) -> Raw<Record> {
        placed(&call, |context| request(context, "HEAD", url, &Dynamic::UNIT))
    }

    /// Sends a HEAD request with the options of `http::get`.
    ///
    /// ```rhai,no_run
    /// http::head("http://localhost/logo.png", #{ timeout: "5s" });
    /// ```
    #[rhai_fn(name = "head", return_raw, volatile)]
    pub fn head_with(call: NativeCallContext, url: &str, options: Dynamic) -> Raw<Record> {
        placed(&call, |context| request(context, "HEAD", url, &options))
    }

    /// Sends a POST request. In addition to the options of `http::get`: `body`, a text as it is, or
    /// any other value as JSON.
    ///
    /// ```rhai,no_run
    /// http::post("http://localhost:8000/api/measurements/", #{ body: #{ value: 9.81 } });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn post(call: NativeCallContext, url: &str, options: Dynamic) -> Raw<Record> {
        placed(&call, |context| request(context, "POST", url, &options))
    }

    /// Sends a PUT request with the options of `http::post`.
    ///
    /// ```rhai,no_run
    /// http::put("http://localhost:8000/api/measurements/1/", #{ body: #{ value: 9.82 } });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn put(call: NativeCallContext, url: &str, options: Dynamic) -> Raw<Record> {
        placed(&call, |context| request(context, "PUT", url, &options))
    }

    /// Sends a PATCH request with the options of `http::post`.
    ///
    /// ```rhai,no_run
    /// http::patch("http://localhost:8000/api/measurements/1/", #{ body: #{ value: 9.83 } });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn patch(call: NativeCallContext, url: &str, options: Dynamic) -> Raw<Record> {
        placed(&call, |context| request(context, "PATCH", url, &options))
    }

    /// Sends a DELETE request.
    ///
    /// ```rhai,no_run
    /// http::delete("http://localhost:8000/api/measurements/1/");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn delete(call: NativeCallContext, url: &str) -> Raw<Record> {
        placed(&call, |context| request(context, "DELETE", url, &Dynamic::UNIT))
    }

    /// Sends a DELETE request with the options of `http::post`.
    ///
    /// ```rhai,no_run
    /// http::delete("http://localhost:8000/api/measurements/1/", #{ timeout: "5s" });
    /// ```
    #[rhai_fn(name = "delete", return_raw, volatile)]
    pub fn delete_with(call: NativeCallContext, url: &str, options: Dynamic) -> Raw<Record> {
        placed(&call, |context| request(context, "DELETE", url, &options))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use std::time::Duration;

    use bytes::Bytes;

    use crate::host::HttpRequest;
    use crate::host::sim::{HttpAnswer, SimHost};
    use crate::policy::{EngineAddress, EngineAddresses};

    /// A host that answers every request with `answer`.
    fn answering(
        answer: impl Fn(&HttpRequest) -> HttpAnswer + Send + Sync + 'static,
    ) -> impl FnOnce(SimHost) -> SimHost {
        |host| host.on_http(move |request| Some(answer(request)))
    }

    #[test]
    fn an_answer_has_status_body_headers_and_its_value() {
        let answer = |_: &HttpRequest| {
            HttpAnswer::status(200, r#"{"status":"healthy"}"#).taking(Duration::from_millis(40))
        };
        let trial = Harness::on(answering(move |request| {
            answer(request).with_header("content-type", "application/json")
        }));
        let script = r#"let a = http::get("http://localhost:8000/api/health/"); [a.status, a.ok, a.json().status, a.headers["content-type"], a.elapsed_ms]"#;
        assert_eq!(trial.text(script), r#"[200, true, "healthy", "application/json", 40]"#);
    }

    #[test]
    fn a_bad_status_is_an_answer_and_no_answer_is_an_error() {
        let trial = Harness::on(answering(|_| HttpAnswer::status(503, "busy")));
        assert_eq!(
            trial
                .text(r#"let a = http::get("http://localhost/"); `${a.ok} ${a.status} ${a.body}`"#),
            "false 503 busy"
        );
        let failure = Harness::new().fails(r#"http::get("http://localhost:9/")"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            (
                "failed",
                "Could not reach \"http://localhost:9/\": connection refused: nobody listens there"
            )
        );
        let slow =
            Harness::on(answering(|_| HttpAnswer::status(200, "").taking(Duration::from_secs(60))));
        assert_eq!(
            slow.fails(r#"http::get("http://localhost/", #{ timeout: "2s" })"#).kind.word(),
            "timeout"
        );
    }

    #[test]
    fn a_map_is_sent_as_json_and_a_text_unchanged() {
        let trial = Harness::on(answering(|_| HttpAnswer::status(201, "")));
        trial.text(r#"http::post("http://localhost/", #{ body: #{ value: 9.81 } })"#);
        trial.text(r#"http::put("http://localhost/", #{ body: "a=1", headers: #{ "Content-Type": "text/plain" } })"#);
        let sent = trial.host.requests();
        assert_eq!(sent[0].body, Some(Bytes::from(r#"{"value":9.81}"#)));
        assert_eq!(sent[0].headers, [("content-type".to_owned(), "application/json".to_owned())]);
        assert_eq!(
            (sent[1].method.as_str(), sent[1].body.clone()),
            ("PUT", Some(Bytes::from("a=1")))
        );
        assert_eq!(sent[1].headers, [("content-type".to_owned(), "text/plain".to_owned())]);
    }

    #[test]
    fn another_machine_is_refused_also_behind_a_redirect() {
        let to_outside = |_: &HttpRequest| {
            HttpAnswer::status(302, "").with_header("location", "http://evil.example/")
        };
        let trial = Harness::on(answering(to_outside));
        assert_eq!(trial.fails(r#"http::get("http://evil.example/")"#).kind.word(), "policy");
        assert_eq!(trial.fails(r#"http::get("http://localhost/")"#).kind.word(), "policy");
        assert_eq!(
            trial.text(r#"http::get("http://localhost/", #{ follow: false }).status"#),
            "302"
        );
        assert_eq!(trial.host.requests().len(), 2);
    }

    #[test]
    fn an_engine_is_refused_by_its_name_behind_a_redirect_and_by_what_a_name_resolves_to() {
        let trial = |toml: &str| {
            let answer = |request: &HttpRequest| match request.url.as_str() {
                "http://localhost:1/" => HttpAnswer::status(307, "")
                    .with_header("location", "http://127.1:4000/containers/create"),
                _ => HttpAnswer::status(201, "created"),
            };
            let own = "192.0.2.7".parse().unwrap();
            let given = move |host: SimHost| {
                answering(answer)(host).with_address(own).with_name("me.example", [own])
            };
            Harness::with(given, toml, |run| {
                let engines = EngineAddresses::new([EngineAddress::new("0.0.0.0", 4000)]);
                run.policy = run.policy.clone().with_engines(engines);
            })
        };
        let all = trial("[allow]\nnetwork = [\"*\", \"localhost:4000\", \"me.example:4000\"]\n");
        for url in [
            "http://localhost:4000/",
            "http://x.localhost.:4000",
            "http://127.0.0.3:4000/",
            "http://me.example:4000/",
            "http://192.0.2.7:4000/",
        ] {
            let failure = all.fails(&format!("http::post(\"{url}\", #{{}})"));
            assert_eq!((failure.kind.word(), failure.hint), ("policy", None), "{url}");
            assert!(
                failure
                    .message
                    .ends_with("it leads to the Docker Engine at \"tcp://0.0.0.0:4000\""),
                "{}",
                failure.message
            );
        }
        assert_eq!(all.host.requests().len(), 0);
        assert_eq!(all.fails(r#"http::post("http://localhost:1/", #{})"#).kind.word(), "policy");
        assert_eq!(all.host.requests().len(), 1);
        assert_eq!(all.text(r#"http::post("http://localhost:4001/", #{}).status"#), "201");
    }

    #[test]
    fn an_unknown_engine_is_rejected_by_its_port_or_its_response() {
        let answer = |_: &HttpRequest| {
            HttpAnswer::status(200, "[]")
                .with_header("api-version", "1.41")
                .with_header("server", "Docker/20.10.24 (linux)")
        };
        let trial = Harness::on(answering(answer));
        for port in [2375, 2376] {
            let failure = trial.fails(&format!("http::get(\"http://localhost:{port}/\")"));
            assert_eq!(
                failure.message,
                format!(
                    "A script may not send a request to \"http://localhost:{port}/\": it is the port of a Docker Engine"
                )
            );
            assert_eq!(
                failure.hint.unwrap(),
                format!(
                    "to allow it, write network = [\"localhost:{port}\"] under [allow] in spc.toml"
                )
            );
        }
        assert!(trial.host.requests().is_empty());
        let failure = trial.fails(r#"http::get("http://localhost/containers/json")"#);
        assert_eq!(failure.kind.word(), "policy");
        assert_eq!(
            failure.message,
            "A script may not send a request to \"http://localhost/containers/json\": a Docker Engine answers there"
        );
        assert_eq!(
            failure.hint.unwrap(),
            "to allow it, write network = [\"localhost:80\"] under [allow] in spc.toml"
        );
        let allowed = Harness::with(
            answering(answer),
            "[allow]\nnetwork = [\"localhost:2375\", \"localhost:80\"]\n",
            |_| {},
        );
        assert_eq!(
            allowed.text(
                r#"http::get("http://localhost:2375/").body + http::get("http://localhost/").body"#
            ),
            "[][]"
        );
    }

    #[test]
    fn a_redirect_to_another_server_loses_credentials_and_a_post_its_body() {
        let answer = |request: &HttpRequest| match request.url.as_str() {
            "http://localhost:1/" => {
                HttpAnswer::status(302, "").with_header("location", "http://localhost:2/done")
            }
            _ => HttpAnswer::status(200, "done"),
        };
        let trial = Harness::on(answering(answer));
        let script = r#"http::post("http://localhost:1/", #{ body: "x", headers: #{ Authorization: "Bearer t", "X-Id": "7" } }).url"#;
        assert_eq!(trial.text(script), "http://localhost:2/done");
        let second = &trial.host.requests()[1];
        assert_eq!((second.method.as_str(), &second.body), ("GET", &None));
        assert_eq!(second.headers, [("x-id".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn a_circle_of_redirects_ends() {
        let trial = Harness::on(answering(|_| {
            HttpAnswer::status(307, "").with_header("location", "/again")
        }));
        assert_eq!(
            trial.fails(r#"http::get("http://localhost/")"#).message,
            "\"http://localhost/again\" redirects more than 10 times"
        );
    }

    #[test]
    fn a_secret_in_an_address_reaches_the_server_and_no_message() {
        let trial = Harness::on(|host| host.with_file("/project/secrets/hook", "T0/B0/abcdef"));
        let failure = trial.fails(r#"http::get("http://localhost:9/" + expose(secret("hook")))"#);
        assert_eq!(
            failure.message,
            "Could not reach \"http://localhost:9/[secret hook]\": connection refused: nobody listens there"
        );
        assert_eq!(trial.host.requests()[0].url, "http://localhost:9/T0/B0/abcdef");
    }

    #[test]
    fn a_secret_names_no_server_and_none_is_in_a_hint() {
        let trial = Harness::on(|host| host.with_file("/project/secrets/key", "Evil.example/x@"));
        for url in
            ["\"http://\" + KEY", "\"http://localhost:\" + KEY", "\"http://u@a.\" + KEY + \"/\""]
        {
            let failure = trial
                .fails(&format!("http::get({})", url.replace("KEY", "expose(secret(\"key\"))")));
            assert_eq!(
                failure.message,
                "The secret \"key\" can't be used in the name of a server: others can see it",
                "{url}"
            );
        }
        let failure =
            trial.fails("http::get(\"http://u:p@\" + expose(secret(\"key\")) + \"@localhost/\")");
        assert_eq!((failure.kind.word(), failure.hint), ("policy", None));
        assert!(!failure.message.to_lowercase().contains("evil"), "{}", failure.message);
    }

    #[test]
    fn a_secret_is_sent_only_when_exposed() {
        let trial = Harness::on(answering(|_| HttpAnswer::status(200, "")));
        trial.text(r#"http::get("http://localhost/", #{ headers: #{ authorization: "Bearer " + expose(random_secret("key", 20)) } })"#);
        assert_eq!(trial.host.requests()[0].headers[0].1.len(), "Bearer ".len() + 20);
        let failure = trial.fails(r#"http::get("http://localhost/", #{ headers: #{ authorization: random_secret("key", 20) } })"#);
        assert_eq!(failure.message, "The secret \"key\" can't be used in a request's headers");
        assert_eq!(
            trial.fails(r#"http::get("http://localhost/", #{ timout: "1s" })"#).hint.unwrap(),
            "did you mean \"timeout\"?"
        );
    }
}
