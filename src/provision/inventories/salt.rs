//! Salt: what its master is told of a minion.

use serde_json::{Map, Value};

use super::{ansible::facts, listed::Listed};

/// Template variables by their own names, and all else below `muster`: pillar of `cmd_json` and `http_json`.
pub(super) fn pillar(host: &Listed) -> Value {
    let mut pillar: Map<String, Value> = host.vars.clone();
    pillar.insert("muster".to_owned(), facts(host));
    pillar.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::inventories::listed::samples::listed;

    #[test]
    fn a_pillar_has_variables_and_what_is_known() {
        let made = pillar(&listed("web1", "10.0.0.1"));
        assert_eq!(
            (&made["tier"], &made["muster"]["site"]),
            (&"gold".into(), &"bj1".into())
        );
    }
}
