//! The menu at a machine's console.

use muster_facts::MacAddr;

use super::{Discovery, script::ScriptPlaces};
use crate::{
    boot::{Action, Decision, MenuChoice, MenuOffers, menu},
    render::{BootScript, MenuItem},
};

/// The memory test for BIOS and for UEFI, as files of the loader folder.
const MEMORY_TEST: [&str; 2] = ["memtest-x64.bin", "memtest-x64.efi"];

/// What there is to choose from now.
pub(super) fn offers(discovery: &Discovery) -> MenuOffers {
    let files = discovery.files();
    MenuOffers {
        image: files.has_image(),
        memory_test: MEMORY_TEST.iter().all(|name| files.has_loader(name)),
    }
}

/// The script that shows the menu; none where no menu is wanted, or nothing can be chosen.
pub(super) fn menu_script(
    discovery: &Discovery,
    mac: MacAddr,
    decision: &Decision,
    places: &ScriptPlaces,
) -> Option<String> {
    let wait = discovery.policy().menu?;
    if matches!(decision.action, Action::Refuse | Action::Hold) {
        return None;
    }
    let items: Vec<MenuItem> = menu(decision, offers(discovery))
        .into_iter()
        .map(|choice| MenuItem {
            key: choice.key(),
            choice: choice.as_str(),
            text: match choice {
                MenuChoice::Default => format!("Go on: {}", sentence(&decision.action)),
                MenuChoice::Local => sentence(&Action::LocalBoot).to_owned(),
                MenuChoice::Collect => sentence(&Action::Collect).to_owned(),
                MenuChoice::MemoryTest => sentence(&Action::MemoryTest).to_owned(),
            },
        })
        .collect();
    Some(places.render(&BootScript::Menu {
        title: &format!("what is this machine ({mac}) to start?"),
        items: &items,
        seconds: u64::try_from(wait.num_seconds()).unwrap_or(1).clamp(1, 3600),
        again: &places.again,
    }))
}

/// What an action does, for the person at the console; loaders show ASCII only.
const fn sentence(action: &Action) -> &'static str {
    match action {
        Action::LocalBoot => "start the system on the local disk",
        Action::Collect => "collect facts about this machine (the collection image)",
        Action::Install => "install this machine as it is planned; its disks are erased",
        Action::MemoryTest => "test the memory (memtest86+)",
        _ => "what was decided for this machine",
    }
}

/// The script that starts the memory test.
pub(super) fn memory_test(places: &ScriptPlaces) -> String {
    let at = |name: &str| format!("{}/boot/loader/{name}", places.base);
    let [bios, uefi] = MEMORY_TEST.map(at);
    places.render(&BootScript::MemoryTest {
        bios: &bios,
        uefi: &uefi,
        again: &places.again,
    })
}
