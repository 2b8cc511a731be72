//! Reads `vectors.txt`: every good datagram shows as it says, every bad one fails as it says.

use radius_wire::{Packet, dict};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16).expect("a hexadecimal digit"))
        .collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn every_vector_is_read_as_it_says() {
    let mut lines = include_str!("vectors.txt").lines().enumerate().peekable();
    let (mut good, mut bad) = (0, 0);
    while let Some((number, line)) = lines.next() {
        let number = number + 1;
        let (kind, datagram) = match line.split_once(' ').unwrap_or((line, "")) {
            ("" | "#", _) => continue,
            (kind, rest) => (kind, hex(rest)),
        };
        let mut expected = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with(['=', '!'])) {
            expected.push(line);
        }
        let shown: Vec<String> = match Packet::parse(&datagram) {
            Ok(packet) => {
                packet.attributes().iter().map(|a| format!("= {}", dict::show(&a))).collect()
            }
            Err(error) => vec![format!("! {error}")],
        };
        assert_eq!(shown, expected, "line {number}");
        match kind {
            "good" => good += 1,
            "bad" => bad += 1,
            other => panic!("line {number}: {other:?} is neither good nor bad"),
        }
    }
    assert!(good >= 8 && bad >= 11, "{good} good and {bad} bad: the file is cut short");
}
