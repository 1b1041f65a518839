use chrono::TimeDelta;

use super::*;
use crate::search::{AmountField, LabelField, PartField, TextField, TimeField};

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn whole(field: TextField, value: &str) -> Expression {
    Expression::Term(Term::Text(field, Pattern::Whole(vec![text(value)])))
}

fn word(value: &str) -> Expression {
    Expression::Term(Term::Anywhere(vec![text(value)]))
}

fn state(state: State) -> Expression {
    Expression::Term(Term::State(vec![state]))
}

fn not(inner: Expression) -> Expression {
    Expression::Not(Box::new(inner))
}

#[test]
fn the_example_of_the_issue() {
    let found = parse("vendor:dell mem>=256 role:web state:active").unwrap();
    let wanted = Expression::All(vec![
        Expression::Term(Term::Text(TextField::Vendor, Pattern::Contains("dell".into()))),
        Expression::Term(Term::Amount(AmountField::Memory, Relation::AtLeast, 256 << 30)),
        Expression::Term(Term::Label(LabelField::Role, Pattern::Whole(vec![text("web")]))),
        state(State::Active),
    ]);
    assert_eq!(found, wanted);
}

#[test]
fn words_bind_as_in_speech() {
    let (a, b, c) = (|| word("a"), || word("b"), || word("c"));
    for (written, meant) in [
        ("a", a()),
        ("A b", Expression::All(vec![a(), b()])),
        ("a and b", Expression::All(vec![a(), b()])),
        ("a b or c", Expression::Any(vec![Expression::All(vec![a(), b()]), c()])),
        (
            "a (b or c)",
            Expression::All(vec![a(), Expression::Any(vec![b(), c()])]),
        ),
        ("not a b", Expression::All(vec![not(a()), b()])),
        ("-a", not(a())),
        ("-(a OR b)", not(Expression::Any(vec![a(), b()]))),
        ("not not a", not(not(a()))),
        ("((a))", a()),
        ("\"or\"", word("or")),
        ("\"a \\\"b\"", word("a \"b")),
        ("intel(r)", word("intel(r)")),
        ("(intel(r))", word("intel(r)")),
        ("web-1", word("web-1")),
    ] {
        assert_eq!(parse(written), Ok(meant), "{written}");
    }
    for nothing in ["", "  \t "] {
        assert!(parse(nothing).unwrap().is_empty());
    }
}

#[test]
fn signs_and_values() {
    let star = || Pattern::Whole(vec![text("web"), Piece::Any]);
    for (written, meant) in [
        ("vendor=\"Dell Inc.\"", whole(TextField::Vendor, "dell inc.")),
        (
            "Vendor:\"dell inc\"",
            Expression::Term(Term::Text(TextField::Vendor, Pattern::Contains("dell inc".into()))),
        ),
        ("name:web*", Expression::Term(Term::Text(TextField::Name, star()))),
        ("name:\"web*\"", whole(TextField::Name, "web*")),
        ("name!=web1", not(whole(TextField::Name, "web1"))),
        ("name=", Expression::Term(Term::Text(TextField::Name, Pattern::Absent))),
        (
            "name!=\"\"",
            not(Expression::Term(Term::Text(TextField::Name, Pattern::Absent))),
        ),
        (
            "memory >= 64",
            Expression::Term(Term::Amount(AmountField::Memory, Relation::AtLeast, 64 << 30)),
        ),
        (
            "disk<1.92T",
            Expression::Term(Term::Amount(AmountField::Disk, Relation::Below, 1_920_000_000_000)),
        ),
        (
            "cores!=8",
            not(Expression::Term(Term::Amount(AmountField::Cores, Relation::Is, 8))),
        ),
        (
            "seen<10m",
            Expression::Term(Term::Time(TimeField::Seen, When::Within(TimeDelta::minutes(10)))),
        ),
        (
            "seen>1d",
            Expression::Term(Term::Time(TimeField::Seen, When::LongerAgo(TimeDelta::days(1)))),
        ),
        ("state:act*", state(State::Active)),
        (
            "var.tier:gold",
            Expression::Term(Term::Label(
                LabelField::Var("tier".into()),
                Pattern::Whole(vec![text("gold")]),
            )),
        ),
        (
            "vars.my-own=1",
            Expression::Term(Term::Label(
                LabelField::Var("my-own".into()),
                Pattern::Whole(vec![text("1")]),
            )),
        ),
        (
            "tags:rack7",
            Expression::Term(Term::Label(LabelField::Tag, Pattern::Whole(vec![text("rack7")]))),
        ),
        ("os-version:12", whole(TextField::OsVersion, "12")),
        (
            "gpu:a100",
            Expression::Term(Term::Part(PartField::Gpu, Pattern::Contains("a100".into()))),
        ),
        ("has:GPU", Expression::Term(Term::Has(Feature::Gpu))),
        (
            "mac:525400770001",
            Expression::Term(Term::Mac(Pattern::Whole(vec![text("52:54:00:77:00:01")]))),
        ),
        (
            "ip:10.0.0.0/8",
            Expression::Term(Term::Address(AddressTest::Between(
                "10.0.0.0".parse().unwrap(),
                "10.255.255.255".parse().unwrap(),
            ))),
        ),
    ] {
        assert_eq!(parse(written), Ok(meant), "{written}");
    }
}

