use super::*;

const STAT: &str = "\
cpu  100 20 30 400 50 6 7 8 9 10
cpu0 50 10 15 200 25 3 3 4 4 5
cpu1 50 10 15 200 25 3 4 4 5 5
intr 12345 0 0
ctxt 99
btime 1700000000
processes 4242
";

#[test]
fn cpu_ticks_are_summed_without_counting_guests_twice() {
    assert_eq!(cpu_ticks(STAT), Some(CpuTicks { total: 621, idle: 400, iowait: 50, cores: 2 }));
    assert_eq!(boot_seconds(STAT), Some(1_700_000_000));
    for text in ["", "cpu\n", "cpu  1 2 3\n", "intr 1\n"] {
        assert_eq!(cpu_ticks(text), None, "{text:?}");
    }
}

#[test]
fn memory_is_read_in_bytes() {
    let text = "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    600 kB\nSwapTotal: 50 kB\nSwapFree:  20 kB\n";
    let expected = Memory { total_bytes: 1_024_000.0, available_bytes: 614_400.0, swap_total_bytes: 51_200.0, swap_used_bytes: 30_720.0 };
    assert_eq!(memory(text), Some(expected));
    let without_available = memory("MemTotal: 1000 kB\nMemFree: 100 kB\n").expect("enough");
    assert_eq!((without_available.available_bytes, without_available.swap_used_bytes), (102_400.0, 0.0));
    assert_eq!(memory(""), None);
}

#[test]
fn load_and_open_files_are_read() {
    assert_eq!(load("0.52 1.25 2.00 1/234 5678\n"), Some([0.52, 1.25, 2.0]));
    assert_eq!(load("0.52 1.25\n"), None);
    assert_eq!(open_files("2048\t0\t9223372036854775807\n"), Some([2048.0, 9_223_372_036_854_775_807.0]));
    assert_eq!(open_files("2048\n"), None);
}

#[test]
fn each_disk_is_listed_once_at_its_shortest_mount_point() {
    let text = "\
overlay / overlay rw,relatime 0 0
proc /proc proc rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/sda1 /etc/hosts ext4 rw 0 0
/dev/sda1 /var ext4 rw 0 0
/dev/sda1 /var/lib/long ext4 rw 0 0
/dev/sdb1 /mnt/my\\040disk xfs ro 0 0
tmpfs /devices tmpfs rw 0 0
nonsense
";
    let found = mounts(text);
    let points: Vec<(&str, &str)> = found.iter().map(|mount| (mount.point.as_str(), mount.device.as_str())).collect();
    assert_eq!(points, [("/", "overlay"), ("/run", "tmpfs"), ("/var", "/dev/sda1"), ("/mnt/my disk", "/dev/sdb1"), ("/devices", "tmpfs")]);
}

#[test]
fn the_last_mount_of_one_place_hides_the_others() {
    let found = mounts("rootfs / rootfs rw 0 0\n/dev/sda1 / ext4 rw 0 0\n");
    assert_eq!(found, [Mount { device: "/dev/sda1".into(), point: "/".into(), file_system: "ext4".into() }]);
}

#[test]
fn mount_tables_are_bounded_and_hostile_names_survive() {
    let many: String = (0..DISKS_MAX + 10).map(|index| format!("tmpfs /mnt/{index} tmpfs rw 0 0\n")).collect();
    assert_eq!(mounts(&many).len(), DISKS_MAX);
    assert_eq!(unescape(r"a\040b\134c\9d\"), r"a b\c\9d\");
    assert_eq!(unescape(r"\377é\04"), r"\377é\04");
}

#[test]
fn whole_disks_are_counted_and_their_partitions_are_not() {
    let text = "\
   8       0 sda 100 1 2000 3 200 4 4000 5 0 1500 6 0 0 0 0
   8       1 sda1 90 1 1800 3 190 4 3800 5 0 1400 6
   7       0 loop0 1 0 2 0 0 0 0 0 0 1 0
 253       0 dm-0 short
";
    let expected = DiskIo { device: "sda".into(), read_bytes: 1_024_000.0, written_bytes: 2_048_000.0, busy_seconds: 1.5 };
    assert_eq!(disk_io(text, |device| device == "sda" || device == "loop0" || device == "dm-0"), [expected]);
}

#[test]
fn a_process_may_be_called_anything() {
    let stat = "42 (evil) (name) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 12345 1000 200 18446744073709551615\n";
    let expected = ProcessStat { name: "evil) (name", cpu_seconds: 2.0, started_seconds: 123.45 };
    assert_eq!(process_stat(stat), Some(expected));
    assert_eq!(process_stat("42 (short) S 1"), None);
    assert_eq!(process_stat("42"), None);
}

#[test]
fn resident_memory_is_read_in_bytes() {
    assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    12 kB\n"), 12_288.0);
    assert_eq!(resident_bytes("Name:\tkthreadd\n"), 0.0);
}

#[test]
fn listening_sockets_are_told_from_connected_ones() {
    let word = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
    let local = word([127, 0, 0, 1]);
    let at = |state: &str, remote: &str| listener(&format!("   0: {local}:1F90 {remote} {state} 00000000:00000000 00:00000000 0 0 0"));
    let expected = Listener { address: IpAddr::from([127, 0, 0, 1]), port: 8080 };
    assert_eq!(at("0A", "00000000:0000"), Some(expected));
    assert_eq!(at("07", "00000000:0000"), Some(expected));
    assert_eq!(at("07", "0100007F:0035"), None);
    assert_eq!(at("01", "0100007F:0035"), None);
    let zero = word([0; 4]);
    let loopback = format!("{zero}{zero}{zero}{}", word([0, 0, 0, 1]));
    let line = format!("   0: {loopback}:0016 {zero}{zero}{zero}{zero}:0000 0A 0 0");
    assert_eq!(listener(&line), Some(Listener { address: IpAddr::from(Ipv6Addr::LOCALHOST), port: 22 }));
    for line in ["", "  sl  local_address rem_address   st", "0: xyz:1F90 00000000:0000 0A", "0: 0100007F 0 0A"] {
        assert_eq!(listener(line), None, "{line:?}");
    }
}
