//! The template environment: strict, autoescaped, and with the few functions that pages need.

use chrono::{DateTime, Utc};
use minijinja::{
    Environment, Error, ErrorKind, State, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Kwargs, Value},
};
use rust_embed::RustEmbed;

use super::{
    format,
    words::{Locale, say},
};
use crate::http::assets::asset_address;

#[derive(RustEmbed)]
#[folder = "templates/web/pages/"]
struct Sources;

/// The pages' templates, read out of the binary.
pub(in crate::http) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(in crate::http) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_loader(|name| match Sources::get(name) {
            Some(file) => String::from_utf8(file.data.into_owned())
                .map(Some)
                .map_err(|_| Error::new(ErrorKind::InvalidOperation, "template is not UTF-8")),
            None => Ok(None),
        });
        environment.add_function("t", text);
        environment.add_function("ago", ago);
        environment.add_function("exact", exact);
        environment.add_function("clock", clock);
        environment.add_function("asset", asset);
        environment.add_filter("memory", format::memory);
        environment.add_filter("disk", format::disk);
        environment.add_filter("count", format::count);
        environment.add_filter("link_speed", format::link_speed);
        Self { environment }
    }

    /// Renders a page.
    ///
    /// # Errors
    /// When a shipped template is wrong: told in the log, shown as a fault of the server.
    pub(in crate::http) fn render(&self, name: &str, context: Value) -> Result<String, Error> {
        self.environment.get_template(name)?.render(context)
    }
}

fn view_text(state: &State<'_, '_>, field: &str) -> Option<String> {
    let view = state.lookup("view")?;
    view.get_attr(field).ok()?.as_str().map(str::to_owned)
}

fn locale(state: &State<'_, '_>) -> Locale {
    view_text(state, "lang")
        .and_then(|code| Locale::by_code(&code))
        .unwrap_or(Locale::En)
}

/// `t('key', name=value)`: a text of the catalogue. A key that is not there shows itself; a test finds it.
#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments over by value")]
fn text(state: &State<'_, '_>, key: &str, values: Kwargs) -> Result<String, Error> {
    let locale = locale(state);
    let value = |name: &str| -> Option<String> {
        let value: Option<Value> = values.get(name).ok();
        value
            .filter(|value| !value.is_none() && !value.is_undefined())
            .map(|value| u64::try_from(value.clone()).map_or_else(|_| value.to_string(), format::count))
    };
    match say(locale, key, &value) {
        Some(text) => Ok(text),
        None => {
            tracing::warn!(key, "the catalogue has no such text");
            Ok(key.to_owned())
        }
    }
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// `ago(time)`: how long ago, kept fresh by the browser, with the exact time as its title.
fn ago(state: &State<'_, '_>, time: &str) -> Value {
    let (Some(then), Some(now)) = (parse(time), view_text(state, "now").as_deref().and_then(parse)) else {
        return Value::from("–");
    };
    time_element(then, "", &format::relative(then, now, locale(state)))
}

/// `exact(time)`: date and time.
fn exact(time: &str) -> Value {
    parse(time).map_or_else(
        || Value::from("–"),
        |then| time_element(then, " data-exact", &then.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
    )
}

/// `clock(time)`: time of day.
fn clock(time: &str) -> Value {
    parse(time).map_or_else(
        || Value::from("–"),
        |then| time_element(then, " data-clock", &then.format("%H:%M:%S").to_string()),
    )
}

/// All parts are made here from a time and the catalogue, so nothing in them needs escaping but `shown`.
fn time_element(then: DateTime<Utc>, mark: &str, shown: &str) -> Value {
    let shown = shown.replace('&', "&amp;").replace('<', "&lt;");
    Value::from_safe_string(format!(
        "<time datetime=\"{}\" title=\"{}\"{mark}>{shown}</time>",
        then.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        then.format("%Y-%m-%d %H:%M:%S UTC"),
    ))
}

fn asset(name: &str) -> Result<String, Error> {
    asset_address(name).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("there is no asset `{name}`")))
}
