//! How findings are printed.

use serde_json::json;

use crate::check::{Finding, Weight};

/// A line a finding, with why and what to do below it when it is not well.
pub(super) fn as_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.weight {
            Weight::Ok => "ok  ",
            Weight::Warn => "warn",
            Weight::Fail => "FAIL",
        };
        text.push_str(&format!("{mark}  {:<13} {}\n", finding.about, finding.what));
        for (label, words) in [("why:", &finding.why), ("do: ", &finding.advice)] {
            if !words.is_empty() {
                text.push_str(&format!("{:20}{label} {words}\n", ""));
            }
        }
    }
    let count = |weight| findings.iter().filter(|finding| finding.weight == weight).count();
    text.push_str(&match (count(Weight::Fail), count(Weight::Warn)) {
        (0, 0) => "\nNothing stands in the way of a boot.\n".to_owned(),
        (0, warnings) => format!("\nNothing stops a boot; {warnings} to look at.\n"),
        (failures, 0) => format!("\n{failures} would stop a boot.\n"),
        (failures, warnings) => format!("\n{failures} would stop a boot; {warnings} more to look at.\n"),
    });
    text
}

/// `{ "ok": …, "findings": […] }`
pub(super) fn as_json(findings: &[Finding]) -> String {
    format!("{:#}\n", json!({ "ok": !fails(findings), "findings": findings }))
}

/// True when something would stop a boot.
pub(super) fn fails(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.weight == Weight::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_what_why_and_what_to_do() {
        let finding = |weight, why: &str, advice: &str| Finding {
            weight,
            about: "ports",
            what: "0.0.0.0:69/udp (tftp.port)".to_owned(),
            why: why.to_owned(),
            advice: advice.to_owned(),
        };
        let findings = [
            finding(Weight::Ok, "", ""),
            finding(Weight::Fail, "it is taken", "stop it"),
        ];
        insta::assert_snapshot!(as_text(&findings));
        assert!(fails(&findings));
    }
}
