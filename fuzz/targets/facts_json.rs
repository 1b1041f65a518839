//! Any body posted as facts is refused or read, and what was read is written and read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_facts::Facts;

fuzz_target!(|body: &[u8]| {
    if let Ok(facts) = serde_json::from_slice::<Facts>(body) {
        let text = serde_json::to_vec(&facts).expect("facts can be written");
        let again: Facts = serde_json::from_slice(&text).expect("what is written can be read");
        assert_eq!(again, facts);
    }
});
