//! The fingerprint of a set of labels, as Prometheus and Alertmanager compute it.

use crate::Label;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;
/// Behind each name and each value; no UTF-8 has it.
const SEPARATOR: u8 = 0xff;

/// FNV-1a over the labels sorted by name, in 16 hexadecimal digits.
pub fn fingerprint(labels: &[Label]) -> String {
    let mut sorted: Vec<(&str, &str)> = labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
    sorted.sort_unstable();
    let mut hash = OFFSET;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([SEPARATOR]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    };
    for (name, value) in sorted {
        add(name);
        add(value);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_prometheus_computes() {
        assert_eq!(fingerprint(&[]), format!("{:016x}", 14_695_981_039_346_656_037_u64));
        let labels = [Label::new("name", "garland, briggs"), Label::new("fear", "love is not enough")];
        assert_eq!(fingerprint(&labels), format!("{:016x}", 5_799_056_148_416_392_346_u64));
    }

    #[test]
    fn the_order_of_labels_does_not_matter_and_their_borders_do() {
        let (a, b) = (Label::new("a", "1"), Label::new("b", "2"));
        assert_eq!(fingerprint(&[a.clone(), b.clone()]), fingerprint(&[b, a]));
        assert_ne!(fingerprint(&[Label::new("ab", "c")]), fingerprint(&[Label::new("a", "bc")]));
    }
}
