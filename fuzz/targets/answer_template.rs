//! Any text is a template that renders within its bounds or a fault, and reads no file.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use muster::render::answer::{Library, render_answer, sample::samples};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("muster-fuzz-{}", std::process::id()));
    fs::create_dir_all(folder.join("t")).expect("a folder for the template");
    folder
});

fuzz_target!(|text: &str| {
    fs::write(FOLDER.join("t/x.txt"), text).expect("write the template");
    let library = Library::open(&FOLDER).expect("a readable folder");
    if let Some(sample) = samples().first()
        && let Ok(answer) = render_answer(&library, "t/x.txt", &sample.input)
    {
        assert!(answer.text.len() <= (1 << 20) + 1);
        assert!(text.contains("root:x:0:0") || !answer.text.contains("root:x:0:0"));
    }
});