#[test]
fn dates_are_whole_days() {
    let day = |text: &str| format!("{text}T00:00:00Z").parse().unwrap();
    for (written, meant) in [
        ("created>2026-11-01", When::From(day("2026-11-02"))),
        ("created>=2026-11-01", When::From(day("2026-11-01"))),
        ("created<2026-11-01", When::Before(day("2026-11-01"))),
        ("created<=2026-11-01", When::Before(day("2026-11-02"))),
        (
            "created:2026-11-01",
            When::Between(day("2026-11-01"), day("2026-11-02")),
        ),
    ] {
        assert_eq!(
            parse(written),
            Ok(Expression::Term(Term::Time(TimeField::Created, meant))),
            "{written}"
        );
    }
}

#[test]
fn addresses_without_a_field_are_texts() {
    for (written, found) in [
        ("52:54:00:77:00:01", "52:54:00:77:00:01"),
        ("52-54-00-77-00-01", "52:54:00:77:00:01"),
        ("00:77:01", "00:77:01"),
        ("ab:cd", "ab:cd"),
        ("fe80::1", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(parse(written), Ok(word(found)), "{written}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (written, marked, told) in [
        (
            "vendor:dell memm>=256",
            "memm",
            "no field is called `memm`; did you mean `mem`?",
        ),
        ("colour:red", "colour", "`muster host find --fields` shows all"),
        (
            "state:activ",
            "activ",
            "state cannot be `activ`; did you mean `active`?",
        ),
        (
            "state:xyz",
            "xyz",
            "state cannot be `xyz`; write discovered, inventoried",
        ),
        ("a mem>=lots", "lots", "mem cannot be `lots`; write a size such as"),
        ("cores>1.5", "1.5", "cores cannot be `1.5`; write a whole number"),
        ("seen:10m", "10m", "compare an age by <"),
        ("seen<soon", "soon", "write a date such as"),
        ("ip:10.0.0.0/40", "10.0.0.0/40", "write an address such as"),
        ("mac:zz", "zz", "six hex pairs"),
        ("id:7", "7", "write the id"),
        ("has:gpus", "gpus", "did you mean `gpu`?"),
        ("vendor>5", ">", "vendor has no order to compare by `>`"),
        ("a name: b", "name:", "nothing is said that name should be"),
        ("mem=", "mem=", "nothing is said that mem should be"),
        ("state=", "state=", "nothing is said"),
        ("var.:x", "var.", "no field is called `var.`"),
        (">5", ">", "no field stands before `>`"),
        ("\"open", "\"", "the quotation mark is not closed"),
        ("(a or b", "(", "the parenthesis is not closed"),
        ("a)", ")", "this parenthesis closes none"),
        ("a () b", "()", "there is nothing between the parentheses"),
        ("a or", "or", "nothing follows `or`"),
        ("(a or) b", "or", "nothing follows `or`"),
        ("or a", "or", "nothing stands before `or`"),
        ("a or or b", "or", "nothing stands before `or`"),
        ("and", "and", "nothing stands before `and`"),
        ("a not", "not", "nothing follows `not`"),
        ("not or a", "not", "nothing follows `not`"),
    ] {
        let fault = parse(written).unwrap_err();
        assert_eq!(&written[fault.place.clone()], marked, "{written}");
        assert!(fault.to_string().contains(told), "{written}: {fault}");
        assert!(Why::CODES.contains(&fault.why.code()));
    }
}

#[test]
fn a_report_points_at_the_place() {
    let written = "größe:1\tmemm>5";
    let fault = parse("web memm>5").unwrap_err();
    assert_eq!(
        fault.report("web memm>5"),
        "web memm>5\n    ^^^^\nno field is called `memm`; did you mean `mem`?"
    );
    // By letters, not by bytes; what would move the line is a blank.
    let fault = parse(written).unwrap_err();
    let (before, at, after) = fault.parts(written);
    assert_eq!(format!("{before}{at}{after}"), written);
    assert!(!fault.report(written).contains('\t'));
}

#[test]
fn a_search_is_bounded() {
    let why = |text: &str| parse(text).map_err(|fault| fault.why);
    assert_eq!(why(&"a".repeat(MAX_LENGTH + 1)), Err(Why::TooLong));
    assert_eq!(why(&"a ".repeat(MAX_TERMS + 1)), Err(Why::TooMany));
    assert!(why(&"a ".repeat(MAX_TERMS)).is_ok());
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(why(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(why(&nested(MAX_DEPTH + 1)), Err(Why::TooDeep));
    assert_eq!(why(&format!("{}a", "-".repeat(MAX_DEPTH + 1))), Err(Why::TooDeep));
}

proptest::proptest! {
    #[test]
    fn whatever_is_written_is_read_or_told(written in "[a-z0-9:=<>!()\"* \\-.é]{0,60}") {
        match parse(&written) {
            Ok(_) => {}
            Err(fault) => {
                let (before, at, after) = fault.parts(&written);
                proptest::prop_assert_eq!(format!("{before}{at}{after}"), written.clone());
                proptest::prop_assert_eq!(fault.report(&written).lines().count(), 3);
            }
        }
    }
}
