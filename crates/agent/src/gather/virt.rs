//! Whether the machine is virtual, and whose.

use super::smbios::Smbios;
use super::tree::Tree;
use crate::sys;

/// `kvm`, `vmware`, `hyperv`, …; `container` inside one; `None` on bare metal. The order is that of
/// trust: a container first, then what the hypervisor says of itself by CPUID (running machine
/// only), then what its firmware says, then the mere fact that the CPU reports a hypervisor.
pub(super) fn gather(tree: &Tree, smbios: &Smbios, hypervisor: bool) -> Option<String> {
    if is_container(tree) {
        return Some("container".to_owned());
    }
    // The first domain of Xen runs on the machine itself.
    if let Some(kind) = tree.value("virtualization", "sys/hypervisor/type") {
        let is_first = tree
            .text("virtualization", "proc/xen/capabilities")
            .is_some_and(|text| text.contains("control_d"));
        return (!is_first).then_some(kind);
    }
    let by_cpu = if tree.is_live() && hypervisor {
        sys::hypervisor_signature().and_then(by_signature)
    } else {
        None
    };
    by_cpu
        .or_else(|| by_firmware(smbios))
        .or_else(|| by_device_tree(tree))
        .or(if hypervisor { Some("other") } else { None })
        .map(str::to_owned)
}

/// Container managers leave a file. A disk image made from a container's file system keeps it, so
/// that a process in the kernel's first PID namespace (`PROC_PID_INIT_INO`) is in none.
fn is_container(tree: &Tree) -> bool {
    const FIRST_NAMESPACE: &str = "pid:[4026531836]";
    let is_marked = ["run/systemd/container", "run/.containerenv", ".dockerenv"]
        .iter()
        .any(|path| tree.exists(path));
    is_marked && tree.link_name("proc/self/ns/pid").as_deref() != Some(FIRST_NAMESPACE)
}

/// Leaf `4000_0000h` of CPUID, registers EBX, ECX, EDX.
fn by_signature(signature: [u8; 12]) -> Option<&'static str> {
    Some(match &signature {
        b"KVMKVMKVM\0\0\0" | b"Linux KVM Hv" => "kvm",
        b"TCGTCGTCGTCG" => "qemu",
        b"VMwareVMware" => "vmware",
        b"Microsoft Hv" => "hyperv",
        b"XenVMMXenVMM" => "xen",
        b"VBoxVBoxVBox" => "virtualbox",
        b"bhyve bhyve " => "bhyve",
        b"QNXQVMBSQG\0\0" => "qnx",
        b"ACRNACRNACRN" => "acrn",
        b" prl hyperv " | b" lrpepyh  vr" => "parallels",
        _ => return None,
    })
}

fn by_firmware(smbios: &Smbios) -> Option<&'static str> {
    let system = smbios.system.clone().unwrap_or_default();
    let (vendor, product) = (system.vendor.unwrap_or_default(), system.product.unwrap_or_default());
    // Microsoft also makes real machines.
    if vendor == "Microsoft Corporation" {
        return (product == "Virtual Machine").then_some("hyperv");
    }
    // Amazon's bare-metal machines carry its name too.
    if vendor == "Amazon EC2" {
        return (!product.ends_with(".metal") && !product.contains(".metal-")).then_some("kvm");
    }
    const NAMES: [(&str, &str); 15] = [
        ("KVM", "kvm"),
        ("OpenStack", "kvm"),
        ("KubeVirt", "kvm"),
        ("RHEV", "kvm"),
        ("oVirt", "kvm"),
        ("Google Compute Engine", "kvm"),
        ("VMware", "vmware"),
        ("VMW", "vmware"),
        ("innotek GmbH", "virtualbox"),
        ("VirtualBox", "virtualbox"),
        ("QEMU", "qemu"),
        ("Bochs", "qemu"),
        ("Xen", "xen"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
    ];
    let bios = smbios
        .bios
        .as_ref()
        .and_then(|bios| bios.vendor.clone())
        .unwrap_or_default();
    let board = smbios
        .board
        .as_ref()
        .and_then(|board| board.vendor.clone())
        .unwrap_or_default();
    [product, vendor, board, bios].iter().find_map(|text| {
        NAMES
            .iter()
            .find(|(start, _)| text.starts_with(start))
            .map(|(_, kind)| *kind)
    })
}

/// Machines without SMBIOS name their hypervisor in the device tree.
fn by_device_tree(tree: &Tree) -> Option<&'static str> {
    let compatible = tree.text("virtualization", "proc/device-tree/hypervisor/compatible")?;
    match compatible.trim_end_matches('\0') {
        "linux,kvm" => Some("kvm"),
        text if text.contains("xen") => Some("xen"),
        text if text.contains("vmware") => Some("vmware"),
        _ => Some("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_facts::System;

    fn made_by(vendor: &str, product: &str) -> Option<&'static str> {
        let system = System {
            vendor: Some(vendor.to_owned()),
            product: Some(product.to_owned()),
            ..System::default()
        };
        by_firmware(&Smbios {
            system: Some(system),
            ..Smbios::default()
        })
    }

    #[test]
    fn firmware_names_its_hypervisor() {
        assert_eq!(made_by("QEMU", "Standard PC (Q35 + ICH9, 2009)"), Some("qemu"));
        assert_eq!(made_by("Red Hat", "KVM"), Some("kvm"));
        assert_eq!(made_by("VMware, Inc.", "VMware Virtual Platform"), Some("vmware"));
        assert_eq!(made_by("Microsoft Corporation", "Virtual Machine"), Some("hyperv"));
        assert_eq!(made_by("Microsoft Corporation", "Surface Laptop"), None);
        assert_eq!(made_by("Amazon EC2", "m5.metal"), None);
        assert_eq!(made_by("Amazon EC2", "m5.large"), Some("kvm"));
        assert_eq!(made_by("Dell Inc.", "PowerEdge R640"), None);
    }
}
