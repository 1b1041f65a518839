//! What a person at a machine's console chooses there, by its keyboard.

use std::time::Duration;

use muster_lab::{
    Firmware, Machine, MachineSpec,
    hardware::{Hardware, NicModel},
    ledger::Ledger,
    site::Site,
    stop,
    system::{DiskSystem, STARTED},
};

use crate::trial;

/// How long the menu may take to come, and what was chosen to start.
const LIMIT: Duration = Duration::from_secs(180);
/// A menu that waits for longer than any test does.
const MENU: &str = "menu = \"10m\"\n";

/// A machine with a system on its disk that waits at its menu, which offers `text`.
fn at_the_menu(site: &Site, firmware: Firmware, text: &str) -> Machine {
    let mut spec = MachineSpec::new("m1", firmware, site.next_hardware(NicModel::Virtio));
    spec.system = Some(DiskSystem {
        loader: "EFI/debian/grubx64.efi".to_owned(),
        ipxe: trial::programs().loaders.join("ipxe.efi"),
    });
    let machine = site.power_on_as(spec).unwrap();
    if let Err(error) = machine.console().wait_for(text, LIMIT) {
        panic!("{error}\n{}", machine.console().last(60));
    }
    machine
}

/// The actions of the scripts that the machine was given, with their rules, once there are `count`.
fn scripts(ledger: &Ledger<'_>, hardware: &Hardware, count: usize) -> Vec<(String, String)> {
    let seen = || {
        let story = ledger.story(&hardware.nics[0].mac)?;
        let scripts = story.iter().filter(|event| event.kind == "boot_script");
        Ok(scripts
            .map(|event| (event.param("action").to_owned(), event.rule.clone().unwrap_or_default()))
            .collect::<Vec<_>>())
    };
    stop::wait_for(
        "the scripts of what was chosen",
        LIMIT,
        || Ok(Some(seen()?).filter(|scripts| scripts.len() >= count)),
        || format!("{:?}", seen()),
    )
    .unwrap()
}

fn pair(action: &str, rule: &str) -> (String, String) {
    (action.to_owned(), rule.to_owned())
}

/// The machine would be collected; the person sends it to its disk.
#[test]
fn the_disk_is_chosen_in_the_menu_of_ipxe() {
    let site = trial::site("console_local");
    let _server = trial::serve_with(&site, MENU, "");
    let ledger = trial::sign_in(&site);
    let machine = at_the_menu(&site, Firmware::Bios, "start the system on the local disk");
    machine.press("l").unwrap();
    if let Err(error) = machine.console().wait_for(STARTED, LIMIT) {
        panic!("{error}\n{}", machine.console().last(60));
    }
    let hardware = &machine.spec().hardware;
    assert_eq!(
        scripts(&ledger, hardware, 2),
        [pair("menu", "unknown_collect"), pair("local", "chosen_local")]
    );
    trial::assert_verdict(&ledger, hardware, "local_boot");
}

/// The machine would start from its disk; the person has it collected, and tests its memory before.
#[test]
fn memory_test_and_collection_are_chosen_in_the_menu_of_ipxe() {
    let site = trial::site("console_collect");
    let _server = trial::serve_with(&site, &format!("unknown = \"local\"\n{MENU}"), "");
    let ledger = trial::sign_in(&site);
    let machine = at_the_menu(&site, Firmware::Bios, "collect facts about this machine");
    machine.press("m").unwrap();
    let hardware = &machine.spec().hardware;
    assert_eq!(scripts(&ledger, hardware, 2)[1], pair("memtest", "chosen_memory_test"));
    let story = || ledger.story(&hardware.nics[0].mac).map(|story| trial::lines(&story));
    stop::wait_for(
        "the memory test to be fetched",
        LIMIT,
        || Ok(story()?.contains(&"http_file memtest-x64.bin".to_owned()).then_some(())),
        || machine.console().last(40),
    )
    .unwrap();
    // A memory test ends by the reset button. The key may come before the menu is drawn: the keyboard keeps it.
    machine.reset().unwrap();
    scripts(&ledger, hardware, 3);
    machine.press("f").unwrap();
    trial::assert_reports(&ledger, &machine);
    let last = scripts(&ledger, hardware, 4);
    assert_eq!(
        last[2..],
        [pair("menu", "unknown_local"), pair("collect", "chosen_collect")]
    );
}

/// The same by GRUB, which a machine with Secure Boot has.
#[test]
fn collection_is_chosen_in_the_menu_of_grub() {
    let site = trial::site("console_grub");
    let _server = trial::serve_with(
        &site,
        &format!("unknown = \"local\"\n{MENU}"),
        "[boot.loaders]\nx64-uefi = \"grubx64.efi\"\n",
    );
    let ledger = trial::sign_in(&site);
    let machine = at_the_menu(&site, Firmware::Uefi, "collect facts about this machine");
    machine.press("f").unwrap();
    trial::assert_reports(&ledger, &machine);
    assert_eq!(
        scripts(&ledger, &machine.spec().hardware, 2),
        [pair("menu", "unknown_local"), pair("collect", "chosen_collect")]
    );
}
