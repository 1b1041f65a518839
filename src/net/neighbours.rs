use std::{fs, net::Ipv4Addr};

use muster_facts::MacAddr;

/// The hardware address the kernel has learned for a neighbour (`/proc/net/arp`, see proc(5)): how a machine is told
/// whose address another DHCP server gave.
pub(super) fn hardware_address(neighbour: Ipv4Addr) -> Option<MacAddr> {
    let table = fs::read_to_string("/proc/net/arp").ok()?;
    find(&table, neighbour)
}

fn find(table: &str, neighbour: Ipv4Addr) -> Option<MacAddr> {
    let wanted = neighbour.to_string();
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let address = columns.next()?;
        let mac: MacAddr = columns.nth(2)?.parse().ok()?;
        (address == wanted && !mac.is_unusable()).then_some(mac)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernel_table() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.77.0.50       0x1         0x2         52:54:00:77:00:01     *        br0\n\
                     10.77.0.51       0x1         0x0         00:00:00:00:00:00     *        br0\n";
        assert_eq!(
            find(table, Ipv4Addr::new(10, 77, 0, 50)),
            Some(MacAddr([0x52, 0x54, 0, 0x77, 0, 1]))
        );
        assert_eq!(
            find(table, Ipv4Addr::new(10, 77, 0, 51)),
            None,
            "an entry that is not complete"
        );
        assert_eq!(find(table, Ipv4Addr::new(10, 77, 0, 5)), None);
    }
}
