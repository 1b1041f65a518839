//! The engine of expressions: no files, no network, no functions, a bounded number of steps.

use std::{borrow::Cow, net::IpAddr, sync::LazyLock};

use ipnet::IpNet;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value, filters, tests, value::Kwargs};

/// Steps of one expression.
const FUEL: u64 = 20_000;

/// Longest text that `like` looks at, bytes.
const LONGEST_LIKE: usize = 4096;

/// Levels of calls within calls.
const DEPTH: usize = 32;

/// The filters there are.
pub(super) const FILTERS: &[&str] = &[
    "first",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "select",
    "selectattr",
    "sort",
    "split",
    "sum",
    "trim",
    "unique",
    "upper",
];

/// The tests there are, after `is` and in `selectattr`.
pub(super) const TESTS: &[&str] = &[
    "endingwith",
    "eq",
    "equalto",
    "ge",
    "gt",
    "in",
    "in_network",
    "le",
    "like",
    "lt",
    "ne",
    "startingwith",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
];

/// The one engine.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH);
    engine.add_filter("first", filters::first);
    engine.add_filter("int", filters::int);
    engine.add_filter("join", filters::join);
    engine.add_filter("last", filters::last);
    engine.add_filter("length", filters::length);
    engine.add_filter("list", filters::list);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("map", filters::map);
    // Of an empty list they are zero: a machine without disks has no disk that is large enough.
    engine.add_filter("max", |state: &State<'_, '_>, value: Value, arguments: Kwargs| {
        filters::max(state, value, arguments).map(zero_when_undefined)
    });
    engine.add_filter("min", |state: &State<'_, '_>, value: Value, arguments: Kwargs| {
        filters::min(state, value, arguments).map(zero_when_undefined)
    });
    engine.add_filter("reject", filters::reject);
    engine.add_filter("rejectattr", filters::rejectattr);
    engine.add_filter("replace", filters::replace);
    engine.add_filter("select", filters::select);
    engine.add_filter("selectattr", filters::selectattr);
    engine.add_filter("sort", filters::sort);
    engine.add_filter("split", filters::split);
    engine.add_filter("sum", filters::sum);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("unique", filters::unique);
    engine.add_filter("upper", filters::upper);
    for name in ["eq", "equalto", "=="] {
        engine.add_test(name, tests::is_eq);
    }
    for name in ["ne", "!="] {
        engine.add_test(name, tests::is_ne);
    }
    for name in ["lt", "<"] {
        engine.add_test(name, tests::is_lt);
    }
    for name in ["le", "<="] {
        engine.add_test(name, tests::is_le);
    }
    for name in ["gt", ">"] {
        engine.add_test(name, tests::is_gt);
    }
    for name in ["ge", ">="] {
        engine.add_test(name, tests::is_ge);
    }
    engine.add_test("in", tests::is_in);
    engine.add_test("startingwith", tests::is_startingwith);
    engine.add_test("endingwith", tests::is_endingwith);
    engine.add_test("like", like);
    engine.add_test("in_network", in_network);
    engine
});

fn zero_when_undefined(value: Value) -> Value {
    if value.is_undefined() { Value::from(0) } else { value }
}

/// `product is like("PowerEdge R6*")`: `*` stands for any letters, `?` for one; great and small letters are the same,
/// because makers write their own names in several ways.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands over texts this way")]
fn like(value: Cow<'_, str>, wanted: Cow<'_, str>) -> Result<bool, Error> {
    if value.len() > LONGEST_LIKE {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a text of more than {LONGEST_LIKE} bytes is like nothing"),
        ));
    }
    let text: Vec<char> = value.to_lowercase().chars().collect();
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    let (mut at, mut place) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one letter more.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match wanted.get(place) {
            Some('*') => {
                star = Some((place, at));
                place += 1;
            }
            Some(letter) if *letter == '?' || Some(letter) == text.get(at) => {
                place += 1;
                at += 1;
            }
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    place = back + 1;
                    at = from + 1;
                }
                None => return Ok(false),
            },
        }
    }
    let rest = wanted.get(place..).unwrap_or_default();
    Ok(rest.iter().all(|letter| *letter == '*'))
}

/// `address is in_network("10.1.0.0/16")`; what is no address is in none.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands over texts this way")]
fn in_network(value: Cow<'_, str>, network: Cow<'_, str>) -> Result<bool, Error> {
    let network: IpNet = network.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("`{network}` is no network; write one such as 10.1.0.0/16"),
        )
    })?;
    let address = value.split('/').next().unwrap_or_default().parse::<IpAddr>();
    Ok(address.is_ok_and(|address| network.contains(&address)))
}

/// What is wrong, without the engine's own word for the kind of error where it has one for this case.
pub(super) fn why(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}
